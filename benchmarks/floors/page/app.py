"""A floor: what shows a page, the usual framework, a table, a template, and amounts and days as a
reader writes them.
"""

import os
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment
from pydantic import BaseModel

dynamodb = boto3.client("dynamodb")
app = APIGatewayHttpResolver(enable_validation=True)
templates = Environment(autoescape=True)


class Payment(BaseModel):
    amount: int
    currency: str


@app.get("/pay/<key>")
def show(key: str) -> Response[str]:
    wanted = {"pk": {"S": f"FLOOR#{key}"}, "sk": {"S": "FLOOR"}}
    found = dynamodb.get_item(TableName=os.environ["TABLE_NAME"], Key=wanted)["Item"]
    payment = Payment.model_validate_json(found["body"]["S"])
    amount = format_currency(payment.amount, payment.currency, locale="de")
    day = format_date(locale="de")
    html = templates.from_string("<p>{{ day }}: {{ amount }}</p>").render(day=day, amount=amount)
    return Response(200, "text/html", html)


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
