"""Off the bus, by its queue: a paid payment's invoice, and credit notes as its refunds are."""

from paylink import bootstrap
from paylink.consumer import Envelope, consumer
from paylink.presentation import documents
from paylink.presentation.document_pdf import render_document
from paylink.services.issue_credit_notes import issue_credit_notes
from paylink.services.issue_invoice import issue_invoice
from paylink.services.logos import logo_of

bootstrap.ready(
    bootstrap.payments, bootstrap.invoices, bootstrap.credit_notes, bootstrap.invoice_store
)


def render(facts: documents.DocumentFacts) -> bytes:
    return render_document(facts, logo_of(facts.document.seller, bootstrap.logos()))


@consumer
def lambda_handler(envelope: Envelope) -> None:
    payment_id = envelope["detail"]["data"]["paymentId"]
    issue_invoice(
        payment_id,
        payments=bootstrap.payments(),
        invoices=bootstrap.invoices(),
        organizations=bootstrap.organizations(),
        store=bootstrap.invoice_store(),
        render=lambda invoice: render(documents.invoice_document(invoice)),
        clock=bootstrap.clock,
    )
    issue_credit_notes(
        payment_id,
        payments=bootstrap.payments(),
        invoices=bootstrap.invoices(),
        credit_notes=bootstrap.credit_notes(),
        store=bootstrap.invoice_store(),
        render=lambda note: render(documents.credit_note_document(note)),
        clock=bootstrap.clock,
    )
