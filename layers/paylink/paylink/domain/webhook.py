"""Webhook endpoints and deliveries: who is told, when it is tried again, and when it is given up.

How an endpoint answered decides its lane, the queue that its deliveries wait in: those of slow
endpoints wait apart from everybody else's, and those of failing ones, which may hang, apart from
both. There begins whoever hasn't answered yet. Out of its lane comes only who answers better for a
while: an endpoint that hangs now and then would otherwise be back among the prompt ones each time.
"""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from paylink.domain import events
from paylink.domain.events import DomainEvent
from paylink.domain.ids import derived_id
from paylink.domain.organization import Mode, Owner
from paylink.domain.timestamps import timestamp
from paylink.domain.webhook_events import Outgoing

DeliveryStatus = Literal["pending", "succeeded", "failed"]
DisabledReason = Literal["failing", "gone"]
Lane = Literal["prompt", "slow", "failing"]

SLOW: Final = timedelta(seconds=2)
LANE_KEPT_FOR: Final = timedelta(minutes=10)
"""Since the last answer that was as bad as the lane."""
FAILED_IN_ROW: Final = 3
"""So many events in a row that failed in all attempts switch their endpoint off."""
KEPT_FOR: Final = timedelta(days=30)
GONE: Final = 410

# So often that is noted: a write for every failure would meet itself.
_LANE_NOTED: Final = timedelta(minutes=1)
_LANES: Final[tuple[Lane, ...]] = ("prompt", "slow", "failing")
_JITTER: Final = 0.2
_LONGEST_LOG: Final = 30

ENDPOINT_DISABLED: Final = "endpoint_disabled"
ENDPOINT_DELETED: Final = "endpoint_deleted"


@dataclass(frozen=True)
class WebhookEndpoint:
    """Where one organization is told of events in one mode."""

    id: str
    organization_id: str
    mode: Mode
    url: str
    events: tuple[str, ...]
    api_version: str
    created_at: datetime
    updated_at: datetime
    created_by: str
    """The API key's id."""
    description: str | None = None
    is_active: bool = True
    disabled_reason: DisabledReason | None = None
    """Why we switched it off; None if its owner did."""
    generation: int = 1
    """Of its secret, which follows from this and is kept nowhere."""
    previous_until: datetime | None = None
    """Until then the secret of before signs as well."""
    rotated_by: str | None = None
    """Follows from the request that rotated it last, so that its retry doesn't do so again."""
    failed_in_row: int = 0
    lane: Lane = "failing"
    lane_until: datetime | None = None
    """Until then no good answer leads out of its lane; None: the next one does."""
    version: int = 0

    @property
    def owner(self) -> Owner:
        return self.organization_id, self.mode

    def wants(self, event: str) -> bool:
        """Whether an event is kept for it; one that we switched off may come back and ask."""
        return event in self.events and (self.is_active or self.disabled_reason is not None)

    def generations(self, now: datetime) -> tuple[int, ...]:
        """The secrets that sign now, the newest first."""
        overlapping = self.previous_until is not None and now < self.previous_until
        return (self.generation, self.generation - 1) if overlapping else (self.generation,)

    def switched_on(self) -> WebhookEndpoint:
        """Active, with nothing held against it."""
        return replace(
            self,
            is_active=True,
            disabled_reason=None,
            failed_in_row=0,
            lane="failing",
            lane_until=None,
        )

    def in_lane(self, lane: Lane, now: datetime) -> WebhookEndpoint:
        """After an answer that belongs in a lane: a worse one at once, a better one in time."""
        if _LANES.index(lane) < _LANES.index(self.lane) and now < (self.lane_until or now):
            return self
        if lane == "prompt":
            return replace(self, lane=lane, lane_until=None)
        until = now + LANE_KEPT_FOR
        if lane == self.lane and until < (self.lane_until or now) + _LANE_NOTED:
            return self
        return replace(self, lane=lane, lane_until=until)

    def rotated(self, until: datetime, by: str | None) -> WebhookEndpoint:
        """With a new secret, the one of before good until the given moment."""
        return replace(self, generation=self.generation + 1, previous_until=until, rotated_by=by)


