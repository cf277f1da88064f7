"""Domain events on the event bus, where the company may add rules of its own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from paylink.domain.events import DomainEvent

if TYPE_CHECKING:
    from mypy_boto3_events import EventBridgeClient

SOURCE = "paylink"
_BATCH = 10


class EventBridgeBus:
    """Fulfils `paylink.ports.EventBus`."""

    def __init__(self, client: EventBridgeClient, bus_name: str) -> None:
        self._client = client
        self._bus_name = bus_name

    def publish(self, events: Sequence[DomainEvent]) -> list[str]:
        refused: list[str] = []
        for start in range(0, len(events), _BATCH):
            batch = events[start : start + _BATCH]
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._bus_name,
                        "Source": SOURCE,
                        "DetailType": event.type,
                        "Time": event.time,
                        "Detail": _detail(event),
                    }
                    for event in batch
                ]
            )
            refused += [
                event.id
                for event, entry in zip(batch, answer["Entries"], strict=True)
                if "ErrorCode" in entry
            ]
        return refused


def _detail(event: DomainEvent) -> str:
    return json.dumps(
        {
            "id": event.id,
            "time": event.time.isoformat(),
            "organizationId": event.organization_id,
            "mode": event.mode,
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
