"""Off the bus, by its queue: sends the buyer a receipt for each invoice that was issued."""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink import bootstrap
from paylink.services.send_invoice import send_receipt

processor = BatchProcessor(event_type=EventType.SQS)
bootstrap.ready(bootstrap.mail_ports)


def send(record: SQSRecord) -> None:
    send_receipt(
        record.json_body["detail"]["data"]["invoiceId"],
        bootstrap.settings().public_base_url,
        bootstrap.mail_ports(),
    )


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event, send, processor, context)
