"""Reads one payment of the caller's; anybody else's doesn't exist."""

from __future__ import annotations

from paylink.domain.errors import PaymentNotFoundError
from paylink.domain.organization import Mode
from paylink.domain.payment import Payment
from paylink.ports import PaymentRepository


def read_payment(
    payment_id: str, *, organization_id: str, mode: Mode, payments: PaymentRepository
) -> Payment:
    """Raises PaymentNotFoundError."""
    payment = payments.get(payment_id)
    if payment is None or (payment.organization_id, payment.mode) != (organization_id, mode):
        raise PaymentNotFoundError()
    return payment
