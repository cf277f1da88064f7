"""Hears of what the provider could not tell: refunds, disputes and whatever else has no look of its
own, by the list of events that reached no endpoint.

Each is handled as if its webhook had come. How far an account was heard is kept, so that an event
is looked at until it is handled, and not again after that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

from paylink.domain.errors import PaylinkError, ProviderUnavailableError
from paylink.domain.organization import Owner
from paylink.domain.provider_event import ProviderEvent
from paylink.metrics import Metrics
from paylink.ports import (
    Clock,
    OrganizationRepository,
    PaymentRepository,
    Providers,
)
from paylink.services.handle_provider_event import handle_provider_event

KEPT: Final = timedelta(days=30)
"""For so long the provider lists its events."""
GIVEN_UP_AFTER: Final = timedelta(days=3)
"""As long as the provider itself tries to deliver one that fails."""
_WINDOW = timedelta(days=1)
_OVERLAP = timedelta(minutes=10)  # clocks differ, and lists may be a moment behind
_WORKERS = 2

logger = logging.getLogger(__name__)


@dataclass
class Hearing:
    """How a run went: accounts that were asked or could not be, and events."""

    accounts: int = 0
    handled: int = 0
    ignored: int = 0
    waiting: int = 0
    """Events that could not be handled now, and are tried again by the next run."""
    given_up: int = 0
    failed: int = 0


@dataclass(frozen=True)
class HearingPorts:
    """What hearing needs from outside."""

    organizations: OrganizationRepository
    payments: PaymentRepository
    providers: Providers
    metrics: Metrics
    clock: Clock
    deployment_id: str
    time_left: Callable[[], bool]


def hear_undelivered(ports: HearingPorts) -> Hearing:
    """Asks every account for what it could not deliver, and handles it."""
    oldest = ports.clock() - KEPT
    # Whoever was heard longest ago comes first, so that no account keeps others from their turn.
    accounts = sorted(ports.organizations.accounts())
    hearing = Hearing()
    with ThreadPoolExecutor(_WORKERS) as pool:
        running = {
            pool.submit(_hear, owner, max(heard_until, oldest), ports): owner
            for heard_until, owner in accounts
        }
        for done in as_completed(running):
            error = done.exception()
            if error is None:
                for part in fields(Hearing):
                    total = getattr(hearing, part.name) + getattr(done.result(), part.name)
                    setattr(hearing, part.name, total)
                continue
            hearing.failed += 1
            organization_id, mode = running[done]
            logger.error(
                "an account could not be asked for undelivered events",
                extra={"organization_id": organization_id, "mode": mode},
                exc_info=error,
            )
    return hearing


def _hear(owner: Owner, start: datetime, ports: HearingPorts) -> Hearing:
    """Goes on day by day from where the account was heard last."""
    hearing = Hearing(accounts=1)
    now = ports.clock()
    provider = ports.providers.account(*owner)
    since = start - _OVERLAP
    held: datetime | None = None
    while start < now and ports.time_left():
        end = min(start + _WINDOW, now)
        for one in provider.undelivered_events(since, end):
            if not (ports.time_left() and _handled(one, owner, now, ports, hearing)):
                held = min(held or one.at, one.at)
        # What waits holds the mark, and nothing else: the days behind it are heard all the same.
        ports.organizations.note_heard(owner, held or end)
        since = start = end
    return hearing


def _handled(
    one: ProviderEvent, owner: Owner, now: datetime, ports: HearingPorts, hearing: Hearing
) -> bool:
    """False if it has to come again."""
    organization_id, mode = owner
    about = {"event_id": one.id, "event_type": one.type}
    try:
        outcome = handle_provider_event(
            one,
            organization_id=organization_id,
            mode=mode,
            deployment_id=ports.deployment_id,
            payments=ports.payments,
            providers=ports.providers,
            metrics=ports.metrics,
            clock=ports.clock,
        )
    except Exception as error:  # a broken one must not keep those behind it from being heard
        trace = None if isinstance(error, PaylinkError) else error
        about["error"] = error.code if isinstance(error, PaylinkError) else type(error).__name__
        # A provider in trouble says nothing about the event, however old that is by now.
        patience = KEPT if isinstance(error, ProviderUnavailableError) else GIVEN_UP_AFTER
        if now - one.at < patience:
            hearing.waiting += 1
            logger.warning("an undelivered event waits", extra=about, exc_info=trace)
            return False
        hearing.given_up += 1
        logger.error(  # noqa: TRY400 - what we raise ourselves says it all
            "an undelivered event could not be handled", extra=about, exc_info=trace
        )
        return True
    if outcome.startswith("ignored") or outcome == "seen before":
        hearing.ignored += 1
    else:
        hearing.handled += 1
        logger.info("an undelivered event was handled", extra=about | {"outcome": outcome})
    return True