@dataclass(frozen=True)
class Attempt:
    """One call of an endpoint. Of the response only its status is kept."""

    at: datetime
    milliseconds: int
    status_code: int | None = None
    error: str | None = None
    """A word for why there was no response."""

    @property
    def ended_at(self) -> datetime:
        return self.at + timedelta(milliseconds=self.milliseconds)

    @property
    def succeeded(self) -> bool:
        return self.status_code is not None and 200 <= self.status_code < 300

    @property
    def lane(self) -> Lane:
        """Where an endpoint that answers so keeps nobody else waiting."""
        if not self.succeeded:
            return "failing"
        return "prompt" if timedelta(milliseconds=self.milliseconds) < SLOW else "slow"


@dataclass(frozen=True)
class Delivery:
    """One event on its way to one endpoint; ``body`` is what is sent, byte for byte, every time."""

    id: str
    organization_id: str
    mode: Mode
    endpoint_id: str
    event_id: str
    event: str
    body: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    """When the record is forgotten."""
    status: DeliveryStatus = "pending"
    attempts: tuple[Attempt, ...] = ()
    """The newest of them."""
    tries: int = 0
    """Attempts of the present round; a re-send begins a new one."""
    next_attempt_at: datetime | None = None
    error: str | None = None
    """Why it failed without (another) attempt."""
    test: bool = False
    """Tried once, and never held against the endpoint."""
    version: int = 0

    @property
    def owner(self) -> Owner:
        return self.organization_id, self.mode

    @property
    def response_code(self) -> int | None:
        return self.attempts[-1].status_code if self.attempts else None

    def again(self, now: datetime) -> Delivery:
        """To be sent anew: a round of attempts from the start; one on its way is tried now."""
        done = self.status != "pending"
        return replace(
            self,
            status="pending",
            tries=0 if done else self.tries,
            next_attempt_at=now,
            error=None,
            updated_at=now,
            expires_at=max(self.expires_at, now + KEPT_FOR) if done else self.expires_at,
        )

    def given_up(self, error: str, now: datetime) -> Delivery:
        """Failed without an attempt."""
        return replace(self, status="failed", error=error, next_attempt_at=None, updated_at=now)


@dataclass(frozen=True)
class Conclusion:
    """What follows from one attempt; ``endpoint`` is None where it stays as it is."""

    delivery: Delivery
    endpoint: WebhookEndpoint | None = None
    events: tuple[DomainEvent, ...] = ()


def delivery_of(
    outgoing: Outgoing,
    cause: str,
    time: datetime,
    endpoint: WebhookEndpoint,
    now: datetime,
    *,
    test: bool = False,
) -> Delivery:
    """The delivery of an event of ours (``cause`` is its id) to an endpoint, always the same one.

    For an endpoint that we switched off it has failed already, and can be asked for later; but a
    test is sent.
    """
    event_id = derived_id("whev", cause, outgoing.name)
    body = {
        "id": event_id,
        "event": outgoing.name,
        "timestamp": timestamp(time),
        "organizationId": endpoint.organization_id,
        "mode": endpoint.mode,
        "apiVersion": endpoint.api_version,
        "data": outgoing.data,
    }
    delivery = Delivery(
        id=derived_id("whd", event_id, endpoint.id),
        organization_id=endpoint.organization_id,
        mode=endpoint.mode,
        endpoint_id=endpoint.id,
        event_id=event_id,
        event=outgoing.name,
        body=_json(body),
        created_at=now,
        updated_at=now,
        expires_at=now + KEPT_FOR,
        next_attempt_at=now,
        test=test,
    )
    return delivery if endpoint.is_active or test else delivery.given_up(ENDPOINT_DISABLED, now)


