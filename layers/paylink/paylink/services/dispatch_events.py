"""Carries events from the table's stream onto the bus, at least once and none left out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from paylink.domain.events import DomainEvent
from paylink.metrics import Metrics, measures_of
from paylink.ports import EventBus, WebhookRepository
from paylink.services.fan_out_event import awaited

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StreamRecord:
    """One change of the table, by its position in the stream, with the events that it announced."""

    sequence_number: str
    events: tuple[DomainEvent, ...]


def dispatch_events(
    records: Sequence[StreamRecord], *, bus: EventBus, webhooks: WebhookRepository, metrics: Metrics
) -> list[str]:
    """Publishes in order; returns the first position that must come again, or nothing.

    Only the first is named because the stream replays everything from there. What won't come again
    is counted.
    """
    by_event = {event.id: r.sequence_number for r in records for event in r.events}
    events = [event for record in records for event in record.events]
    refused = bus.publish(events, awaited(events, webhooks))
    failed = {by_event[event_id] for event_id in refused}
    for record in records:
        if record.sequence_number in failed:
            return [record.sequence_number]
        for event in record.events:
            _tell(event, metrics)
    return []


def _tell(event: DomainEvent, metrics: Metrics) -> None:
    ids = {"payment_id": event.data["paymentId"]} if "paymentId" in event.data else {}
    logger.info("event on the bus", extra={"event_id": event.id, "event_type": event.type, **ids})
    for measure in measures_of(event):
        metrics(measure)
