"""Sends back money that came twice: a second checkout of a link was paid as well."""

from __future__ import annotations

import logging

from paylink.domain.errors import DuplicateError, UnknownPaymentError
from paylink.ports import Clock, PaymentRepository, Providers
from paylink.services.refund_transaction import NewRefund, refund_transaction

_REASON = "duplicate"

logger = logging.getLogger(__name__)


def return_surplus(
    payment_id: str,
    transaction_id: str,
    *,
    payments: PaymentRepository,
    providers: Providers,
    clock: Clock,
) -> None:
    """Refunds all of a surplus transaction, once, however often this is called.

    Raises UnknownPaymentError for a transaction that isn't a surplus of the payment, and whatever
    the provider's trouble is, for the caller to come again.
    """
    found = payments.transaction(transaction_id)
    if found is None or found.payment_id != payment_id or not found.surplus:
        # Never the money that paid the payment.
        raise UnknownPaymentError()
    try:
        refund, _ = refund_transaction(
            transaction_id,
            NewRefund(reason=_REASON),
            f"surplus:{transaction_id}",
            (found.organization_id, found.mode),
            payments=payments,
            providers=providers,
            clock=clock,
        )
    except DuplicateError:
        logger.info("surplus had been returned", extra={"transaction_id": transaction_id})
        return
    logger.info(
        "surplus returned",
        extra={
            "payment_id": payment_id,
            "transaction_id": transaction_id,
            "refund_id": refund.id,
            "refund_status": refund.status,
        },
    )
