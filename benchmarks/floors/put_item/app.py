"""A floor: the SDK and one write."""

import os
import uuid
from typing import Any

import boto3

dynamodb = boto3.client("dynamodb")


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, int]:
    item = {
        "pk": {"S": f"FLOOR#{uuid.uuid4()}"},
        "sk": {"S": "FLOOR"},
        "body": {"S": event["body"]},
    }
    dynamodb.put_item(TableName=os.environ["TABLE_NAME"], Item=item)
    return {"statusCode": 201}
