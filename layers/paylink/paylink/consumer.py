"""One way in for every function off the bus, by its queue: each event by itself, so that only those
that failed come again, and with its ids on every line that is logged meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
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


Handle = Callable[[Envelope], None]
Handler = Callable[[dict[str, Any], LambdaContext], Any]


def consumer(handle: Handle) -> Handler:
    """The Lambda handler of a queue of events."""
    return batch_consumer(lambda _envelopes: nullcontext(handle))


def batch_consumer(
    together: Callable[[Sequence[Envelope]], AbstractContextManager[Handle]],
) -> Handler:
    """The same, where something is done for all events of a batch together: ``together`` gets those
    that can be read, and holds what handles each. If it fails at its end, all of them come again.
    """
    processor = BatchProcessor(event_type=EventType.SQS)

    @run_by_aws
    def lambda_handler(event: dict[str, Any], context: LambdaContext) -> Any:
        with together(_readable(event["Records"])) as handle:

            def one(record: SQSRecord) -> None:
                envelope = record.json_body
                with logger.append_context_keys(**_ids(envelope["detail"])):
                    try:
                        handle(envelope)
                    except Exception:
                        logger.exception("an event was not handled")
                        raise

            return process_partial_response(event, one, processor, context)

    return lambda_handler


def payments_named(envelopes: Iterable[Envelope]) -> list[str]:
    """The payments that events are about; one that is about none has its own handling to fail."""
    named: list[str] = []
    for envelope in envelopes:
        with suppress(KeyError, TypeError):
            payment_id = envelope["detail"]["data"]["paymentId"]
            if isinstance(payment_id, str):
                named.append(payment_id)
    return named


def _readable(records: Iterable[Mapping[str, Any]]) -> list[Envelope]:
    envelopes: list[Envelope] = []
    for record in records:
        with suppress(ValueError):
            envelopes.append(json.loads(record["body"]))
    return envelopes


def _ids(detail: Mapping[str, Any]) -> dict[str, str]:
    """A document that somebody waits for is asked for by its payment alone, without an event."""
    found = {"event_id": detail.get("id"), "payment_id": detail["data"].get("paymentId")}
    return {name: value for name, value in found.items() if value}
