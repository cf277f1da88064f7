"""Gives the buyer of a link a hosted checkout: the one that lives, or the next one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from paylink.domain.errors import (
    PaymentNotFoundError,
    ProviderSessionGoneError,
    StateConflictError,
)
from paylink.domain.payment import Payment, announce
from paylink.ports import (
    Clock,
    Commit,
    CustomerRepository,
    PaymentRepository,
    Providers,
    VersionConflictError,
)
from paylink.services.checkout_sessions import obtain_session
from paylink.services.settle_payment import back_off, settle_payment

_ATTEMPTS = 6


def open_checkout(
    payment_id: str,
    *,
    payments: PaymentRepository,
    customers: CustomerRepository,
    providers: Providers,
    clock: Clock,
) -> str:
    """Where the buyer goes on: a live checkout if the link can still be paid, else the link itself.

    Raises PaymentNotFoundError, ProviderUnavailableError, ProviderRejectedError and, when others
    kept changing the payment, StateConflictError.
    """
    for attempt in range(_ATTEMPTS):
        payment = payments.get(payment_id)
        if payment is None or payment.kind != "link":
            raise PaymentNotFoundError()
        now = clock()
        session = payment.current_session
        if not payment.payable(now) or (session and session.open_at(now)):
            return _destination(payment, now)
        provider = providers.account(payment.organization_id, payment.mode)
        if session and session.id and not session.ended:
            # Past its time by our clock, yet it may have been paid in the last moment.
            try:
                settled = settle_payment(
                    payment_id,
                    session.id,
                    cause="pay_page",
                    payments=payments,
                    provider=provider,
                    clock=clock,
                )
            except ProviderSessionGoneError:
                with suppress(VersionConflictError):
                    payments.commit(Commit(payment.with_session(replace(session, ended=True))))
                continue
            if settled.state.session_status == "open":
                return _destination(settled.payment, now)
            continue
        try:
            payment = obtain_session(
                payment, payments=payments, customers=customers, provider=provider, now=now
            )
            change = announce(payment, now, "pay_page")
            return _destination(payments.commit(Commit(change.after, change.events)), now)
        except VersionConflictError:
            back_off(attempt)
    raise StateConflictError()


def _destination(payment: Payment, now: datetime) -> str:
    """A session may outlive its link, which then says itself that it is over."""
    session = payment.current_session
    live = session if session and not session.ended else None
    url = live.url if live and payment.payable(now) else payment.url
    return url or ""
