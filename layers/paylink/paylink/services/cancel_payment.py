"""Ends a link at the caller's wish, unless money came or is on its way."""

from __future__ import annotations

from paylink.domain.errors import (
    PaymentNotCancelableError,
    ProviderRejectedError,
    ProviderUnavailableError,
    StateConflictError,
)
from paylink.domain.organization import Owner
from paylink.domain.payment import PAYABLE, Payment, cancel
from paylink.ports import (
    Clock,
    Commit,
    PaymentRepository,
    Providers,
    SessionNotOpenError,
    VersionConflictError,
)
from paylink.services.end_sessions import end_sessions
from paylink.services.payments import read_payment
from paylink.services.settle_payment import back_off

_ATTEMPTS = 6
_CAUSE = "cancel"


def cancel_payment(
    payment_id: str,
    owner: Owner,
    *,
    payments: PaymentRepository,
    providers: Providers,
    clock: Clock,
) -> Payment:
    """The canceled payment; one that was canceled before, for whatever reason, as it is.

    Raises PaymentNotFoundError, PaymentNotCancelableError (paid, processing, or a charge),
    ProviderUnavailableError (nothing is shown as canceled then) and, when others kept changing the
    payment, StateConflictError.
    """
    for attempt in range(_ATTEMPTS):
        payment = read_payment(payment_id, owner, payments)
        if payment.kind != "link":
            raise PaymentNotCancelableError()
        if payment.status == "canceled":
            return payment
        if payment.status not in PAYABLE:
            raise PaymentNotCancelableError()
        try:
            payment = end_sessions(
                payment,
                cause=_CAUSE,
                payments=payments,
                provider=providers.account(*owner),
                clock=clock,
            )
            if payment.status not in PAYABLE:
                continue  # money came: say so
            change = cancel(payment, "requested", clock(), _CAUSE)
            return payments.commit(Commit(change.after, change.events))
        except (VersionConflictError, SessionNotOpenError):
            back_off(attempt)
        except ProviderRejectedError as error:
            # Nothing that the caller sent is wrong: the account doesn't know our session.
            raise ProviderUnavailableError() from error
    raise StateConflictError()
