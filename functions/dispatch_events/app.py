"""The table's stream: puts what changes announced on the event bus."""

from typing import Any

from paylink import bootstrap
from paylink.adapters.dynamodb.stream import stream_record
from paylink.services.dispatch_events import dispatch_events

bootstrap.ready(bootstrap.event_bus)


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    records = [stream_record(record) for record in event["Records"]]
    failed = dispatch_events(records, bootstrap.event_bus(), bootstrap.metrics())
    return {"batchItemFailures": [{"itemIdentifier": position} for position in failed]}
