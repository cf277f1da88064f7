"""Moves a charge to where its money is, whoever noticed: the request itself, its retry, a webhook.

What didn't bring money is canceled at the provider before it is called failed, so that nothing is
left open there that somebody could still make a payment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from paylink.domain.charge import (
    NOT_COMPLETED,
    NOT_COMPLETED_MESSAGE,
    ChargeState,
    given_up,
    observe_charge,
    refuse,
)
from paylink.domain.errors import StateConflictError, UnknownPaymentError
from paylink.domain.payment import Payment
from paylink.ports import (
    ChargeNotOpenError,
    Clock,
    Commit,
    IdempotencyRecord,
    PaymentProvider,
    PaymentRepository,
    VersionConflictError,
)
from paylink.services.settle_payment import back_off

_ATTEMPTS = 8

logger = logging.getLogger(__name__)


def settle_charge(
    payment_id: str,
    intent_id: str,
    *,
    cause: str,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
    seen: tuple[Payment, ChargeState] | None = None,
    answered: Callable[[Payment], IdempotencyRecord | None] = lambda _payment: None,
) -> Payment:
    """Commits what follows from a charge's intent, once, together with the caller's answer.

    ``seen`` is a payment and the intent's state as it was fetched after that payment was read.
    Raises UnknownPaymentError, CheckoutMismatchError, ProviderUnavailableError, and
    StateConflictError when others kept changing the payment.
    """
    for attempt in range(_ATTEMPTS):
        payment, state = seen or _look(payment_id, intent_id, payments, provider)
        seen = None
        if state.status == "open":
            try:
                provider.cancel_charge(intent_id)
            except ChargeNotOpenError:
                back_off(attempt)
                continue
            state = given_up(state)
        elif state.pending:
            state = given_up(state)
        change = observe_charge(payment, state, clock(), cause)
        after = change.after if change else payment
        answer = answered(after)
        if change is None and answer is None:
            return payment
        commit = Commit(
            after,
            change.events if change else (),
            change.transaction if change else None,
            answered=answer,
        )
        try:
            committed = payments.commit(commit)
        except VersionConflictError:
            back_off(attempt)
            continue
        logger.info(
            "charge settled",
            extra={
                "payment_id": payment_id,
                "status_before": payment.status,
                "status": committed.status,
                "cause": cause,
            },
        )
        return committed
    raise StateConflictError()


def finish_charge(
    payment: Payment,
    *,
    cause: str,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
) -> Payment:
    """Settles a charge that was left pending; one that was never asked for has failed.

    Only for one whose request can't run any more. Raises VersionConflictError besides what
    `settle_charge` raises.
    """
    state = provider.find_charge(payment) if payment.sessions else None
    if state is None:
        change = refuse(payment, NOT_COMPLETED, NOT_COMPLETED_MESSAGE, clock(), cause)
        return payments.commit(Commit(change.after, change.events))
    return settle_charge(
        payment.id,
        state.intent_id,
        cause=cause,
        payments=payments,
        provider=provider,
        clock=clock,
        seen=(payment, state),
    )


def _look(
    payment_id: str, intent_id: str, payments: PaymentRepository, provider: PaymentProvider
) -> tuple[Payment, ChargeState]:
    payment = payments.get(payment_id)
    if payment is None:
        raise UnknownPaymentError()
    return payment, provider.fetch_charge(intent_id)
