"""Off the bus, by its queue: e-mails about what has happened, to whom it matters."""

from paylink import bootstrap
from paylink.adapters.eventbridge import domain_event
from paylink.consumer import Envelope, consumer
from paylink.domain import events
from paylink.domain.events import DomainEvent
from paylink.services.notify_owner import notify_owner
from paylink.services.send_document import send_credit_note, send_receipt

bootstrap.ready(bootstrap.mail_ports, bootstrap.notice_ports)


def receipt(event: DomainEvent) -> None:
    base_url = bootstrap.settings().public_base_url
    send_receipt(event.data["invoiceId"], base_url, bootstrap.mail_ports())


def credit_note(event: DomainEvent) -> None:
    base_url = bootstrap.settings().public_base_url
    send_credit_note(event.data["creditNoteId"], base_url, bootstrap.mail_ports())


def notice(event: DomainEvent) -> None:
    notify_owner(event, bootstrap.notice_ports())


MAILS = {
    events.INVOICE_ISSUED: receipt,
    events.CREDIT_NOTE_ISSUED: credit_note,
    events.CREDIT_NOTE_VOIDED: credit_note,
    events.WEBHOOK_ENDPOINT_DISABLED: notice,
}


@consumer
def lambda_handler(envelope: Envelope) -> None:
    event = domain_event(envelope)
    MAILS[event.type](event)
