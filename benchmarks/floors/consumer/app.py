"""A floor: what stores documents off a queue, Powertools' batches, a table and a bucket."""

import os
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from pydantic import BaseModel

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")
processor = BatchProcessor(event_type=EventType.SQS)


class Detail(BaseModel):
    id: str


def store(record: SQSRecord) -> None:
    detail = Detail.model_validate(record.json_body["detail"])
    item = {"pk": {"S": f"FLOOR#{detail.id}"}, "sk": {"S": "FLOOR"}}
    dynamodb.put_item(TableName=os.environ["TABLE_NAME"], Item=item)
    s3.put_object(Bucket=os.environ["INVOICE_BUCKET_NAME"], Key=detail.id, Body=b"")


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event, store, processor, context)
