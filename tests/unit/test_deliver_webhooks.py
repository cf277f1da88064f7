"""A run of calls: made side by side, each by what its delivery and endpoint say by now."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import cast

from paylink.domain.organization import ProviderCredentials
from paylink.domain.webhook import (
    Attempt,
    Conclusion,
    Delivery,
    Lane,
    WebhookEndpoint,
    delivery_of,
)
from paylink.domain.webhook_events import Outgoing
from paylink.metrics import unmeasured
from paylink.ports import (
    CredentialsStore,
    DeliveryCall,
    DeliveryQueue,
    WebhookRepository,
    WebhookSender,
)
from paylink.services.deliver_webhook import DeliveryPorts, deliver_webhooks
from tests.unit.fakes import START
from tests.unit.test_webhook_rules import ENDPOINT

MOST = 50
"""Calls of a run: the largest batch of the template."""


@dataclass
class Company:
    """One endpoint with its deliveries, and the queue of their calls."""

    endpoint_now: WebhookEndpoint = ENDPOINT
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    answer: Callable[[], int] = lambda: 200
    queued: list[tuple[str, Lane, timedelta]] = field(default_factory=list)

    def waiting(self, count: int, lane: Lane) -> list[DeliveryCall]:
        made = [
            delivery_of(Outgoing("customer.created", {}), f"evt_{n}", START, ENDPOINT, START)
            for n in range(count)
        ]
        self.deliveries |= {delivery.id: delivery for delivery in made}
        return [DeliveryCall(delivery.id, ENDPOINT.id, lane) for delivery in made]

    def ports(self) -> DeliveryPorts:
        return DeliveryPorts(
            webhooks=cast("WebhookRepository", self),
            credentials=cast("CredentialsStore", self),
            sender=cast("WebhookSender", self),
            clock=lambda: START,
            queue=cast("DeliveryQueue", Queue(self)),
            metrics=unmeasured,
            waits=[timedelta(minutes=1)] * 7,
            jitter=lambda: 0,
        )

    def get(self, *_owner: str) -> ProviderCredentials:
        return ProviderCredentials("", (), "key")

    def endpoint(self, *_named: str) -> WebhookEndpoint:
        return self.endpoint_now

    def delivery(self, delivery_id: str) -> Delivery | None:
        return self.deliveries.get(delivery_id)

    def conclude(self, conclusion: Conclusion) -> Delivery:
        self.endpoint_now = conclusion.endpoint or self.endpoint_now
        self.deliveries[conclusion.delivery.id] = conclusion.delivery
        return conclusion.delivery

    def send(self, _url: str, _headers: Mapping[str, str], _body: bytes, at: datetime) -> Attempt:
        return Attempt(at, 5, self.answer())


@dataclass
class Queue:
    company: Company

    def send(self, calls: list[DeliveryCall], delay: timedelta = timedelta(0)) -> None:
        self.company.queued += [(call.delivery_id, call.lane, delay) for call in calls]


def test_all_calls_of_a_run_are_under_way_at_once() -> None:
    together = threading.Barrier(MOST)

    def answer() -> int:
        together.wait(10)
        return 200

    company = Company(answer=answer)
    calls = company.waiting(MOST, "prompt")
    assert deliver_webhooks(calls, company.ports()) == []
    assert {delivery.status for delivery in company.deliveries.values()} == {"succeeded"}


def test_a_call_that_waits_in_another_lane_than_its_endpoint_is_moved_there() -> None:
    failing = replace(ENDPOINT, lane="failing", lane_until=START + timedelta(minutes=10))
    slow = replace(ENDPOINT, lane="slow", lane_until=START + timedelta(minutes=10))
    came_and_is: list[tuple[Lane, WebhookEndpoint]] = [
        ("prompt", failing),
        ("prompt", slow),
        ("slow", failing),
        ("slow", ENDPOINT),
    ]
    for lane, endpoint in came_and_is:
        company = Company(endpoint)
        (call,) = company.waiting(1, lane)
        assert deliver_webhooks([call], company.ports()) == []
        assert company.queued == [(call.delivery_id, endpoint.lane, timedelta(0))]
        assert company.deliveries[call.delivery_id].status == "pending"


def test_the_failing_lane_tries_whatever_comes_and_takes_what_failed() -> None:
    company = Company(answer=lambda: 200)
    (call,) = company.waiting(1, "failing")
    deliver_webhooks([call], company.ports())
    assert company.deliveries[call.delivery_id].status == "succeeded"
    company = Company(answer=lambda: 500)
    (call,) = company.waiting(1, "prompt")
    deliver_webhooks([call], company.ports())
    ((_, lane, delay),) = company.queued
    assert lane == "failing"
    assert timedelta(seconds=59) < delay <= timedelta(minutes=1, seconds=1)


def test_a_broken_call_comes_again_alone() -> None:
    company = Company()
    calls = company.waiting(3, "prompt")
    broken = calls[1]
    whole = company.delivery

    def delivery(delivery_id: str) -> Delivery | None:
        if delivery_id == broken.delivery_id:
            raise ConnectionError
        return whole(delivery_id)

    company.delivery = delivery  # type: ignore[method-assign]
    assert deliver_webhooks(calls, company.ports()) == [broken]
    statuses = [company.deliveries[call.delivery_id].status for call in calls]
    assert statuses == ["succeeded", "pending", "succeeded"]
