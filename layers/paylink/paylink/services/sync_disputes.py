"""Keeps up with what buyers' banks dispute, and with who won."""

from __future__ import annotations

import logging

from paylink.domain.dispute import newly_opened, observe_disputes
from paylink.domain.errors import (
    ProviderRejectedError,
    ProviderUnavailableError,
    StateConflictError,
    TransactionNotFoundError,
    UnknownPaymentError,
)
from paylink.domain.payment import Payment
from paylink.ports import Clock, Commit, PaymentProvider, PaymentRepository, VersionConflictError
from paylink.services.settle_payment import back_off

_ATTEMPTS = 8

logger = logging.getLogger(__name__)


def sync_disputes(
    payment_id: str,
    transaction_id: str,
    *,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
) -> Payment:
    """Moves the disputes of a transaction to where the provider says they are.

    Raises UnknownPaymentError, TransactionNotFoundError, ProviderUnavailableError, and
    StateConflictError when others kept changing the payment.
    """
    for attempt in range(_ATTEMPTS):
        # The payment is read before all else: its version says whether the rest is still true.
        payment = payments.get(payment_id, with_invoice=True)
        if payment is None:
            raise UnknownPaymentError()
        transaction = payments.transaction(transaction_id)
        if transaction is None:
            raise TransactionNotFoundError()
        try:
            states = provider.disputes_of(transaction.payment_intent_id or "")
        except ProviderRejectedError as error:
            # Not being told isn't being told that there are none.
            raise ProviderUnavailableError() from error
        change = observe_disputes(payment, transaction, states, clock())
        if change is None:
            return payment
        try:
            committed = payments.commit(Commit(change.after, change.events, change.transaction))
        except VersionConflictError:
            back_off(attempt)
            continue
        moved = change.transaction or transaction
        logger.info(
            "disputes moved",
            extra={
                "payment_id": payment_id,
                "transaction_id": transaction_id,
                "dispute_status": moved.dispute_status,
                "opened": [dispute.id for dispute in newly_opened(change)],
            },
        )
        return committed
    raise StateConflictError()
