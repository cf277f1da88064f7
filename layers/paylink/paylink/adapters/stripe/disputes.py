"""Disputes as Stripe has them, read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from paylink.domain.dispute import DisputeState
from paylink.domain.payment import DisputeStatus

if TYPE_CHECKING:
    import stripe

_STATUSES: Final[dict[str, DisputeStatus | Literal["inquiry"]]] = {
    "needs_response": "open",
    "under_review": "open",
    "won": "won",
    "lost": "lost",
    "warning_needs_response": "inquiry",
    "warning_under_review": "inquiry",
    "warning_closed": "inquiry",
    "prevented": "inquiry",
}


def dispute_state(dispute: stripe.Dispute) -> DisputeState:
    # A status that we don't know yet counts once money moved for it.
    unknown: DisputeStatus | Literal["inquiry"] = (
        "open" if dispute.balance_transactions else "inquiry"
    )
    return DisputeState(
        provider_id=dispute.id,
        amount=dispute.amount,
        status=_STATUSES.get(dispute.status, unknown),
        created_at=datetime.fromtimestamp(dispute.created, UTC),
        reason=dispute.reason,
    )