def conclude(
    endpoint: WebhookEndpoint,
    delivery: Delivery,
    attempt: Attempt,
    *,
    waits: Sequence[timedelta],
    jitter: float,
) -> Conclusion:
    """What an attempt makes of delivery and endpoint.

    ``waits`` are those after each attempt but the last; ``jitter`` (0 to 1) lengthens them by up to
    a fifth, so that what failed together doesn't come back together.
    """
    now = attempt.ended_at
    tried = replace(
        delivery,
        attempts=(*delivery.attempts, attempt)[-_LONGEST_LOG:],
        tries=delivery.tries + 1,
        updated_at=now,
        next_attempt_at=None,
    )
    if attempt.succeeded:
        healthy = endpoint if delivery.test else replace(endpoint, failed_in_row=0)
        return _concluded(replace(tried, status="succeeded"), endpoint, healthy, attempt)
    gone = attempt.status_code == GONE
    if not (delivery.test or gone or tried.tries > len(waits)):
        wait = waits[tried.tries - 1] * (1 + _JITTER * jitter)
        return _concluded(replace(tried, next_attempt_at=now + wait), endpoint, endpoint, attempt)
    failed = replace(tried, status="failed")
    if delivery.test:
        return Conclusion(failed)
    after = replace(endpoint, failed_in_row=endpoint.failed_in_row + 1)
    if endpoint.is_active and (gone or after.failed_in_row >= FAILED_IN_ROW):
        reason: DisabledReason = "gone" if gone else "failing"
        after = replace(after, is_active=False, disabled_reason=reason, updated_at=now)
        return Conclusion(failed, after, (_disabled(after, failed, now),))
    return Conclusion(failed, after.in_lane(attempt.lane, now))


def _concluded(
    delivery: Delivery, before: WebhookEndpoint, after: WebhookEndpoint, attempt: Attempt
) -> Conclusion:
    after = after.in_lane(attempt.lane, attempt.ended_at)
    return Conclusion(delivery, after if after != before else None)


def _disabled(endpoint: WebhookEndpoint, delivery: Delivery, now: datetime) -> DomainEvent:
    return DomainEvent(
        events.WEBHOOK_ENDPOINT_DISABLED,
        now,
        endpoint.organization_id,
        endpoint.mode,
        {
            "endpointId": endpoint.id,
            "url": endpoint.url,
            "description": endpoint.description,
            "reason": endpoint.disabled_reason,
            "failedEvents": endpoint.failed_in_row,
            "responseCode": delivery.response_code,
        },
    )


def resent(delivery: Delivery, now: datetime) -> DomainEvent:
    """That a delivery waits to be sent, for whoever puts it into the queue."""
    return DomainEvent(
        events.WEBHOOK_DELIVERY_RESENT,
        now,
        delivery.organization_id,
        delivery.mode,
        {"deliveryId": delivery.id, "endpointId": delivery.endpoint_id},
    )


def secret_of(endpoint: WebhookEndpoint, generation: int, signing_key: str) -> str:
    """``whsec_…``: follows from the organization's own key, so it is never stored."""
    message = f"webhook\0{endpoint.id}\0{generation}".encode()
    derived = hmac.digest(signing_key.encode(), message, "sha256")
    return f"whsec_{base64.b64encode(derived).decode()}"


def signed_headers(delivery: Delivery, secrets: Sequence[str], now: datetime) -> dict[str, str]:
    """The headers of one attempt; ``secrets`` are those that sign now, the newest first.

    `webhook-signature` has one signature for each. The other style has room for one only: it stays
    with the oldest, so that nothing breaks at the moment a secret is rotated.
    """
    seconds = str(int(now.timestamp()))
    body = delivery.body.encode()
    standard = f"{delivery.event_id}.{seconds}.".encode() + body
    return {
        "content-type": "application/json",
        "user-agent": "paylink-webhooks/1",
        "x-commet-signature": hmac.new(secrets[-1].encode(), body, "sha256").hexdigest(),
        "x-commet-event": delivery.event,
        "x-commet-event-id": delivery.event_id,
        "x-commet-timestamp": seconds,
        "webhook-id": delivery.event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{_standard(s, standard)}" for s in secrets),
    }


def _standard(secret: str, message: bytes) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return base64.b64encode(hmac.digest(key, message, "sha256")).decode()


def _json(body: dict[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
