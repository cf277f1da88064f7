"""One way in for every function off the bus, by its queue: each event by itself, so that only those
that failed come again, and with its ids on every line that is logged meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from paylink.observability import logger, run_by_aws

Envelope = Mapping[str, Any]
"""An event as the bus has it."""


def consumer(handle: Callable[[Envelope], None]) -> Callable[[dict[str, Any], LambdaContext], Any]:
    """The Lambda handler of a queue of events."""
    processor = BatchProcessor(event_type=EventType.SQS)

    def one(record: SQSRecord) -> None:
        envelope = record.json_body
        with logger.append_context_keys(**_ids(envelope["detail"])):
            try:
                handle(envelope)
            except Exception:
                logger.exception("an event was not handled")
                raise

    @run_by_aws
    def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
        return process_partial_response(event, one, processor, context)

    return lambda_handler


def _ids(detail: Mapping[str, Any]) -> dict[str, str]:
    """A document that somebody waits for is asked for by its payment alone, without an event."""
    found = {"event_id": detail.get("id"), "payment_id": detail["data"].get("paymentId")}
    return {name: value for name, value in found.items() if value}
