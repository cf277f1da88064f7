"""The provider's part in disputes, in memory: opened by a buyer's bank, then won or lost."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from paylink.domain.dispute import DisputeState
from paylink.domain.payment import DisputeStatus


@dataclass
class Disputed:
    """One dispute, as it stands at the provider."""

    intent_id: str
    state: DisputeState


class FakeDisputes:
    """Mixed into the fake provider, whose calls, faults and counters it shares."""

    _clock: Callable[[], datetime]
    _lock: threading.RLock
    _count: itertools.count[int]
    _called: Any
    _answered_to: Any

    def __init__(self) -> None:
        self.disputes: dict[str, Disputed] = {}

    # What the port asks for.

    def disputes_of(self, intent_id: str) -> Sequence[DisputeState]:
        self._called("disputes_of", intent_id, raises=True)
        with self._lock:
            found = [d.state for d in self.disputes.values() if d.intent_id == intent_id]
        self._answered_to("disputes_of")
        return found[::-1]

    # What banks do.

    def dispute(
        self,
        intent_id: str,
        amount: int,
        status: DisputeStatus | Literal["inquiry"] = "open",
    ) -> str:
        dispute_id = f"du_{next(self._count)}"
        state = DisputeState(dispute_id, amount, status, self._clock(), "fraudulent")
        self.disputes[dispute_id] = Disputed(intent_id, state)
        return dispute_id

    def decide(self, dispute_id: str, status: DisputeStatus | Literal["inquiry"]) -> None:
        one = self.disputes[dispute_id]
        one.state = replace(one.state, status=status)

    def taken_back(self, intent_id: str) -> bool:
        """Whether a bank disputes a payment intent's money, or won."""
        mine = [d.state.status for d in self.disputes.values() if d.intent_id == intent_id]
        return "open" in mine or "lost" in mine
