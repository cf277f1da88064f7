"""Domain events on the event bus, where the company may add rules of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import datetime
from typing import TYPE_CHECKING, Any

from paylink.domain.events import DomainEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE = "paylink"
# Of one request (PutEvents): entries, and bytes of all of them, each counted as `_size` does.
_MOST_ENTRIES = 10
_MOST_BYTES = 256 * 1024


class EventBridgeBus:
    """Fulfils `paylink.ports.EventBus`."""

    def __init__(self, client: EventBridgeClient, bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, events: Sequence[DomainEvent], awaited: Set[str]) -> list[str]:
        refused: list[str] = []
        entries = [(event.id, self._entry(event, event.id in awaited)) for event in events]
        for batch in _batches(entries):
            answer = self._client.put_events(Entries=[entry for _, entry in batch])
            refused += [
                event_id
                for (event_id, _), shown in zip(batch, answer["Entries"], strict=True)
                if "ErrorCode" in shown
            ]
        return refused

    def _entry(self, event: DomainEvent, awaited: bool) -> PutEventsRequestEntryTypeDef:
        return {
            "EventBusName": self._bus_name,
            "Source": SOURCE,
            "DetailType": event.type,
            "Time": event.time,
            "Detail": _detail(event, awaited),
        }


_Named = tuple[str, "PutEventsRequestEntryTypeDef"]


def _batches(entries: Sequence[_Named]) -> Iterator[list[_Named]]:
    batch: list[_Named] = []
    left = _MOST_BYTES
    for named in entries:
        size = _size(named[1])
        if batch and (len(batch) == _MOST_ENTRIES or size > left):
            yield batch
            batch, left = [], _MOST_BYTES
        batch.append(named)
        left -= size
    if batch:
        yield batch


def _size(entry: PutEventsRequestEntryTypeDef) -> int:
    """Bytes of an entry, as the bus counts them: its texts, and 14 for the time."""
    return 14 + sum(len(entry[name].encode()) for name in ("Source", "DetailType", "Detail"))


def _detail(event: DomainEvent, awaited: bool) -> str:
    return json.dumps(
        {
            "id": event.id,
            "time": event.time.isoformat(),
            "organizationId": event.organization_id,
            "mode": event.mode,
            "webhooks": awaited,
            "data": event.data,
        },
        ensure_ascii=False,
    )


def domain_event(envelope: Mapping[str, Any]) -> DomainEvent:
    """An event as it was put on the bus."""
    detail = envelope["detail"]
    return DomainEvent(
        type=envelope["detail-type"],
        time=datetime.fromisoformat(detail["time"]),
        organization_id=detail["organizationId"],
        mode=detail["mode"],
        data=detail["data"],
        id=detail["id"],
    )
