"""The table's stream: which events did a change announce?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paylink.adapters.dynamodb.table import decode, events_of
from paylink.services.dispatch_events import StreamRecord


def stream_record(record: Mapping[str, Any]) -> StreamRecord:
    """One record of a stream event with new and old images.

    An outbox stays on its item until the next one replaces it, so what the old image had too was
    announced before.
    """
    change = record["dynamodb"]
    new = decode({"outbox": change.get("NewImage", {}).get("outbox", {"L": []})})["outbox"]
    old = decode({"outbox": change.get("OldImage", {}).get("outbox", {"L": []})})["outbox"]
    known = {event["id"] for event in old}
    fresh = [event for event in new if event["id"] not in known]
    return StreamRecord(change["SequenceNumber"], events_of(fresh))
