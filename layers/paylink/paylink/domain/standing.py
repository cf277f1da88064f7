"""How money that came stands after refunds and disputes, in whatever order they happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from paylink.domain.events import DomainEvent
from paylink.domain.invoice import invoice_id_for
from paylink.domain.payment import Payment, Transaction, TransactionStatus, event_about


def standing(payment: Payment, transaction: Transaction, now: datetime) -> Transaction | None:
    """A transaction that brought money, moved to where its payment's records are; None if it is.

    A dispute counts more than refunds: while it is open, and for good once it was lost. One that
    was won leaves no trace in the status.
    """
    dispute = payment.dispute_status(transaction.id)
    status: TransactionStatus = "succeeded"
    if dispute in {"open", "lost"}:
        status = "disputed"
    elif payment.returned(transaction.id) >= transaction.amount_total:
        status = "refunded"
    lost = payment.amount_lost(transaction.id)
    known = (transaction.status, transaction.dispute_status, transaction.amount_lost)
    if known == (status, dispute, lost):
        return None
    return replace(
        transaction, status=status, dispute_status=dispute, amount_lost=lost, updated_at=now
    )


def event_about_money(
    payment: Payment,
    transaction: Transaction,
    event_type: str,
    now: datetime,
    extra: Mapping[str, Any],
) -> DomainEvent:
    """What happened to a transaction's money; one that came twice has no invoice."""
    identifiers = {
        "paymentTransactionId": transaction.id,
        "provider": "stripe",
        "paymentLinkId": payment.id if payment.kind == "link" else None,
        "invoiceId": None if transaction.surplus else invoice_id_for(payment.id),
        "invoiceNumber": None if transaction.surplus else payment.invoice_number,
        "subscriptionId": None,
        "surplus": transaction.surplus,
    }
    return event_about(payment, event_type, now, {**identifiers, **extra})
