"""Charges: money taken from a vaulted payment method without the buyer being there.

A charge is moved by the same table as a link. What it owes is known beforehand, tax included, so
its payment intent has only to agree with what was recorded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal

from paylink.domain import events
from paylink.domain.organization import Address
from paylink.domain.payment import (
    Attempt,
    Change,
    ChargeTerms,
    CheckoutMismatchError,
    CheckoutState,
    HistoryEntry,
    Outcome,
    Payment,
    event_about,
    observe,
)
from paylink.domain.tax import TaxLine, TaxStatus

AUTHENTICATION_REQUIRED: Final = "authentication_required"
NOT_COMPLETED: Final = "charge_not_completed"
NOT_COMPLETED_MESSAGE: Final = "The charge was not completed."


@dataclass(frozen=True)
class TaxCalculation:
    """The tax on a charge, as the provider calculated and keeps it; amounts in minor units."""

    id: str
    tax_amount: int
    status: TaxStatus
    lines: tuple[TaxLine, ...]
    address: Address
    """Where the buyer was taken to be."""
    tax_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class ChargeState:
    """How one payment intent stands at the provider now; ``amount`` is the total."""

    intent_id: str
    status: Literal["open", "complete", "expired"]
    """``open``: somebody could still make it a payment."""
    outcome: Outcome
    currency: str
    amount: int
    payment_id: str | None
    """Our mark on it."""
    provider_customer_id: str | None
    attempt: Attempt | None = None
    paid_at: datetime | None = None

    @property
    def pending(self) -> bool:
        """Whether it has neither brought money, nor is about to, nor is known to have failed."""
        return self.outcome not in {"paid", "processing", "failed"}


def given_up(charge: ChargeState) -> ChargeState:
    """The state of an intent that was canceled before it brought any money."""
    attempt = charge.attempt
    if attempt is None or attempt.failure_code is None:
        asked = charge.outcome == "requires_action"
        attempt = Attempt(
            id=attempt.id if attempt else f"{charge.intent_id}:given_up",
            payment_method=attempt.payment_method if attempt else None,
            charge_id=attempt.charge_id if attempt else None,
            failure_code=AUTHENTICATION_REQUIRED if asked else NOT_COMPLETED,
            failure_message="The buyer would have to confirm this payment."
            if asked
            else NOT_COMPLETED_MESSAGE,
        )
    return replace(charge, status="expired", outcome="failed", attempt=attempt)


def observe_charge(
    payment: Payment, charge: ChargeState, now: datetime, cause: str
) -> Change | None:
    """Moves a charge to where the provider says its money is; None if it is there already.

    An intent that isn't on record yet is taken for the one that was asked for if it bears our mark
    and agrees in customer, currency and amount. Raises CheckoutMismatchError for any other.
    """
    terms = payment.charge
    if terms is None:
        raise CheckoutMismatchError(f"{payment.id} is no charge")
    recorded = payment.session_named(charge.intent_id) is not None
    known = payment if recorded else _adopted(payment, terms, charge)
    change = observe(known, _as_checkout(known, terms, charge), now, cause)
    if change is not None:
        return replace(change, before=payment)
    return None if known is payment else Change(payment, known)


def refuse(payment: Payment, code: str, message: str, now: datetime, cause: str) -> Change:
    """A charge that failed before any money was asked for."""
    after = replace(
        payment,
        status="failed",
        failure_code=code,
        failure_message=message,
        updated_at=now,
        history=(*payment.history, HistoryEntry(now, "failed", cause)),
        check_at=None,
        checks=0,
    )
    extra = {"paymentTransactionId": None, "paymentMethod": None, "subPaymentMethod": None}
    return Change(payment, after, (event_about(after, events.PAYMENT_FAILED, now, extra),))


def failure_details(payment: Payment) -> Mapping[str, Any]:
    """What the caller of a failed charge is told besides the message."""
    return {
        "paymentId": payment.id,
        "code": payment.failure_code,
        "declineCode": payment.decline_code,
    }


def _adopted(payment: Payment, terms: ChargeTerms, charge: ChargeState) -> Payment:
    unnamed = next((s for s in reversed(payment.sessions) if s.id is None), None)
    if (
        unnamed is None
        or charge.payment_id != payment.id
        or charge.provider_customer_id != terms.provider_customer_id
    ):
        raise CheckoutMismatchError(f"{payment.id} has no payment intent {charge.intent_id}")
    return payment.with_session(replace(unnamed, id=charge.intent_id))


def _as_checkout(payment: Payment, terms: ChargeTerms, charge: ChargeState) -> CheckoutState:
    return CheckoutState(
        session_id=charge.intent_id,
        session_status=charge.status,
        outcome=charge.outcome,
        currency=charge.currency,
        amount_subtotal=charge.amount - payment.tax_amount,
        tax_amount=payment.tax_amount,
        tax_status=payment.tax_status,
        tax_lines=terms.tax_lines,
        payment_intent_id=charge.intent_id,
        attempt=charge.attempt,
        buyer=terms.buyer,
        paid_at=charge.paid_at,
    )
