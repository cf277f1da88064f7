"""Off the bus, by its queue: e-mails about what has happened, to whom it matters."""

from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink import bootstrap
from paylink.adapters.eventbridge import domain_event
from paylink.domain import events
from paylink.domain.events import DomainEvent
from paylink.services.notify_owner import notify_owner
from paylink.services.send_invoice import send_receipt

processor = BatchProcessor(event_type=EventType.SQS)
bootstrap.ready(bootstrap.mail_ports, bootstrap.notice_ports)


def receipt(event: DomainEvent) -> None:
    base_url = bootstrap.settings().public_base_url
    send_receipt(event.data["invoiceId"], base_url, bootstrap.mail_ports())


def notice(event: DomainEvent) -> None:
    notify_owner(event, bootstrap.notice_ports())


MAILS = {events.INVOICE_ISSUED: receipt, events.WEBHOOK_ENDPOINT_DISABLED: notice}


def send(record: SQSRecord) -> None:
    event = domain_event(record.json_body)
    MAILS[event.type](event)


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
    return process_partial_response(event, send, processor, context)
