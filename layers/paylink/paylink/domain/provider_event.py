"""What the provider tells of, in our terms: by webhook, or when it is asked what we missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from paylink.domain.organization import Mode


@dataclass(frozen=True)
class ProviderEvent:
    """A verified event of the provider, reduced to what is needed to know whom to ask about what.

    ``deployment_id`` and the other marks are those we put on our sessions and payment intents; None
    on anything that isn't ours.
    """

    id: str
    type: str
    at: datetime
    mode: Mode
    session_id: str | None
    payment_intent_id: str | None
    payment_id: str | None
    organization_id: str | None
    deployment_id: str | None
    about_refunds: bool = False
    """Money of the payment intent went back, was to go back, or did not arrive."""
    about_disputes: bool = False
    """The buyer's bank wants money of the payment intent back, or has decided about it."""

    about_an_end: bool = False
    """A checkout ended that nobody had paid."""

    @property
    def about_money_that_came(self) -> bool:
        return self.about_refunds or self.about_disputes
