"""Moves a payment to where its money is, whoever noticed: webhook, sweep or pay page.

The payment is read before the provider is asked, and both again after a conflict, so what is
decided from is never older than what is overwritten.
"""

from __future__ import annotations

import logging
import random
import time
from dataclasses import dataclass

from paylink.domain.customer import Customer
from paylink.domain.errors import StateConflictError, UnknownPaymentError
from paylink.domain.events import PAYMENT_METHOD_ATTACHED
from paylink.domain.payment import Change, CheckoutState, Payment, event_about, observe
from paylink.ports import Clock, Commit, PaymentProvider, PaymentRepository, VersionConflictError

_ATTEMPTS = 8
_BACKOFF_SECONDS = 0.05

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Settled:
    """The payment after the provider was asked, and what the provider said."""

    payment: Payment
    state: CheckoutState


def settle_payment(
    payment_id: str,
    session_id: str,
    *,
    cause: str,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
    known: Payment | None = None,
) -> Settled:
    """Fetches one checkout and commits what follows from it, once.

    ``known`` is the payment as the caller has just read it, which spares the first reading.
    Raises UnknownPaymentError, CheckoutMismatchError, ProviderUnavailableError, and
    StateConflictError when others kept changing the payment.
    """
    for attempt in range(_ATTEMPTS):
        payment = known if known is not None and attempt == 0 else payments.get(payment_id)
        if payment is None:
            raise UnknownPaymentError()
        state = provider.fetch_checkout(session_id)
        change = observe(payment, state, clock(), cause)
        if change is None:
            return Settled(payment, state)
        try:
            committed = payments.commit(_commit_of(change, state))
        except VersionConflictError:
            back_off(attempt)
            continue
        if change.events:
            logger.info(
                "payment moved",
                extra={
                    "payment_id": payment_id,
                    "status_before": payment.status,
                    "status": committed.status,
                    "cause": cause,
                },
            )
        return Settled(committed, state)
    raise StateConflictError()


def back_off(attempt: int) -> None:
    """Waits a random while that grows with the attempts, so that rivals don't meet again."""
    time.sleep(random.uniform(0, _BACKOFF_SECONDS * 2**attempt))  # noqa: S311 - no secret


def _commit_of(change: Change, state: CheckoutState) -> Commit:
    payment = change.after
    transaction = change.transaction
    paid_first = payment.status == "succeeded" and change.before.status != "succeeded"
    if not paid_first or payment.settlement is None or payment.customer_id is None:
        return Commit(payment, change.events, transaction)
    method = payment.settlement.payment_method
    vaulted = method if method is not None and method.reusable else None
    customer = payment.settlement.buyer.fill(
        Customer(
            id=payment.customer_id,
            organization_id=payment.organization_id,
            mode=payment.mode,
            created_at=payment.updated_at,
            updated_at=payment.updated_at,
            provider_customer_id=state.provider_customer_id,
            default_payment_method=vaulted.key if vaulted else None,
        )
    )
    told = (event_about(payment, PAYMENT_METHOD_ATTACHED, payment.updated_at),) if vaulted else ()
    return Commit(
        payment,
        (*change.events, *told),
        transaction,
        customer=customer,
        payment_method=vaulted,
    )
