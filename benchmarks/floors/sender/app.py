"""A floor: what mails a document when asked to, by the usual framework, with a table, a bucket,
SES, a template, and amounts and days as a reader writes them.
"""

import os
from typing import Any

import boto3
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment
from pydantic import BaseModel

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")
ses = boto3.client("sesv2")
app = APIGatewayHttpResolver(enable_validation=True)
templates = Environment(autoescape=True)


class Invoice(BaseModel):
    to: str
    amount: int
    currency: str
    document: str


@app.post("/invoices/<key>/send")
def send(key: str) -> dict[str, str]:
    wanted = {"pk": {"S": f"FLOOR#{key}"}, "sk": {"S": "FLOOR"}}
    found = dynamodb.get_item(TableName=os.environ["TABLE_NAME"], Key=wanted)["Item"]
    invoice = Invoice.model_validate_json(found["body"]["S"])
    stored = s3.get_object(Bucket=os.environ["INVOICE_BUCKET_NAME"], Key=invoice.document)
    document = stored["Body"].read()
    amount = format_currency(invoice.amount, invoice.currency, locale="de")
    day = format_date(locale="de")
    html = templates.from_string("<p>{{ day }}: {{ amount }}</p>").render(day=day, amount=amount)
    ses.send_email(
        FromEmailAddress=os.environ["RECEIPT_SENDER"],
        Destination={"ToAddresses": [invoice.to]},
        Content={
            "Simple": {
                "Subject": {"Data": "Invoice"},
                "Body": {"Html": {"Data": html}},
                "Attachments": [{"FileName": "invoice.pdf", "RawContent": document}],
            }
        },
    )
    return {"sent": invoice.to}


def lambda_handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    return app.resolve(event, context)
