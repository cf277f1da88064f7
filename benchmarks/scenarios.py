"""What is measured: each function with the events of its everyday work."""

from __future__ import annotations

import json
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks.stack import Stack, sample

_BATCH = 50  # deliveries made at once
CALLED_FLOORS = ("empty", "put_item", "validated", "stripe_client")
# The others are only started.
FLOORS = (*CALLED_FLOORS, "page", "sender", "consumer", "mailer")


@dataclass(frozen=True)
class Scenario:
    """One line of the table: a function and what it is called with."""

    name: str
    function: str
    """Its folder, or a floor's."""
    event: Callable[[], Any]
    good: Callable[[Any], bool]
    uses: int = 0
    """How many paid payments a call uses up."""
    size: int = 1
    """How many events a call brings."""


def answered(status: int) -> Callable[[Any], bool]:
    return lambda answer: isinstance(answer, dict) and answer.get("statusCode") == status


class Scenarios:
    """Makes the events, each payment used once where using it twice would be other work."""

    def __init__(self, stack: Stack, endpoint_url: str) -> None:
        self._stack = stack
        self._endpoint_id = stack.endpoint(endpoint_url)
        self._paid: deque[tuple[str, dict[str, Any]]] = deque()
        self._settled: deque[str] = deque()
        self._deliveries: deque[Any] = deque()
        self._second: dict[str, Any] | None = None
        self._known = stack.payment()["id"]

    def provide(self, count: int) -> None:
        """Makes as many paid payments as the coming calls will need."""
        missing = count - len(self._paid)
        if missing > 0:
            self._paid.extend(self._stack.paid(missing))

    def provide_deliveries(self, count: int) -> None:
        """Makes as many webhooks that are due."""
        while len(self._deliveries) < count:
            self._deliveries.extend(self.deliveries(_BATCH)["Records"])

    def deliveries(self, count: int) -> Any:
        """As many webhooks to the one endpoint, as the queue brings them."""
        return self._stack.deliveries(self._endpoint_id, count)

    def provide_settled(self, count: int) -> None:
        """Makes as many payments more that can have an invoice."""
        for payment_id, told in self._stack.paid(count):
            self._stack.settle(told)
            self._settled.append(payment_id)

    def all(self) -> list[Scenario]:
        return [
            *(Scenario(floor, floor, self.creation, _floor_answered) for floor in CALLED_FLOORS),
            Scenario("create_payment", "create_payment", self.creation, answered(201)),
            Scenario("stripe_webhook: paid", "stripe_webhook", self.webhook, answered(200), uses=1),
            Scenario(
                "stripe_webhook: told again", "stripe_webhook", self._told_again, answered(200)
            ),
            Scenario("payments: get", "payments", self._get, answered(200)),
            Scenario("payments: list of 100", "payments", self._list, answered(200)),
            Scenario("pay_page: open", "pay_page", self._open, answered(303)),
            Scenario("dispatch_events: one", "dispatch_events", self._stream, _nothing_failed),
            Scenario("issue_invoice: one", "issue_invoice", self._invoice, _nothing_failed),
            Scenario("fan_out_event: one", "fan_out_event", self._issued, _nothing_failed),
            Scenario("deliver_webhooks: one", "deliver_webhooks", self._delivery, _nothing_failed),
            *self._full_batches(),
            Scenario("expire_links: none due", "expire_links", self._tick, lambda a: a is not None),
        ]

    def _full_batches(self) -> list[Scenario]:
        """What runs hold where much is going on, by the template's sizes."""
        return [
            Scenario(
                f"{function}: {name}", function, partial(event, size), _nothing_failed, 0, size
            )
            for function, name, event, size in (
                ("dispatch_events", "a hundred", self._stream_of, 100),
                ("issue_invoice", "ten", partial(_batch, self._invoice), 10),
                ("fan_out_event", "ten", partial(_batch, self._issued), 10),
                ("deliver_webhooks", "ten", partial(_batch, self._delivery), 10),
            )
        ]

    def creation(self) -> Any:
        """A guest's link under a key of its own."""
        return self._http("POST /payments", headers={"idempotency-key": str(uuid.uuid4())})

    def webhook(self) -> Any:
        """Stripe's word that a payment was paid."""
        payment_id, told = self._paid.popleft()
        self._settled.append(payment_id)
        return self._told(told)

    def _told_again(self) -> Any:
        """Stripe has a second event of a checkout that was paid: that of its payment intent."""
        if self._second is None:
            self._second = self._stack.event_of_intent(self._settled[-1])
        return self._told(self._second)

    def _told(self, event: dict[str, Any]) -> Any:
        body = json.dumps(event, indent=2)
        return self._http(
            "POST /stripe/webhook/{organizationId}/{mode}",
            parameters={"organizationId": self._stack.facts["organizationId"], "mode": "sandbox"},
            headers={"stripe-signature": self._stack.signed(body)},
            body=body,
        )

    def _http(self, route: str, *, parameters: dict[str, str] | None = None, **changes: Any) -> Any:
        event = sample("create_payment")
        method, path = route.split(" ")
        event |= {"routeKey": route, "rawPath": path, **changes}
        event["requestContext"]["routeKey"] = route
        event["requestContext"]["http"] |= {"method": method, "path": path}
        event["headers"] = {
            **event["headers"],
            "x-api-key": self._stack.facts["apiKey"],
            **changes.get("headers", {}),
        }
        if parameters:
            event["pathParameters"] = parameters
        if method == "GET":
            event.pop("body", None)
        return event

    def _get(self) -> Any:
        return self._http("GET /payments/{paymentId}", parameters={"paymentId": self._known})

    def _list(self) -> Any:
        return self._http("GET /payments", queryStringParameters={"limit": "100"})

    def _open(self) -> Any:
        return self._http("GET /pay/{paymentId}", parameters={"paymentId": self._known})

    def _stream(self) -> Any:
        return {"Records": [self._stack.stream_record(self._known)]}

    def _stream_of(self, count: int) -> Any:
        """The same news again and again, each an event of its own."""
        (record,) = self._stream()["Records"]
        (event,) = json.loads(record["dynamodb"]["NewImage"]["outbox"]["S"])
        text = json.dumps(record)
        records = []
        for number in range(count):
            copy = json.loads(text.replace(event["id"], f"evt_{uuid.uuid4().hex[:26]}"))
            copy["dynamodb"]["SequenceNumber"] = str(number)
            records.append(copy)
        return {"Records": records}

    def _invoice(self) -> Any:
        event = sample("issue_invoice")
        body = json.loads(event["Records"][0]["body"])
        body["detail"]["data"]["paymentId"] = self._settled.popleft()
        event["Records"][0]["body"] = json.dumps(body)
        return event

    def _issued(self) -> Any:
        """Of an event that one endpoint wants."""
        event = sample("fan_out_event")
        body = json.loads(event["Records"][0]["body"])
        body["detail"] |= {
            "organizationId": self._stack.facts["organizationId"],
            "id": f"evt_{uuid.uuid4().hex[:26]}",
        }
        event["Records"][0]["body"] = json.dumps(body)
        return event

    def _delivery(self) -> Any:
        return {"Records": [self._deliveries.popleft()]}

    def _tick(self) -> Any:
        return sample("expire_links")


def _batch(one: Callable[[], Any], size: int) -> Any:
    """Messages of a queue that come together."""
    records = [one()["Records"][0] for _ in range(size)]
    return {"Records": [r | {"messageId": str(n)} for n, r in enumerate(records)]}


def _floor_answered(answer: Any) -> bool:
    return isinstance(answer, dict) and answer["statusCode"] in {200, 201, 204}


def _nothing_failed(answer: Any) -> bool:
    return bool(answer == {"batchItemFailures": []})
