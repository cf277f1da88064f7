"""A floor: what a payment link needs at the least, a framework, a table and Stripe's client."""

import os
import uuid
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from pydantic import BaseModel
from stripe import StripeClient

dynamodb = boto3.client("dynamodb")
stripe = StripeClient("sk_test_floor")
app = APIGatewayHttpResolver(enable_validation=True)


class Body(BaseModel):
    amount: int
    currency: str
    description: str


@app.post("/payments")
def create(body: Body) -> dict[str, str]:
    key = f"FLOOR#{uuid.uuid4()}"
    item = {"pk": {"S": key}, "sk": {"S": "FLOOR"}, "body": {"S": body.model_dump_json()}}
    dynamodb.put_item(TableName=os.environ["TABLE_NAME"], Item=item)
    return {"id": key}


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
