"""Disputes: a buyer's bank takes money back, and the provider decides with it who keeps it.

As with refunds, the provider is asked which disputes there are and the records are moved there, so
that news of one that was opened, won or lost may come late, twice, or in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from paylink.domain import events
from paylink.domain.events import DomainEvent
from paylink.domain.payment import Change, Dispute, DisputeStatus, Payment, Transaction
from paylink.domain.standing import event_about_money, standing


@dataclass(frozen=True)
class DisputeState:
    """How one dispute stands at the provider now; ``amount`` in minor units.

    ``inquiry``: the bank only asks, or was satisfied before it took anything. No money moved.
    """

    provider_id: str
    amount: int
    status: DisputeStatus | Literal["inquiry"]
    created_at: datetime
    reason: str | None = None


def observe_disputes(
    payment: Payment, transaction: Transaction, states: Sequence[DisputeState], now: datetime
) -> Change | None:
    """Moves the disputes of one transaction to where the provider says they are; None if they are.

    Each is announced once when it is first known, and once with each outcome, of which it has one
    unless banks overturn it. The payment stays `succeeded`: what it sold is sold.
    """
    disputes = list(payment.disputes)
    told: list[tuple[str, Dispute]] = []
    for state in sorted(states, key=lambda s: (s.created_at, s.provider_id)):
        known = next((d for d in disputes if d.id == state.provider_id), None)
        status = state.status
        if status == "inquiry":
            if known is None:
                continue
            status = "won"  # withdrawn: the money is back
        seen = Dispute(
            id=state.provider_id,
            transaction_id=transaction.id,
            # In the bank's currency a little more than was paid, at times.
            amount=min(state.amount, transaction.amount_total),
            status=status,
            created_at=state.created_at,
            reason=state.reason,
        )
        if known is None:
            disputes.append(seen)
            told.append((events.PAYMENT_DISPUTED, seen))
        else:
            disputes[disputes.index(known)] = seen
        if seen.status != "open" and (known is None or known.status != seen.status):
            told.append((events.PAYMENT_DISPUTE_RESOLVED, seen))
    if tuple(disputes) == payment.disputes:
        return None
    after = replace(payment, disputes=tuple(disputes), updated_at=now)
    return Change(
        payment,
        after,
        tuple(_event(after, transaction, kind, dispute, now) for kind, dispute in told),
        standing(after, transaction, now),
    )


def newly_opened(change: Change) -> list[Dispute]:
    """Disputes that weren't known before and that can still be answered."""
    known = {dispute.id for dispute in change.before.disputes}
    return [d for d in change.after.disputes if d.id not in known and d.status == "open"]


def _event(
    payment: Payment, transaction: Transaction, kind: str, dispute: Dispute, now: datetime
) -> DomainEvent:
    outcome = {"outcome": dispute.status} if kind == events.PAYMENT_DISPUTE_RESOLVED else {}
    return event_about_money(
        payment,
        transaction,
        kind,
        now,
        {
            "disputeId": dispute.id,
            "disputeAmount": dispute.amount,
            "disputeReason": dispute.reason,
            **outcome,
        },
    )
