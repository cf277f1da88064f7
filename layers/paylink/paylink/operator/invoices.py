"""Invoices: a PDF that was never stored, and the list for the books."""

from __future__ import annotations

import argparse
from typing import Any

from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError
from paylink.operator.exports import Columns, add_export, amount, moment

_COLUMNS: Columns = {
    "number": lambda invoice, _: invoice.number,
    "issued": lambda invoice, _: invoice.issue_date.date(),
    "paid": lambda invoice, zone: moment(invoice.paid_at, zone),
    "status": lambda invoice, _: invoice.status,
    "currency": lambda invoice, _: invoice.currency.upper(),
    "subtotal": lambda invoice, _: amount(invoice.amount_subtotal, invoice.currency),
    "tax": lambda invoice, _: amount(invoice.tax_amount, invoice.currency),
    "total": lambda invoice, _: amount(invoice.amount_total, invoice.currency),
    "buyer": lambda invoice, _: invoice.buyer.name,
    "country": lambda invoice, _: invoice.buyer.address.country,
    "tax ids": lambda invoice, _: " ".join(invoice.buyer.tax_ids),
    "invoice": lambda invoice, _: invoice.id,
    "payment": lambda invoice, _: invoice.payment_id,
    "transaction": lambda invoice, _: invoice.transaction_id,
}


def add_to(things: Any) -> None:
    """The actions of ``paylink invoices``."""
    invoices = things.add_parser("invoices", help="PDFs and the books")
    actions = invoices.add_subparsers(required=True, metavar="render|export")
    rendered = add_action(actions, "render", render, "make a PDF that was never stored")
    rendered.add_argument("invoice", help="inv_…")
    add_export(actions, _COLUMNS, lambda deployment: deployment.invoices)


def render(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    """A stored PDF is never made anew: what was issued stays as it was issued."""
    invoice = deployment.invoices.get(options.invoice)
    if invoice is None:
        raise UsageError(f"there is no invoice {options.invoice}")
    stored_before = invoice.document_key is not None
    if not stored_before:
        deployment.invoice_issuer.issue(invoice)
        invoice = deployment.invoices.get(invoice.id) or invoice
    return {
        "id": invoice.id,
        "number": invoice.number,
        "document": invoice.document_key,
        "rendered": not stored_before,
    }
