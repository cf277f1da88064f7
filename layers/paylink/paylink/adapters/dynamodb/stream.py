"""The table's stream: which events did a change announce?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from paylink.adapters.dynamodb.invoices import INVOICE, invoice_told
from paylink.adapters.dynamodb.keys import PAYMENT
from paylink.adapters.dynamodb.payments import payment_told
from paylink.adapters.dynamodb.table import decode, events_of, nothing
from paylink.services.dispatch_events import StreamRecord

_TOLD = {PAYMENT: payment_told, INVOICE: invoice_told}


def stream_record(record: Mapping[str, Any]) -> StreamRecord:
    """One record of a stream event with new and old images.

    An outbox stays on its item until the next one replaces it, so what the old image had too was
    announced before.
    """
    change = record["dynamodb"]
    image = change.get("NewImage", {})
    fresh = _ids(image) - _ids(change.get("OldImage", {}))
    if not fresh:
        return StreamRecord(change["SequenceNumber"], ())
    item = decode(image)
    told = _TOLD.get(item["sk"])
    announced = events_of(item, told(item) if told else nothing)
    return StreamRecord(change["SequenceNumber"], tuple(e for e in announced if e.id in fresh))


def _ids(image: Mapping[str, Any]) -> set[str]:
    return (
        {event["id"] for event in json.loads(image["outbox"]["S"])} if "outbox" in image else set()
    )
