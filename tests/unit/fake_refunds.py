"""The provider's part in refunds, in memory: made here or in its dashboard, pending, failed."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from paylink.domain.errors import ProviderRejectedError, ProviderUnavailableError
from paylink.domain.payment import Payment, Refund, RefundStatus, Transaction
from paylink.domain.refund import RefundState


@dataclass
class Returned:
    """One refund, as it stands at the provider."""

    intent_id: str
    state: RefundState


class FakeRefunds:
    """Mixed into the fake provider, whose calls, faults and counters it shares."""

    _clock: Callable[[], datetime]
    _lock: threading.RLock
    _count: itertools.count[int]
    _called: Any
    _answered_to: Any

    def __init__(self, money_of: Callable[[str], int], taken_back: Callable[[str], bool]) -> None:
        """How much a payment intent brought, and whether a bank wants it back, or has it."""
        self._money_of, self._taken_back = money_of, taken_back
        self.refunds: dict[str, Returned] = {}
        self.refund_status: RefundStatus = "succeeded"
        self._refund_answers: dict[str, tuple[int, str | None]] = {}

    # What the port asks for.

    def create_refund(
        self, payment: Payment, transaction: Transaction, refund: Refund
    ) -> RefundState:
        assert transaction.payment_id == payment.id
        fault = self._called("create_refund", refund.idempotency_key)
        with self._lock:
            if fault == "unavailable":
                raise ProviderUnavailableError()
            if fault == "rejected":
                raise ProviderRejectedError("No.", provider_code="balance_insufficient")
            known = self._refund_answers.get(refund.idempotency_key)
            if known is None and fault == "stored":
                known = self._refund_answers[refund.idempotency_key] = refund.amount, None
            if known is None:
                made = self.refund(
                    transaction.payment_intent_id or "", refund.amount, mark=refund.id
                )
                answer = None if fault == "done_but_stored" else made
                known = self._refund_answers[refund.idempotency_key] = refund.amount, answer
            amount, refund_id = known
            assert amount == refund.amount, "a key was used for other parameters"
            if refund_id is None:
                raise ProviderUnavailableError(outcome_stored=True)
        if fault == "timeout":
            raise ProviderUnavailableError()
        self._answered_to("create_refund")
        return self.refunds[refund_id].state

    def refunds_of(self, intent_id: str) -> Sequence[RefundState]:
        self._called("refunds_of", intent_id, raises=True)
        with self._lock:
            found = [r.state for r in self.refunds.values() if r.intent_id == intent_id]
        self._answered_to("refunds_of")
        return found[::-1]

    # What happens there: in the dashboard, and at the bank.

    def refund(self, intent_id: str, amount: int | None = None, mark: str | None = None) -> str:
        if self._taken_back(intent_id):
            raise ProviderRejectedError("No.", provider_code="charge_disputed")
        left = self._money_of(intent_id) - self.returned(intent_id)
        if left == 0:
            raise ProviderRejectedError("No.", provider_code="charge_already_refunded")
        amount = left if amount is None else amount
        if amount > left:
            raise ProviderRejectedError("Too much.", param="amount")
        refund_id = f"re_{next(self._count)}"
        self.refunds[refund_id] = Returned(
            intent_id,
            RefundState(refund_id, mark, amount, self.refund_status, self._clock(), "ch_1"),
        )
        return refund_id

    def end_refund(self, refund_id: str, status: RefundStatus) -> None:
        one = self.refunds[refund_id]
        one.state = replace(one.state, status=status)

    def returned(self, intent_id: str) -> int:
        """How much of a payment intent's money went back, or is about to."""
        return sum(
            r.state.amount
            for r in self.refunds.values()
            if r.intent_id == intent_id and r.state.status not in {"failed", "canceled"}
        )
