"""Off the bus, by its queue: paid payments' invoices, and credit notes as their refunds are."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from paylink import bootstrap
from paylink.consumer import Envelope, Handle, batch_consumer, payments_named
from paylink.presentation import documents
from paylink.services.issue_credit_notes import issue_credit_notes
from paylink.services.issue_invoice import Numbered, issue_invoice, number_invoices

bootstrap.ready(bootstrap.issue_ports, bootstrap.credit_notes)


def issue(numbered: dict[str, Numbered], envelope: Envelope) -> None:
    payment_id = envelope["detail"]["data"]["paymentId"]
    payment, invoice = numbered.pop(payment_id, (None, None))
    issue_invoice(payment_id, bootstrap.issue_ports(), invoice)
    issue_credit_notes(
        payment_id,
        payments=bootstrap.payments(),
        invoices=bootstrap.invoices(),
        credit_notes=bootstrap.credit_notes(),
        store=bootstrap.invoice_store(),
        render=lambda note: bootstrap.render(documents.credit_note_document(note)),
        clock=bootstrap.clock,
        known=payment,
    )


@batch_consumer
@contextmanager
def lambda_handler(envelopes: Sequence[Envelope]) -> Iterator[Handle]:
    numbered = number_invoices(payments_named(envelopes), bootstrap.issue_ports())
    yield partial(issue, numbered)
