"""One stack for one test: functions called as Lambda calls them, AWS on moto, Stripe's sandbox."""

from __future__ import annotations

import base64
import copy
import importlib.util
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

from paylink import cli
from paylink.adapters.stripe.webhook import EVENT_TYPES
from paylink.operator.stripe_account import STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS
from tests.integration.aws import Aws, Saved
from tests.integration.stripe_driver import StripeSandbox, signature, webhook_body
from tests.integration.template import ROOT, STACK_NAME, Template

BASE_URL = "https://pay.example.com"
"""Of the host that the sample events name."""


_first: list[tuple[Seller, Saved]] = []


@dataclass
class Clock:
    """The machine's time, moved by what a test wants to have passed."""

    offset: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.offset


@dataclass
class Context:
    """As much of Lambda's context as our functions use."""

    function_name: str
    seconds: float
    aws_request_id: str = "00000000-0000-4000-8000-000000000000"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:x"
    started: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return int((self.seconds - (time.monotonic() - self.started)) * 1000)


@dataclass(frozen=True)
class Answer:
    """An HTTP function's answer, checked to be one that the gateway takes."""

    raw: dict[str, Any]

    def __post_init__(self) -> None:
        assert set(self.raw) == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert isinstance(self.raw["statusCode"], int)
        assert isinstance(self.raw["body"], str)
        assert all(isinstance(v, str) for v in self.raw["headers"].values())
        assert all(n == n.lower() for n in self.raw["headers"])
        json.dumps(self.raw).encode()

    @property
    def status(self) -> int:
        return int(self.raw["statusCode"])

    @property
    def headers(self) -> dict[str, str]:
        headers: dict[str, str] = self.raw["headers"]
        return headers

    @property
    def text(self) -> str:
        return str(self.raw["body"])

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def data(self) -> dict[str, Any]:
        """Of a success envelope."""
        assert self.json["success"] is True, self.text
        data: dict[str, Any] = self.json["data"]
        return data

    @property
    def error(self) -> dict[str, Any]:
        """Of an error envelope, which is checked to be whole."""
        assert set(self.json) == {"success", "error"}
        assert self.json["success"] is False
        error: dict[str, Any] = self.json["error"]
        assert set(error) == {"type", "code", "message", "param", "details", "doc_url"}
        assert error["doc_url"] == f"{BASE_URL}/docs/errors/{error['code']}"
        assert error["message"]
        return error

    def refused(self) -> tuple[int, str, str]:
        """Status, type and code of an error."""
        return self.status, self.error["type"], self.error["code"]


@dataclass(frozen=True)
class Seller:
    """One organization in one mode, with everything that tests need to act for it."""

    organization_id: str
    mode: str
    api_key: str
    stripe_key: str
    webhook_secret: str


