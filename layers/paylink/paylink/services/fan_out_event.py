"""From one event of ours to a delivery for each endpoint that wants it.

Deliveries have ids that follow from event and endpoint, so an event that comes twice is delivered
once; and whatever this is stopped at, the event comes again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import cast

from paylink.domain import events
from paylink.domain.events import DomainEvent
from paylink.domain.organization import Mode
from paylink.domain.webhook import WebhookEndpoint, delivery_of
from paylink.domain.webhook_events import Outgoing, outgoing
from paylink.ports import Clock, DeliveryCall, DeliveryQueue, WebhookRepository

logger = logging.getLogger(__name__)


def awaited(announced: Iterable[DomainEvent], webhooks: WebhookRepository) -> set[str]:
    """Ids of those events that lead to a delivery, so that no other is queued and looked into.

    Whoever's endpoints can't be read, all of their events may.
    """
    found: set[str] = set()
    of_owner: dict[tuple[str, str], Sequence[WebhookEndpoint] | None] = {}
    for event in announced:
        names = [webhook.name for webhook in outgoing(event.type, event.data)]
        if event.type == events.WEBHOOK_DELIVERY_RESENT:
            found.add(event.id)
        if not names:
            continue
        owner = event.organization_id, event.mode
        if owner not in of_owner:
            of_owner[owner] = _endpoints(event, webhooks)
        endpoints = of_owner[owner]
        if endpoints is None or any(e.wants(name) for e in endpoints for name in names):
            found.add(event.id)
    return found


def _endpoints(event: DomainEvent, webhooks: WebhookRepository) -> Sequence[WebhookEndpoint] | None:
    try:
        return webhooks.endpoints(event.organization_id, cast("Mode", event.mode))
    except Exception:  # one owner's trouble must not hold up everybody's events
        logger.exception("who waits for an event is not known", extra={"event_id": event.id})
        return None


@contextmanager
def fanning_out(
    *, webhooks: WebhookRepository, queue: DeliveryQueue, clock: Clock
) -> Iterator[Callable[[DomainEvent], None]]:
    """Holds what keeps the deliveries of an event, once, however often it comes; all are queued
    together at the end, and each owner's endpoints are read once."""
    calls: list[DeliveryCall] = []
    endpoints_of = cache(webhooks.endpoints)

    def fan_out(event: DomainEvent) -> None:
        if event.type == events.WEBHOOK_DELIVERY_RESENT:
            # An endpoint that failed before is tried where it holds up nobody else.
            data = event.data
            calls.append(DeliveryCall(data["deliveryId"], data["endpointId"], lane="failing"))
            return
        wanted = outgoing(event.type, event.data)
        if wanted:
            endpoints = endpoints_of(event.organization_id, cast("Mode", event.mode))
            calls.extend(_kept(event, wanted, endpoints, webhooks, clock()))

    yield fan_out
    queue.send(calls)


def _kept(
    event: DomainEvent,
    wanted: Sequence[Outgoing],
    endpoints: Sequence[WebhookEndpoint],
    webhooks: WebhookRepository,
    now: datetime,
) -> list[DeliveryCall]:
    """The calls for an event's deliveries, which are on record."""
    calls = []
    for endpoint in endpoints:
        for webhook in wanted:
            if not endpoint.wants(webhook.name):
                continue
            delivery = delivery_of(webhook, event.id, event.time, endpoint, now)
            delivery = webhooks.add_delivery(delivery)
            if delivery.status == "pending":
                calls.append(DeliveryCall(delivery.id, endpoint.id, endpoint.lane))
    logger.info(
        "event fanned out",
        extra={
            "event_id": event.id,
            "event_type": event.type,
            "delivery_ids": [call.delivery_id for call in calls],
        },
    )
    return calls
