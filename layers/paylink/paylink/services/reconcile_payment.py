"""Asks the provider about a payment whose news may have got lost, and settles what it says.

What is found is handled as if it had been told of: by the same code, once, whoever comes first.
"""

from __future__ import annotations

import logging

from paylink.domain.errors import (
    ProviderRejectedError,
    ProviderSessionGoneError,
    ProviderUnavailableError,
    UnknownPaymentError,
)
from paylink.domain.payment import CheckoutMismatchError, Payment
from paylink.ports import Clock, Commit, PaymentProvider, PaymentRepository, Providers
from paylink.services.refund_transaction import sync_refunds
from paylink.services.settle_charge import settle_charge
from paylink.services.settle_payment import settle_payment

_CAUSE = "reconcile"

logger = logging.getLogger(__name__)


def reconcile_payment(
    payment: Payment,
    *,
    payments: PaymentRepository,
    providers: Providers,
    clock: Clock,
) -> Payment:
    """The payment as its money is now, and with the time of the next look.

    A provider that doesn't answer puts the look off. Raises VersionConflictError (read again and
    decide again), UnknownPaymentError and StateConflictError.
    """
    try:
        provider = providers.account(payment.organization_id, payment.mode)
        seen = _ask(payment, payments, provider, clock)
    except (ProviderUnavailableError, ProviderRejectedError) as error:
        logger.warning(
            "the provider could not be asked about a payment",
            extra={"payment_id": payment.id, "error": error.message},
        )
        return payments.commit(Commit(payment.check_put_off(clock())))
    except CheckoutMismatchError as error:
        logger.error(  # noqa: TRY400 - the message says it all
            "a payment does not match what was recorded of it",
            extra={"payment_id": payment.id, "reason": str(error)},
        )
        seen = payment
    if (seen.status, seen.check_at, seen.checks) != (
        payment.status,
        payment.check_at,
        payment.checks,
    ):
        return seen  # something was found, or heard meanwhile
    return payments.commit(Commit(seen.checked(clock())))


def look_into_payment(
    payment_id: str, *, payments: PaymentRepository, providers: Providers, clock: Clock
) -> Payment:
    """The payment as its money is now, refunds included, whether or not a look was due.

    Raises UnknownPaymentError, ProviderUnavailableError, ProviderRejectedError,
    CheckoutMismatchError and StateConflictError.
    """
    payment = payments.get(payment_id)
    if payment is None:
        raise UnknownPaymentError()
    provider = providers.account(payment.organization_id, payment.mode)
    payment = _ask(payment, payments, provider, clock)
    paid = (payment.settlement,) if payment.settlement else ()
    for money in (*paid, *payment.surplus):
        sync_refunds(
            payment_id, money.transaction_id, payments=payments, provider=provider, clock=clock
        )
    return payments.get(payment_id) or payment


def _ask(
    payment: Payment, payments: PaymentRepository, provider: PaymentProvider, clock: Clock
) -> Payment:
    ask = _ask_charge if payment.kind == "charge" else _ask_checkouts
    return ask(payment, payments, provider, clock)


def _ask_checkouts(
    payment: Payment, payments: PaymentRepository, provider: PaymentProvider, clock: Clock
) -> Payment:
    for session_id in payment.sessions_in_question:
        try:
            settled = settle_payment(
                payment.id,
                session_id,
                cause=_CAUSE,
                payments=payments,
                provider=provider,
                clock=clock,
            )
        except ProviderSessionGoneError:
            continue
        payment = settled.payment
        if settled.state.outcome != "unpaid":
            break
    return payment


def _ask_charge(
    payment: Payment, payments: PaymentRepository, provider: PaymentProvider, clock: Clock
) -> Payment:
    session = payment.current_session
    if session is None or payment.status not in {"pending", "processing"}:
        return payment
    if session.id is not None:
        state = provider.fetch_charge(session.id)
    else:
        found = provider.find_charge(payment)
        if found is None:
            return payment  # its request may still come again, and ask for the money
        state = found
    return settle_charge(
        payment.id,
        state.intent_id,
        cause=_CAUSE,
        payments=payments,
        provider=provider,
        clock=clock,
        seen=(payment, state),
    )
