"""The table's stream: which events did a change announce?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paylink.adapters.dynamodb.table import events_of
from paylink.domain.events import DomainEvent
from paylink.services.dispatch_events import StreamRecord


def stream_record(record: Mapping[str, Any]) -> StreamRecord:
    """One record of a stream event with new and old images.

    An outbox stays on its item until the next one replaces it, so what the old image had too was
    announced before.
    """
    change = record["dynamodb"]
    known = {event.id for event in _announced(change.get("OldImage"))}
    fresh = tuple(e for e in _announced(change.get("NewImage")) if e.id not in known)
    return StreamRecord(change["SequenceNumber"], fresh)


def _announced(image: Mapping[str, Any] | None) -> tuple[DomainEvent, ...]:
    return events_of(image["outbox"]["S"]) if image and "outbox" in image else ()
