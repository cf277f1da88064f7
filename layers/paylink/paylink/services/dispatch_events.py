"""Carries events from the table's stream onto the bus, at least once and none left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paylink.domain.events import DomainEvent
from paylink.ports import EventBus


@dataclass(frozen=True)
class StreamRecord:
    """One change of the table, by its position in the stream, with the events that it announced."""

    sequence_number: str
    events: tuple[DomainEvent, ...]


def dispatch_events(records: Sequence[StreamRecord], bus: EventBus) -> list[str]:
    """Publishes in order; returns the first position that must come again, or nothing.

    Only the first is named because the stream replays everything from there.
    """
    by_event = {event.id: r.sequence_number for r in records for event in r.events}
    refused = bus.publish([event for record in records for event in record.events])
    failed = {by_event[event_id] for event_id in refused}
    return [r.sequence_number for r in records if r.sequence_number in failed][:1]
