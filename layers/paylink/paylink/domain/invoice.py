"""An invoice: what was sold to whom, as it was when issued, and never changed after that."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from paylink.domain import events
from paylink.domain.document import Document
from paylink.domain.events import DomainEvent
from paylink.domain.ids import derived_id
from paylink.domain.language import document_language
from paylink.domain.organization import Organization, TaxSettings
from paylink.domain.payment import Payment, event_about
from paylink.domain.timestamps import timestamp


@dataclass(frozen=True, kw_only=True)
class Invoice(Document):
    """What one payment was for. Nothing of it ever changes."""

    status: Literal["paid", "void"]
    paid_at: datetime
    metadata: dict[str, str] = field(default_factory=dict)


def invoice_id_for(payment_id: str) -> str:
    """One invoice per payment, however often its success is announced."""
    return derived_id("inv", payment_id)


def series_year(seller: Organization, now: datetime) -> int:
    """The year whose consecutive numbers a document issued now belongs to."""
    return now.astimezone(ZoneInfo(seller.time_zone)).year


def format_number(series: str, year: int, sequence: int) -> str:
    """``INV-2026-000042``; ``series`` is what all of its numbers begin with."""
    return f"{series}-{year}-{sequence:06d}"


def issue(
    payment: Payment, seller: Organization, year: int, sequence: int, now: datetime
) -> Invoice:
    """The invoice of a succeeded payment, with the given number of the year's series."""
    settlement = payment.settlement
    if payment.status != "succeeded" or settlement is None:
        raise ValueError(f"{payment.id} is {payment.status}: only a paid payment has an invoice")
    return Invoice(
        id=invoice_id_for(payment.id),
        number=format_number("INV", year, sequence),
        organization_id=payment.organization_id,
        mode=payment.mode,
        payment_id=payment.id,
        transaction_id=settlement.transaction_id,
        status="paid",
        currency=payment.currency,
        amount_subtotal=payment.amount_subtotal,
        tax_amount=payment.tax_amount,
        line_items=payment.line_items,
        tax_lines=settlement.tax_lines,
        seller=replace(seller, tax=TaxSettings()),  # what follows from it is in the tax lines
        buyer=settlement.buyer,
        issued_at=now,
        paid_at=payment.paid_at or now,
        customer_id=payment.customer_id,
        customer_public_id=payment.customer_public_id,
        payment_method=settlement.payment_method.label if settlement.payment_method else None,
        metadata=dict(payment.metadata or {}),
        language=document_language(
            payment.buyer_language, settlement.buyer.address.country, seller.address.country
        ),
    )


def facts(invoice: Invoice) -> dict[str, Any]:
    """What `invoice.issued` tells that follows from the invoice; amounts in minor units, tax
    included where nothing else is said."""
    issued, paid = timestamp(invoice.issued_at), timestamp(invoice.paid_at)
    return {
        "paymentId": invoice.payment_id,
        "amount": invoice.amount_total,
        "amountSubtotal": invoice.amount_subtotal,
        "taxAmount": invoice.tax_amount,
        "currency": invoice.currency,
        "description": invoice.line_items[0].description,
        "invoiceId": invoice.id,
        "invoiceNumber": invoice.number,
        "invoiceStatus": invoice.status,
        "invoiceTotal": invoice.amount_total,
        "subtotal": invoice.amount_subtotal,
        "total": invoice.amount_total,
        "grossAmount": invoice.amount_total,
        "periodStart": paid,
        "periodEnd": paid,
        "issueDate": issued,
        "dueDate": issued,
        "paidAt": paid,
        "paymentTransactionId": invoice.transaction_id,
        "customerId": invoice.customer_public_id,
        "customerEmail": invoice.buyer.email,
    }


def announcement(invoice: Invoice, payment: Payment) -> DomainEvent:
    """That a payment has its invoice, with all that receivers want to know of both."""
    method = payment.paid_with
    paid_with = {
        "paymentMethod": method.type if method else None,
        "subPaymentMethod": method.brand if method else None,
    }
    told = {**facts(invoice), **paid_with}
    return event_about(payment, events.INVOICE_ISSUED, invoice.issued_at, told)
