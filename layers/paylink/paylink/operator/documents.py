"""Invoices and credit notes: a PDF that was never stored, and the lists for the books."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

from paylink.adapters.dynamodb.documents import DynamoDocuments
from paylink.domain.document import Document
from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError
from paylink.operator.exports import Columns, add_export, amount, moment

_AMOUNTS: Columns = {
    "currency": lambda document, _: document.currency.upper(),
    "subtotal": lambda document, _: amount(document.amount_subtotal, document.currency),
    "tax": lambda document, _: amount(document.tax_amount, document.currency),
    "total": lambda document, _: amount(document.amount_total, document.currency),
    "buyer": lambda document, _: document.buyer.name,
    "country": lambda document, _: document.buyer.address.country,
    "tax ids": lambda document, _: " ".join(document.buyer.tax_ids),
}
_INVOICES: Columns = {
    "number": lambda invoice, _: invoice.number,
    "issued": lambda invoice, _: invoice.issue_date.date(),
    "paid": lambda invoice, zone: moment(invoice.paid_at, zone),
    "status": lambda invoice, _: invoice.status,
    **_AMOUNTS,
    "invoice": lambda invoice, _: invoice.id,
    "payment": lambda invoice, _: invoice.payment_id,
    "transaction": lambda invoice, _: invoice.transaction_id,
}
_CREDIT_NOTES: Columns = {
    "number": lambda note, _: note.number,
    "issued": lambda note, _: note.issue_date.date(),
    "refunded": lambda note, zone: moment(note.refunded_at, zone),
    "status": lambda note, _: note.status,
    "voided": lambda note, zone: moment(note.voided_at, zone),
    **_AMOUNTS,
    "invoice number": lambda note, _: note.invoice_number,
    "credit note": lambda note, _: note.id,
    "refund": lambda note, _: note.refund_id,
    "payment": lambda note, _: note.payment_id,
    "transaction": lambda note, _: note.transaction_id,
}


def add_to(things: Any) -> None:
    """The actions of ``paylink invoices`` and ``paylink credit-notes``."""
    for name, kind, example, columns, source in (
        ("invoices", "invoice", "inv_…", _INVOICES, lambda stack: stack.invoices),
        ("credit-notes", "credit note", "cn_…", _CREDIT_NOTES, lambda stack: stack.credit_notes),
    ):
        actions = things.add_parser(name, help="PDFs and the books").add_subparsers(
            required=True, metavar="render|export"
        )
        run = partial(_render, kind, source)
        rendered = add_action(actions, "render", run, "make a PDF that was never stored")
        rendered.add_argument("document", help=example)
        add_export(actions, columns, source)


def _render(
    kind: str,
    source: Callable[[Deployment], DynamoDocuments[Any]],
    deployment: Deployment,
    options: argparse.Namespace,
) -> dict[str, Any]:
    """A stored PDF is never made anew: what was issued stays as it was issued."""
    get: Callable[[str], Document | None] = source(deployment).get
    document = get(options.document)
    if document is None:
        raise UsageError(f"there is no {kind} {options.document}")
    stored_before = deployment.invoice_store.has(document.document_key)
    if not stored_before:
        deployment.invoice_issuer.issue(document)
    return {
        "id": document.id,
        "number": document.number,
        "document": document.document_key,
        "rendered": not stored_before,
    }
