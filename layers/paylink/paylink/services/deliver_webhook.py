"""One attempt to deliver, where one is due: the delivery's record decides, a call is only word.

The record is written before the next call is queued, and the old call ends after that. So a crash
at any point leaves a call that comes again, and finds in the record what is still to do.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta

from paylink.domain import events
from paylink.domain.errors import PaylinkError, StateConflictError
from paylink.domain.webhook import (
    ENDPOINT_DELETED,
    ENDPOINT_DISABLED,
    Attempt,
    Conclusion,
    Delivery,
    WebhookEndpoint,
    conclude,
    secret_of,
    signed_headers,
)
from paylink.metrics import DELIVERIES_FAILED, DELIVERY_ATTEMPTS_FAILED, Measure, Metrics
from paylink.ports import (
    DeliveryCall,
    DeliveryQueue,
    EndpointChangedError,
    VersionConflictError,
)
from paylink.services.settle_payment import back_off
from paylink.services.webhook_endpoints import EndpointPorts

_ATTEMPTS = 8
_EARLY = timedelta(seconds=1)  # the queue's clock and ours differ

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DeliveryPorts(EndpointPorts):
    """What delivering needs besides; ``waits`` are those between the attempts."""

    queue: DeliveryQueue
    metrics: Metrics
    waits: Sequence[timedelta]
    jitter: Callable[[], float] = random.random


def deliver_webhooks(calls: Sequence[DeliveryCall], ports: DeliveryPorts) -> list[DeliveryCall]:
    """Handles calls side by side, since each mostly waits; returns those that must come again."""

    def handled(call: DeliveryCall) -> bool:
        try:
            deliver_webhook(call, ports)
        except Exception:
            logger.exception("a delivery was not handled", extra={"delivery_id": call.delivery_id})
            return False
        return True

    with ThreadPoolExecutor(max(len(calls), 1)) as pool:
        outcomes = list(pool.map(handled, calls))
    return [call for call, done in zip(calls, outcomes, strict=True) if not done]


def deliver_webhook(call: DeliveryCall, ports: DeliveryPorts) -> None:
    """Attempts the delivery that a call is about, or sees to it that a later call will."""
    delivery = ports.webhooks.delivery(call.delivery_id)
    if delivery is None or delivery.status != "pending" or delivery.next_attempt_at is None:
        return
    now = ports.clock()
    wait = delivery.next_attempt_at - now
    if wait > _EARLY:
        ports.queue.send([call], wait)
        return
    endpoint = ports.webhooks.endpoint(*delivery.owner, delivery.endpoint_id)
    if endpoint is None or not endpoint.is_active:
        error = ENDPOINT_DELETED if endpoint is None else ENDPOINT_DISABLED
        _written(Conclusion(delivery.given_up(error, now)), ports)
        return
    # Among the failing ones, anything may wait: retries, and calls that were dead and are replayed.
    if call.lane not in {endpoint.lane, "failing"}:
        ports.queue.send([DeliveryCall(delivery.id, endpoint.id, endpoint.lane)])
        return
    concluded = _concluded(delivery, attempt_delivery(delivery, endpoint, ports), ports)
    if concluded is not None and concluded.next_attempt_at is not None:
        later = DeliveryCall(delivery.id, endpoint.id, lane="failing")
        ports.queue.send([later], concluded.next_attempt_at - ports.clock())


def attempt_delivery(
    delivery: Delivery, endpoint: WebhookEndpoint, ports: EndpointPorts
) -> Attempt:
    """Signs and sends, once."""
    credentials = ports.credentials.get(*endpoint.owner)
    if credentials is None:
        raise PaylinkError()
    now = ports.clock()
    secrets = [
        secret_of(endpoint, generation, credentials.signing_key)
        for generation in endpoint.generations(now)
    ]
    headers = signed_headers(delivery, secrets, now)
    return ports.sender.send(endpoint.url, headers, delivery.body.encode(), now)


def _concluded(delivery: Delivery, attempt: Attempt, ports: DeliveryPorts) -> Delivery | None:
    """The delivery after an attempt; None if another call has concluded it meanwhile."""
    jitter = ports.jitter()
    for tried in range(_ATTEMPTS):
        endpoint = ports.webhooks.endpoint(*delivery.owner, delivery.endpoint_id)
        if endpoint is None:
            return _written(Conclusion(delivery.given_up(ENDPOINT_DELETED, ports.clock())), ports)
        conclusion = conclude(endpoint, delivery, attempt, waits=ports.waits, jitter=jitter)
        try:
            written = _written(conclusion, ports)
        except EndpointChangedError:
            back_off(tried)
            continue
        if written is not None:
            _tell(written, attempt, conclusion, ports.metrics)
        return written
    raise StateConflictError()


def _written(conclusion: Conclusion, ports: DeliveryPorts) -> Delivery | None:
    try:
        return ports.webhooks.conclude(conclusion)
    except VersionConflictError:
        return None


def _tell(delivery: Delivery, attempt: Attempt, conclusion: Conclusion, metrics: Metrics) -> None:
    logger.info(
        "webhook attempted",
        extra={
            "delivery_id": delivery.id,
            "webhook_id": delivery.event_id,
            "endpoint_id": delivery.endpoint_id,
            "event": delivery.event,
            "attempt": delivery.tries,
            "response_code": attempt.status_code,
            "error": attempt.error,
            "milliseconds": attempt.milliseconds,
            "status": delivery.status,
        },
    )
    if not attempt.succeeded:
        metrics(Measure(DELIVERY_ATTEMPTS_FAILED, 1, {"mode": delivery.mode}))
    if delivery.status == "failed":
        metrics(Measure(DELIVERIES_FAILED, 1, {"mode": delivery.mode}))
    if any(event.type == events.WEBHOOK_ENDPOINT_DISABLED for event in conclusion.events):
        logger.error("webhook endpoint switched off", extra={"endpoint_id": delivery.endpoint_id})
