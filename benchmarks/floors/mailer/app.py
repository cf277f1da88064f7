"""A floor: what mails documents off a queue, by a template, with amounts and days as a reader
writes them.
"""

import os
from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from babel.dates import format_date
from babel.numbers import format_currency
from jinja2 import Environment
from pydantic import BaseModel

dynamodb = boto3.client("dynamodb")
s3 = boto3.client("s3")
ses = boto3.client("sesv2")
processor = BatchProcessor(event_type=EventType.SQS)
templates = Environment(autoescape=True)


class Detail(BaseModel):
    id: str
    amount: int
    to: str


def send(record: SQSRecord) -> None:
    detail = Detail.model_validate(record.json_body["detail"])
    key = {"pk": {"S": f"FLOOR#{detail.id}"}, "sk": {"S": "FLOOR"}}
    found = dynamodb.get_item(TableName=os.environ["TABLE_NAME"], Key=key)["Item"]
    stored = s3.get_object(Bucket=os.environ["INVOICE_BUCKET_NAME"], Key=found["key"]["S"])
    amount = format_currency(detail.amount, "EUR", locale="de")
    day = format_date(locale="de")
    html = templates.from_string("<p>{{ day }}: {{ amount }}</p>").render(day=day, amount=amount)
    document = stored["Body"].read()
    ses.send_email(
        FromEmailAddress=os.environ["RECEIPT_SENDER"],
        Destination={"ToAddresses": [detail.to]},
        Content={
            "Simple": {
                "Subject": {"Data": "Receipt"},
                "Body": {"Html": {"Data": html}},
                "Attachments": [{"FileName": "receipt.pdf", "RawContent": document}],
            }
        },
    )


def lambda_handler(event: dict[str, Any], context: Any) -> Any:
    return process_partial_response(event, send, processor, context)