def sample_event(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{name}.json").read_text("utf-8"))
    return event


def http_event(
    name: str,
    *,
    route: str | None = None,
    body: bytes | str | None = None,
    base64_body: bool = False,
    headers: dict[str, str] | None = None,
    parameters: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
) -> dict[str, Any]:
    """A sample event with parts of it exchanged; ``headers`` replace those of any case."""
    event = sample_event(name)
    if route is not None:
        method, path = route.split(" ")
        for key, value in (parameters or {}).items():
            path = path.replace(f"{{{key}}}", value)
        event["routeKey"] = event["requestContext"]["routeKey"] = route
        event["rawPath"] = event["requestContext"]["http"]["path"] = path
        event["requestContext"]["http"]["method"] = method
    if body is not None:
        raw = body.encode("utf-8", "surrogatepass") if isinstance(body, str) else body
        event["isBase64Encoded"] = base64_body
        event["body"] = base64.b64encode(raw).decode() if base64_body else raw.decode()
        event["headers"]["content-length"] = str(len(raw))
    for header, value in (headers or {}).items():
        event["headers"] = {n: v for n, v in event["headers"].items() if n != header.lower()}
        event["headers"][header] = value
    if parameters is not None:
        event["pathParameters"] = parameters
    if query is not None:
        event["queryStringParameters"] = query
        event["rawQueryString"] = "&".join(f"{n}={v}" for n, v in query.items())
    return event


class World:
    """The stack. Amounts in minor units; ``seller`` is the default organization's sandbox mode."""

    def __init__(
        self, template: Template, aws: Aws, stripe: StripeSandbox, clock: Clock, capture: Any
    ) -> None:
        self.template = template
        self.aws = aws
        self.stripe = stripe
        self.clock = clock
        self._capture = capture
        self._modules: dict[str, ModuleType] = {}
        self._current: str | None = None
        aws.run_function = self._run_inside
        self.seller = self._first_seller()

    # -- functions

    def module(self, function: str) -> ModuleType:
        """The function's own app.py, loaded once per test as a new container would."""
        if function not in self._modules:
            path = ROOT / "functions" / function / "app.py"
            spec = importlib.util.spec_from_file_location(f"function_{function}", path)
            assert spec is not None
            assert spec.loader is not None
            self.new_container(function)
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            self._modules[function] = module
        return self._modules[function]

    def new_container(self, function: str | None = None) -> None:
        """Forgets what a container caches, and gives the next one its function's variables."""
        for name, module in list(sys.modules.items()):
            if name.startswith(("paylink.bootstrap", "paylink.http")):
                for wired in vars(module).values():
                    if hasattr(wired, "cache_clear"):
                        wired.cache_clear()
        if function is None:
            self._modules.clear()
            self._current = None
            return
        known = set().union(*(self.template.variables(f.name) for f in functions()))
        for name in known:
            os.environ.pop(name, None)
        os.environ.update(self.template.variables(function))
        self._current = function

    def invoke(self, function: str, event: dict[str, Any], seconds: float | None = None) -> Any:
        """Calls the handler with a copy of the event; what comes back went through JSON."""
        module = self.module(function)
        if self._current != function:
            self.new_container(function)
        context = Context(function, seconds or self.template.timeout(function))
        given = json.loads(json.dumps(event))
        return json.loads(json.dumps(module.lambda_handler(given, context)))

    def _run_inside(self, function: str, event: dict[str, Any]) -> Any:
        """One function that another one calls; the caller goes on with its own variables."""
        caller = self._current
        try:
            return self.invoke(function, event)
        finally:
            self.new_container(caller)

    def http(self, function: str, event: dict[str, Any], seconds: float | None = None) -> Answer:
        route = event["routeKey"]
        assert route in self.template.routes(function), f"{route} does not lead to {function}"
        return Answer(self.invoke(function, event, seconds))

    # -- the operator

    def operator(self, *arguments: str) -> dict[str, Any]:
        """What the operator's command prints."""
        self._capture.readouterr()
        status = cli.main(["--stack", STACK_NAME, *arguments])
        printed = self._capture.readouterr()
        assert status == 0, printed.err
        result: dict[str, Any] = json.loads(printed.out)
        return result

    def _first_seller(self) -> Seller:
        """Made by the operator's command in the first test, and copied in all others."""
        if not _first:
            seller = self.new_seller("Example Studio GmbH", "studio")
            _first.append((seller, self.aws.save()))
            return seller
        seller, saved = _first[0]
        self.aws.load(saved)
        return seller

    def new_seller(self, name: str, account: str, mode: str = "sandbox") -> Seller:
        """An organization made by the operator's command, with Stripe's secrets and an API key."""
        organization = self.operator(
            *("organizations", "create", "--name", name, "--country", "DE", "--city", "Berlin"),
            *("--line1", "Lindenstraße 12", "--postal-code", "10969", "--tax-id", "DE123456789"),
            *("--email", "billing@example.com", "--time-zone", "Europe/Berlin"),
        )
        return self.add_mode(organization["id"], account, mode)

    def add_mode(self, organization_id: str, account: str, mode: str) -> Seller:
        kind = "live" if mode == "live" else "test"
        stripe_key, secret = f"sk_{kind}_{account}_key", f"whsec_{account}{mode}"
        os.environ[STRIPE_SECRET_KEY] = stripe_key
        os.environ[STRIPE_WEBHOOK_SECRETS] = f"whsec_old{account}, {secret}"
        self.operator("stripe", "set", organization_id, "--mode", mode)
        del (
            os.environ[STRIPE_SECRET_KEY],
            os.environ[STRIPE_WEBHOOK_SECRETS],
        )
        key = self.operator("keys", "create", organization_id, "--mode", mode)["apiKey"]
        return Seller(organization_id, mode, key, stripe_key, secret)

    # -- the caller

    def post_payment(
        self,
        body: dict[str, Any] | str | None = None,
        *,
        seller: Seller | None = None,
        key: str | None = None,
        headers: dict[str, str] | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """``POST /payments``; ``key`` is the Idempotency-Key."""
        text = body if isinstance(body, str) else json.dumps({**PAYMENT, **(body or {})})
        sent = {"x-api-key": (seller or self.seller).api_key}
        if key is not None:
            sent["idempotency-key"] = key
        event = http_event("create_payment", body=text, headers={**sent, **(headers or {})})
        return self.http("create_payment", event, seconds)

    def create(self, body: dict[str, Any] | None = None, **how: Any) -> dict[str, Any]:
        """A new payment link's payment object."""
        answer = self.post_payment(body, **how)
        assert answer.status == 201, answer.text
        return answer.data

    def get_payment(self, payment_id: str, seller: Seller | None = None) -> Answer:
        event = http_event(
            "get_payment",
            headers={"x-api-key": (seller or self.seller).api_key},
            parameters={"paymentId": payment_id},
        )
        return self.http("payments", event)

    def payment(self, payment_id: str, seller: Seller | None = None) -> dict[str, Any]:
        return self.get_payment(payment_id, seller).data

    def transactions(
        self, query: dict[str, str] | None = None, seller: Seller | None = None
    ) -> Answer:
        event = http_event(
            "get_payment",
            route="GET /transactions",
            headers={"x-api-key": (seller or self.seller).api_key},
            parameters={},
            query=query,
        )
        return self.http("transactions", event)

    def get_transaction(self, transaction_id: str, seller: Seller | None = None) -> Answer:
        event = http_event(
            "get_payment",
            route="GET /api/v1/transactions/{transactionId}",
            headers={"x-api-key": (seller or self.seller).api_key},
            parameters={"transactionId": transaction_id},
        )
        return self.http("transactions", event)

    def call_invoices(
        self,
        route: str,
        invoice_id: str | None = None,
        *,
        query: dict[str, str] | None = None,
        seller: Seller | None = None,
        key: str | None = None,
    ) -> Answer:
        """A route of the invoices; POST without a body."""
        event = http_event(
            "get_invoice",
            route=route,
            headers={"x-api-key": (seller or self.seller).api_key},
            parameters={"invoiceId": invoice_id} if invoice_id is not None else {},
            query=query,
        )
        event["headers"] |= {"idempotency-key": key} if key is not None else {}
        return self.http("invoices", event)

    def call_credit_notes(
        self,
        route: str,
        credit_note_id: str | None = None,
        *,
        query: dict[str, str] | None = None,
        seller: Seller | None = None,
        key: str | None = None,
    ) -> Answer:
        """A route of the credit notes; POST without a body."""
        event = http_event(
            "get_credit_note",
            route=route,
            headers={"x-api-key": (seller or self.seller).api_key},
            parameters={"noteId": credit_note_id} if credit_note_id is not None else {},
            query=query,
        )
        event["headers"] |= {"idempotency-key": key} if key is not None else {}
        return self.http("credit_notes", event)

    def refund(
        self,
        transaction_id: str,
        body: dict[str, Any] | None = None,
        *,
        seller: Seller | None = None,
        key: str | None = None,
    ) -> Answer:
        """``POST /transactions/{id}/refund``; without a body unless one is given."""
        event = http_event(
            "refund_transaction",
            body=json.dumps(body) if body is not None else None,
            parameters={"transactionId": transaction_id},
        )
        if body is None:
            del event["body"]
        del event["headers"]["idempotency-key"]
        event["headers"]["x-api-key"] = (seller or self.seller).api_key
        event["headers"] |= {"idempotency-key": key} if key is not None else {}
        return self.http("transactions", event)

    def charge(
        self,
        customer: str,
        body: dict[str, Any] | None = None,
        *,
        seller: Seller | None = None,
        key: str | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """``POST /payments/charge``: EUR 15.00 unless the body says otherwise."""
        sample = json.loads(sample_event("charge_payment")["body"])
        text = json.dumps({**sample, "customerId": customer, **(body or {})})
        sent = {"x-api-key": (seller or self.seller).api_key}
        if key is not None:
            sent["idempotency-key"] = key
        event = http_event("charge_payment", body=text, headers=sent)
        return self.http("charge_payment", event, seconds)

    def cancel(
        self,
        payment_id: str,
        body: bytes | str | None = None,
        *,
        seller: Seller | None = None,
        key: str | None = None,
        seconds: float | None = None,
    ) -> Answer:
        """``POST /payments/{id}/cancel``; without a body unless one is given."""
        sent = {"x-api-key": (seller or self.seller).api_key}
        event = http_event("cancel_payment", body=body, parameters={"paymentId": payment_id})
        del event["headers"]["idempotency-key"]
        event["headers"] |= sent | ({"idempotency-key": key} if key is not None else {})
        return self.http("payments", event, seconds)

    # -- the buyer

    def open_link(
        self, payment_id: str, query: dict[str, str] | None = None, **headers: str
    ) -> Answer:
        event = http_event(
            "pay_page",
            parameters={"paymentId": payment_id},
            query=query,
            headers={n.replace("_", "-"): v for n, v in headers.items()},
        )
        return self.http("pay_page", event)

    def press_continue(
        self, payment_id: str, body: bytes | str | None = None, **how: Any
    ) -> Answer:
        """The page's button; ``body`` is what its fields say, as a browser sends them."""
        event = http_event(
            "pay_page",
            route="POST /pay/{paymentId}",
            parameters={"paymentId": payment_id},
            body=body,
            **how,
        )
        return self.http("pay_page", event)

    def checkout_url(self, payment_id: str) -> str:
        """Where the link leads while a session of it lives."""
        answer = self.open_link(payment_id)
        assert answer.status == 303, answer.text
        return answer.headers["location"]

    def download(self, document_id: str, token: str | None) -> Answer:
        event = http_event(
            "download_document",
            parameters={"documentId": document_id},
            query={"token": token} if token is not None else None,
        )
        return self.http("pay_page", event)

    def invoice_of(self, payment: dict[str, Any]) -> str:
        """The id of a payment's invoice."""
        return str(self.payment(payment["id"])["invoiceId"])

    # -- Stripe's webhooks

    def deliver(
        self,
        event: dict[str, Any] | bytes,
        *,
        seller: Seller | None = None,
        secret: str | None = None,
        age: float = 0,
        header: str | None = None,
        base64_body: bool = False,
        path: tuple[str, str] | None = None,
    ) -> Answer:
        """One webhook, signed ``age`` seconds ago with the seller's newest secret."""
        to = seller or self.seller
        body = event if isinstance(event, bytes) else webhook_body(event)
        stamp = int(self.clock().timestamp() - age)
        key = to.webhook_secret if secret is None else secret
        signed = header if header is not None else signature(body, key, stamp)
        organization_id, mode = path or (to.organization_id, to.mode)
        return self.http(
            "stripe_webhook",
            http_event(
                "stripe_webhook",
                body=body,
                base64_body=base64_body,
                headers={"Stripe-Signature": signed},
                parameters={"organizationId": organization_id, "mode": mode},
            ),
        )

    def provider_events(self, *types: str, seller: Seller | None = None) -> list[dict[str, Any]]:
        """Events of the account, oldest first: of these types, or all that an endpoint gets."""
        wanted = set(types) or EVENT_TYPES
        key = (seller or self.seller).stripe_key
        return [event for event in self.stripe.events(key) if event["type"] in wanted]

    def provider_event(self, type_: str, seller: Seller | None = None) -> dict[str, Any]:
        """The newest event of a type."""
        return self.provider_events(type_, seller=seller)[-1]

    def deliver_everything(self, seller: Seller | None = None) -> None:
        """Sends all of the account's events once, in order."""
        for event in self.provider_events(seller=seller):
            answer = self.deliver(event, seller=seller)
            assert answer.status == 200, answer.text

    # -- what happens by itself

    def dispatch(self) -> list[dict[str, Any]]:
        """Runs the outbox: from the stream onto the bus. Returns the bus's new events."""
        records = self.aws.new_stream_records()
        if records:
            answer = self.invoke("dispatch_events", {"Records": records})
            assert answer == {"batchItemFailures": []}
        return self.aws.take_bus_events()

    def invoice_event(self) -> dict[str, Any]:
        """What the queue's source gives to issue_invoice: its waiting messages."""
        return self._queued("issue_invoice", "invoices")

    def mail_event(self) -> dict[str, Any]:
        """The same for send_mails."""
        return self._queued("send_mails", "mails")

    def surplus_event(self) -> dict[str, Any]:
        """The same for return_surplus."""
        return self._queued("return_surplus", "surplus")

    def customer(self, body: dict[str, Any]) -> dict[str, Any]:
        """A new customer's object."""
        event = http_event(
            "create_customer",
            body=json.dumps(body),
            headers={"x-api-key": self.seller.api_key},
        )
        event["headers"].pop("idempotency-key", None)
        answer = self.http("customers", event)
        assert answer.status == 201, answer.text
        return answer.data

    def webhooks(self, route: str, body: Any = None, **how: Any) -> Answer:
        """One call of the routes below ``/webhooks``; ``how`` may have parameters, a query, an
        idempotency key (``key``) and another seller."""
        folder = next(
            name
            for name in ("webhook_endpoints", "webhook_deliveries", "webhook_setup")
            if route in self.template.routes(name)
        )
        headers = {"x-api-key": (how.get("seller") or self.seller).api_key}
        if "key" in how:
            headers["idempotency-key"] = how["key"]
        event = http_event(
            "create_webhook",
            route=route,
            headers=headers,
            body=None if body is None else json.dumps(body),
            parameters=how.get("parameters", {}),
            query=how.get("query"),
        )
        if body is None:
            event["body"] = None
        return self.http(folder, event)

    def fan_out(self) -> list[dict[str, Any]]:
        """From the stream to the deliveries' queues; returns the bus's events."""
        events = self.dispatch()
        waiting = self._queued("fan_out_event", "webhooks")
        if waiting["Records"]:
            assert self.invoke("fan_out_event", waiting) == {"batchItemFailures": []}
        return events

    def send_webhooks(self) -> list[dict[str, Any]]:
        """From the stream to the endpoints, as far as is due now; returns the bus's events."""
        events = self.fan_out()
        for queue in ("prompt", "slow", "failing"):
            waiting = self._queued("deliver_webhooks", queue)
            if waiting["Records"]:
                assert self.invoke("deliver_webhooks", waiting) == {"batchItemFailures": []}
        return events

    def call_delivery(self, delivery_id: str, endpoint_id: str) -> None:
        """What a delayed call does when it comes."""
        event = sample_event("deliver_webhooks")
        call = {"deliveryId": delivery_id, "endpointId": endpoint_id, "lane": "failing"}
        event["Records"][0]["body"] = json.dumps(call)
        assert self.invoke("deliver_webhooks", event) == {"batchItemFailures": []}

    def _queued(self, function: str, queue: str) -> dict[str, Any]:
        """Waiting messages, as Lambda names their parts."""
        (sample,) = sample_event(function)["Records"]
        records = [
            {**sample, "messageId": message["MessageId"], "body": message["Body"]}
            for message in self.aws.take_messages(queue)
        ]
        return {"Records": records}

    def issue_invoices(self) -> None:
        """From the stream to the PDF, without a failure."""
        self.dispatch()
        event = self.invoice_event()
        if event["Records"]:
            assert self.invoke("issue_invoice", event) == {"batchItemFailures": []}
        self.dispatch()

    def sweep(self, time: datetime | None = None) -> dict[str, int]:
        """At a moment after every link's end, if none is given."""
        event = sample_event("expire_links")
        moment = time or datetime(2027, 12, 31, 23, 59, tzinfo=UTC)
        event["time"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
        swept: dict[str, int] = self.invoke("expire_links", event)
        return swept

    def pass_time(self, **amount: float) -> None:
        """Moves our clock and Stripe's."""
        step = timedelta(**amount)
        self.clock.offset += step
        self.stripe.advance_clock(step.total_seconds())

    # -- shortcuts

    def paid(
        self, body: dict[str, Any] | None = None, *, card: str | None = None
    ) -> dict[str, Any]:
        """A payment that was paid by card, its webhooks delivered, no invoice yet."""
        made = self.create(body)
        answer = self.stripe.pay(self.checkout_url(made["id"]), *([card] if card else []))
        assert answer.status_code == 200, answer.text
        self.deliver_everything()
        found = self.payment(made["id"])
        assert found["status"] == "succeeded"
        return found

    def events_of(self, payment_id: str) -> list[str]:
        """Types of what was announced about a payment so far, in order, taken off the bus."""
        return [
            event["detail-type"]
            for event in self.dispatch()
            if event["detail"]["data"].get("paymentId") == payment_id
        ]


PAYMENT = json.loads(sample_event("create_payment")["body"])
"""The body of the sample event: EUR 49.00."""


def functions() -> list[Any]:
    return sorted(path.parent for path in (ROOT / "functions").glob("*/app.py"))


def altered(event: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A copy of a Stripe event whose object has other members."""
    changed = copy.deepcopy(event)
    changed["data"]["object"].update(members)
    return changed
