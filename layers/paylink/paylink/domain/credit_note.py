"""A credit note: how much of an invoice a refund took back, as it was when issued.

The parts of an invoice always add up: each note brings what is credited so far to the rounded share
of the money that went back so far, so that a full refund credits exactly the invoice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from paylink.domain.document import Document
from paylink.domain.ids import derived_id
from paylink.domain.invoice import Invoice, format_number
from paylink.domain.money import currency_named, round_half_up
from paylink.domain.payment import LineItem, Payment, Refund
from paylink.domain.tax import TaxLine


@dataclass(frozen=True, kw_only=True)
class CreditNote(Document):
    """What went back of one invoice; amounts positive."""

    refund_id: str
    invoice_id: str
    invoice_number: str
    invoice_issued_at: datetime
    in_full: bool
    """Nothing of the invoice was left when it was issued."""
    status: Literal["issued", "void"]
    """``void``: the money came back to the seller. Its number stays taken."""
    refunded_at: datetime
    reason: str | None = None
    voided_at: datetime | None = None


def credit_note_id_for(refund_id: str) -> str:
    """One credit note per refund, however often it is announced."""
    return derived_id("cn", refund_id)


def creditable(payment: Payment) -> list[Refund]:
    """The refunds that the payment's invoice is about, oldest first. Surplus money has none."""
    mine = [
        refund for refund in payment.refunds if refund.transaction_id == payment.paid_by_transaction
    ]
    return sorted(mine, key=lambda refund: refund.created_at)


def credit(
    refund: Refund,
    invoice: Invoice,
    standing: Sequence[CreditNote],
    year: int,
    sequence: int,
    now: datetime,
) -> CreditNote:
    """The credit note of a refund, with the given number of the year's series.

    ``standing`` are the invoice's others that are not void. Raises ValueError for a refund that
    doesn't count.
    """
    if not refund.counts:
        raise ValueError(f"{refund.id} is {refund.status}: no money went back")
    total = invoice.amount_total
    credited = sum(note.amount_total for note in standing)
    amount = min(refund.amount, total - credited)
    after = credited + amount
    step = currency_named(invoice.currency).step
    tax_before = sum(note.tax_amount for note in standing)
    # Where a note between others became void, what stands was rounded for another sum.
    tax = min(_share(invoice.tax_amount, after, total, tax_before, step), amount)
    return CreditNote(
        id=credit_note_id_for(refund.id),
        number=format_number("CN", year, sequence),
        organization_id=invoice.organization_id,
        mode=invoice.mode,
        payment_id=invoice.payment_id,
        transaction_id=invoice.transaction_id,
        refund_id=refund.id,
        invoice_id=invoice.id,
        invoice_number=invoice.number,
        invoice_issued_at=invoice.issued_at,
        in_full=after == total,
        status="issued",
        currency=invoice.currency,
        amount_subtotal=amount - tax,
        tax_amount=tax,
        line_items=(LineItem(invoice.line_items[0].description, amount - tax),),
        tax_lines=_tax_lines(invoice, standing, tax, after, step),
        seller=invoice.seller,
        buyer=invoice.buyer,
        issued_at=now,
        refunded_at=refund.created_at,
        customer_id=invoice.customer_id,
        customer_public_id=invoice.customer_public_id,
        payment_method=invoice.payment_method,
        reason=refund.reason,
        language=invoice.language,
    )


def voided(note: CreditNote, now: datetime) -> CreditNote:
    return replace(note, status="void", voided_at=now)


def facts(note: CreditNote) -> dict[str, Any]:
    """What an event about a note tells besides the payment; the total in minor units, with tax."""
    return {
        "creditNoteId": note.id,
        "creditNoteNumber": note.number,
        "creditNoteStatus": note.status,
        "creditNoteTotal": note.amount_total,
        "refundId": note.refund_id,
        "invoiceId": note.invoice_id,
        "invoiceNumber": note.invoice_number,
    }


def _share(whole: int, after: int, total: int, before: int, step: int) -> int:
    """What brings ``before`` to the rounded share of ``whole``, and never past either end."""
    if after >= total:
        return whole - before
    reached = round_half_up(Decimal(whole * after) / total, step)
    return min(max(reached - before, 0), whole - before)


def _tax_lines(
    invoice: Invoice, standing: Sequence[CreditNote], tax: int, after: int, step: int
) -> tuple[TaxLine, ...]:
    lines = invoice.tax_lines
    left = [
        line.amount - sum(note.tax_lines[position].amount for note in standing)
        for position, line in enumerate(lines)
    ]
    amounts = _allotted(min(tax, sum(left)), left)
    return tuple(
        replace(
            line,
            amount=amounts[position],
            taxable_amount=_share(
                line.taxable_amount,
                after,
                invoice.amount_total,
                sum(note.tax_lines[position].taxable_amount for note in standing),
                step,
            ),
        )
        for position, line in enumerate(lines)
    )


def _allotted(amount: int, weights: Sequence[int]) -> list[int]:
    """Parts of an amount by the largest remainders; none is more than its weight if all are not."""
    whole = sum(weights)
    if whole == 0:
        return [0] * len(weights)
    parts = [amount * weight // whole for weight in weights]
    by_remainder = sorted(
        range(len(weights)), key=lambda position: (-(amount * weights[position] % whole), position)
    )
    for position in by_remainder[: amount - sum(parts)]:
        parts[position] += 1
    return parts
