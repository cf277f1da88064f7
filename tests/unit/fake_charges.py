"""The provider's part in charges, in memory: tax, and payment intents confirmed off-session."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from paylink.domain.charge import ChargeState, TaxCalculation
from paylink.domain.customer import Customer, PaymentMethod
from paylink.domain.errors import (
    NoPaymentMethodError,
    ProviderCustomerGoneError,
    ProviderRejectedError,
    ProviderUnavailableError,
    TaxCalculationError,
)
from paylink.domain.organization import Address
from paylink.domain.payment import Attempt, CheckoutSession, Outcome, Payment
from paylink.domain.tax import TaxLine
from paylink.ports import ChargeNotOpenError

Bank = Literal["pays", "declines", "asks", "waits", "unfinished", "gone", "deleted"]
"""What a vaulted method does when it is charged; ``deleted`` is its customer."""

_OUTCOMES: dict[Bank, Outcome] = {
    "pays": "paid",
    "declines": "failed",
    "asks": "failed",
    "waits": "processing",
    "unfinished": "requires_action",
}
_CODES = {"declines": ("card_declined", "insufficient_funds"), "asks": ("authentication_required",)}


@dataclass
class Intent:
    """One payment intent, as it stands at the provider."""

    state: ChargeState
    canceled: bool = False


class FakeCharges:
    """Mixed into the fake provider, whose calls, faults and counters it shares."""

    _clock: Callable[[], datetime]
    _lock: threading.RLock
    _count: itertools.count[int]
    _called: Any
    _answered_to: Any
    tax_percent: int

    def __init__(self) -> None:
        self.intents: dict[str, Intent] = {}
        self.bank: Bank = "pays"
        self.where: Address | None = Address(country="FR", postal_code="69001")
        """What the provider knows of the buyer's address."""
        self.registered = True
        self._charge_answers: dict[str, tuple[Mapping[str, Any], str | None]] = {}

    # What the port asks for.

    def calculate_tax(self, payment: Payment, customer: Customer) -> TaxCalculation:
        self._called("calculate_tax", payment.id, raises=True)
        if self.bank == "deleted":
            raise ProviderCustomerGoneError(customer.provider_customer_id or "")
        where = self.where or customer.address
        if where is None:
            raise TaxCalculationError(provider_code="customer_tax_location_invalid")
        tax = (payment.amount_subtotal * self.tax_percent * 2 + 100) // 200
        reason = "standard_rated" if self.registered else "not_collecting"
        amount = tax if self.registered else 0
        line = TaxLine("VAT", f"{self.tax_percent}", payment.amount_subtotal, amount, reason)
        return TaxCalculation(
            id=f"taxcalc_{next(self._count)}",
            tax_amount=amount,
            status="final" if self.registered else "not_collecting",
            lines=(line,),
            address=where,
        )

    def prepare_charge(self, payment: Payment, now: datetime) -> CheckoutSession:
        assert payment.charge is not None
        generation = len(payment.sessions) + 1
        return CheckoutSession(
            generation=generation,
            idempotency_key=f"{payment.id}:{generation}",
            request={
                "payment_id": payment.id,
                "amount": payment.amount_total,
                "currency": payment.currency,
                "customer": payment.charge.provider_customer_id,
                "payment_method": payment.charge.payment_method.provider_id,
                "calculation": payment.charge.tax_calculation_id,
            },
            expires_at=now + timedelta(hours=23),
        )

    def create_charge(self, session: CheckoutSession) -> ChargeState:
        fault = self._called("create_charge", session.idempotency_key)
        with self._lock:
            if fault == "unavailable":
                raise ProviderUnavailableError()
            if fault == "rejected":
                raise ProviderRejectedError("Amount too small.", param="amount")
            if fault == "stored":
                self._charge_answers.setdefault(session.idempotency_key, (session.request, None))
            intent_id = self._charged(session)
            if fault == "done_but_stored":
                self._charge_answers[session.idempotency_key] = (session.request, None)
                raise ProviderUnavailableError(outcome_stored=True)
        if fault == "timeout":
            raise ProviderUnavailableError()
        self._answered_to("create_charge")
        return self.intents[intent_id].state

    def find_charge(self, payment: Payment) -> ChargeState | None:
        self._called("find_charge", payment.id, raises=True)
        with self._lock:
            mine = [i.state for i in self.intents.values() if i.state.payment_id == payment.id]
        return max(mine, key=lambda state: state.outcome == "paid", default=None)

    def fetch_charge(self, intent_id: str) -> ChargeState:
        self._called("fetch_charge", intent_id, raises=True)
        state = self.intents[intent_id].state
        self._answered_to("fetch_charge")
        return state

    def cancel_charge(self, intent_id: str) -> None:
        fault = self._called("cancel_charge", intent_id)
        if fault in {"unavailable", "stored"}:
            raise ProviderUnavailableError()
        with self._lock:
            intent = self.intents[intent_id]
            if intent.state.status != "open":
                raise ChargeNotOpenError(intent_id)
            outcome = intent.state.outcome
            outcome = "failed" if outcome == "failed" else "unpaid"
            intent.state = replace(intent.state, status="expired", outcome=outcome)
        if fault == "timeout":
            raise ProviderUnavailableError()

    # What the bank does.

    def settle_charge(self, intent_id: str) -> None:
        intent = self.intents[intent_id]
        assert intent.state.outcome == "processing"
        intent.state = replace(intent.state, outcome="paid", paid_at=self._clock())

    def bounce_charge(self, intent_id: str) -> None:
        intent = self.intents[intent_id]
        assert intent.state.outcome == "processing"
        assert intent.state.attempt is not None
        attempt = replace(
            intent.state.attempt, failure_code="insufficient_funds", failure_message="It bounced."
        )
        intent.state = replace(intent.state, status="open", outcome="failed", attempt=attempt)

    def open_intents(self) -> list[str]:
        return [key for key, intent in self.intents.items() if intent.state.status == "open"]

    def charged(self, payment_id: str) -> int:
        """How much money was taken for a payment."""
        return sum(
            intent.state.amount
            for intent in self.intents.values()
            if intent.state.payment_id == payment_id and intent.state.outcome == "paid"
        )

    def _charged(self, session: CheckoutSession) -> str:
        """The first answer for a key again, else a new intent."""
        known = self._charge_answers.get(session.idempotency_key)
        if known is not None:
            request, intent_id = known
            assert dict(request) == dict(session.request), "a key was used for other parameters"
            if intent_id is None:
                raise ProviderUnavailableError(outcome_stored=True)
            return intent_id
        if self.bank == "gone":
            raise NoPaymentMethodError()
        request = session.request
        number = next(self._count)
        code, *decline = _CODES.get(self.bank, (None,))
        method = PaymentMethod(
            "fp_4242", str(request["payment_method"]), "card", "visa", "4242", 12, 2034
        )
        outcome = _OUTCOMES[self.bank]
        taken = outcome in {"paid", "processing"}
        attempt = Attempt(
            id=f"ch_{number}",
            charge_id=f"ch_{number}",
            payment_method=method,
            failure_code=code,
            failure_message="It was declined." if code else None,
            decline_code=decline[0] if decline else None,
        )
        state = ChargeState(
            intent_id=f"pi_{number}",
            status="complete" if taken else "open",
            outcome=outcome,
            currency=request["currency"],
            amount=request["amount"],
            payment_id=request["payment_id"],
            provider_customer_id=request["customer"],
            attempt=attempt if outcome != "requires_action" else None,
            paid_at=self._clock() if outcome == "paid" else None,
        )
        self.intents[state.intent_id] = Intent(state)
        self._charge_answers[session.idempotency_key] = (request, state.intent_id)
        return state.intent_id
