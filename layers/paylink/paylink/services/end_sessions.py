"""Makes a link unpayable at the provider before anybody says that it is.

Whether time or the caller ends a link, the money decides: a session that was paid meanwhile is
settled instead.
"""

from __future__ import annotations

from dataclasses import replace

from paylink.domain.errors import (
    ProviderRejectedError,
    ProviderSessionGoneError,
    ProviderUnavailableError,
    TaxCalculationError,
)
from paylink.domain.payment import PAYABLE, CheckoutSession, Payment
from paylink.ports import Clock, Commit, PaymentProvider, PaymentRepository
from paylink.services.settle_payment import settle_payment


def end_sessions(
    payment: Payment,
    *,
    cause: str,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
) -> Payment:
    """The payment once none of its sessions can be paid any more; not payable if money came.

    Raises SessionNotOpenError and VersionConflictError (read again and decide again),
    ProviderUnavailableError, ProviderRejectedError.
    """
    for generation in [session.generation for session in payment.sessions]:
        session = next(s for s in payment.sessions if s.generation == generation)
        if session.ended:
            continue
        if session.id is None:
            session = _asked_again(session, provider, clock)
            payment = payments.commit(Commit(payment.with_session(session)))
            if session.id is None:
                continue
        try:
            state = provider.fetch_checkout(session.id)
        except ProviderSessionGoneError:
            continue
        if state.session_status == "open":
            provider.expire_session(session.id)
        elif state.outcome in {"paid", "processing"}:
            payment = settle_payment(
                payment.id,
                session.id,
                cause=cause,
                payments=payments,
                provider=provider,
                clock=clock,
            ).payment
            if payment.status not in PAYABLE:
                return payment
    return payment


def _asked_again(
    session: CheckoutSession, provider: PaymentProvider, clock: Clock
) -> CheckoutSession:
    """A session that may have been made though its id never reached us: with the id, or ended.

    The provider replays its first answer. Where that was a failure, or where it is too late to make
    the session, nobody ever learned its address.
    """
    if session.expires_at <= clock():
        return replace(session, ended=True)
    try:
        return provider.create_session(session)
    except (ProviderRejectedError, TaxCalculationError):
        return replace(session, ended=True)
    except ProviderUnavailableError as error:
        if not error.outcome_stored:
            raise
        return replace(session, ended=True)
