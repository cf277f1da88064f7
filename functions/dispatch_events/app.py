"""The table's stream: puts what changes announced on the event bus."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink import bootstrap
from paylink.adapters.dynamodb.stream import stream_record
from paylink.observability import run_by_aws
from paylink.services.dispatch_events import dispatch_events

bootstrap.ready(bootstrap.event_bus, bootstrap.webhooks)


@run_by_aws
def lambda_handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    records = [stream_record(record) for record in event["Records"]]
    failed = dispatch_events(
        records,
        bus=bootstrap.event_bus(),
        webhooks=bootstrap.webhooks(),
        metrics=bootstrap.metrics(),
    )
    return {"batchItemFailures": [{"itemIdentifier": position} for position in failed]}
