"""A running local stack as tests use it: its API, its Stripe sandbox's controls, its AWS side."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import boto3
import httpx

ROOT = Path(__file__).resolve().parents[2]

T = TypeVar("T")


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def make(*arguments: str, state: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs make at the top of the repository, for the stack whose state lies in a folder."""
    # What pytest's own make exported would otherwise decide the ports, and a Stripe key of the
    # developer's would have the stack talk to Stripe itself.
    inherited = {
        k: v
        for k, v in os.environ.items()
        if k not in {"MAKEFLAGS", "MAKELEVEL"} and not k.startswith("PAYLINK_")
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env={**inherited, "PAYLINK_LOCAL_STATE": str(state), **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def ports_environment() -> dict[str, str]:
    api, stripe, aws = free_ports(3)
    return {"PORT": str(api), "STRIPE_PORT": str(stripe), "AWS_PORT": str(aws)}


def wait_for(look: Callable[[], T | None], what: str, seconds: float = 20.0) -> T:
    """The first thing that a look finds; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s in vain: {what}")
        time.sleep(0.1)


@dataclass
class Stack:
    """``about`` is the stack's own stack.json."""

    about: dict[str, Any]
    state: Path

    @classmethod
    def at(cls, state: Path) -> Stack:
        return cls(json.loads((state / "stack.json").read_text()), state)

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.about["apiUrl"], timeout=40, trust_env=False)
        self.sandbox = httpx.Client(
            base_url=self.about["stripeControlUrl"], timeout=40, trust_env=False
        )

    def close(self) -> None:
        self.http.close()
        self.sandbox.close()

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """The data of an answer that was a success."""
        answer = self.http.request(
            method, path, json=body, headers={"x-api-key": self.about["apiKey"]}
        )
        assert answer.is_success, answer.text
        return answer.json()["data"]

    def post_payment(self, body: dict[str, Any], **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.post(
            "/payments", json=body, headers={"x-api-key": self.about["apiKey"], **named}
        )

    def create(self, **fields: Any) -> dict[str, Any]:
        """A new link's payment object."""
        body = {"amount": 4900, "currency": "eur", "description": "Consulting", **fields}
        answer = self.post_payment(body)
        assert answer.status_code == 201, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def payment(self, payment_id: str) -> dict[str, Any]:
        answer = self.http.get(
            f"/payments/{payment_id}", headers={"x-api-key": self.about["apiKey"]}
        )
        assert answer.status_code == 200, answer.text
        data: dict[str, Any] = answer.json()["data"]
        return data

    def await_payment(self, payment_id: str, **expected: Any) -> dict[str, Any]:
        """The payment once it has the expected members; ``...`` expects any value but null."""

        def look() -> dict[str, Any] | None:
            found = self.payment(payment_id)
            matches = all(
                found[name] is not None if value is ... else found[name] == value
                for name, value in expected.items()
            )
            return found if matches else None

        return wait_for(look, f"{payment_id} with {expected}, it is {self.payment(payment_id)}")

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """One call of the sandbox's control API."""
        answer = self.sandbox.request(method, path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def requests(self, method: str, path: str, since: float = 0) -> list[dict[str, Any]]:
        """What the sandbox was asked, oldest first."""
        query = f"requests?method={method}&path={path}&since={since}"
        return [r for r in self.control("GET", query)["requests"] if r["path"] == path]

    def stripe(self, path: str) -> dict[str, Any]:
        """An object of the sandbox, as Stripe's API shows it."""
        answer = httpx.get(
            f"{self.about['stripeUrl']}/v1/{path}", auth=("sk_test_x", ""), trust_env=False
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def session_of(self, payment: dict[str, Any]) -> str:
        """The id of the session that the link leads to now."""
        answer = self.http.get(payment["url"])
        assert answer.status_code == 303, answer.text
        return answer.headers["location"].split("/c/pay/")[1].split("#")[0]

    def pay_by_form(self, url: str) -> str:
        """Pays a link without a browser, as the checkout page's form would; the session's id."""
        session = self.session_of({"url": url})
        buyer = {"email": "anna@example.com", "name": "Anna Example", "country": "DE"}
        card = {"card": "4242 4242 4242 4242", "expiry": "12 / 34", "cvc": "123"}
        answer = httpx.post(
            f"{self.about['stripeUrl']}/c/pay/{session}",
            data={**buyer, "postal": "10115", **card},
            trust_env=False,
        )
        assert answer.status_code == 303, answer.text
        return session

    def download(self, url: str) -> bytes:
        """What a download link of ours leads to."""
        answer = self.http.get(url)
        assert answer.status_code == 303, answer.text
        document = httpx.get(answer.headers["location"], trust_env=False)
        assert document.status_code == 200, document.text
        return document.content

    def card_that_paid(self, session: str) -> str:
        """The id of the payment method that a session was paid with."""
        intent = self.stripe(f"checkout/sessions/{session}")["payment_intent"]
        method: str = self.stripe(f"payment_intents/{intent}")["payment_method"]
        return method

    def taken_from(self, card: str) -> list[int]:
        """The amounts that a card was charged with, the newest first."""
        customer = self.stripe(f"payment_methods/{card}")["customer"]
        intents = self.stripe(f"payment_intents?customer={customer}&limit=100")["data"]
        return [i["amount_received"] for i in intents if i["status"] == "succeeded"]

    def answer_502_once(self, path: str = "/v1/checkout/sessions") -> None:
        """The next request that asks the provider for this fails, and only the retry gets it.

        The provider's client asks twice by itself."""
        self.control(
            "POST",
            "faults",
            {"kind": "drop", "method": "POST", "path": f"{path}$", "count": 2},
        )

    def expect_one_payment(self, payment_id: str, description: str, since: float) -> None:
        """A payment was made once, by two requests: the first asked twice for the session."""
        tries = self.requests("POST", "/v1/checkout/sessions", since)
        assert len(tries) == 3
        assert len({r["idempotency_key"] for r in tries}) == 1
        made = self.items("PAYMENT#")
        (same,) = (p for p in made if p["line_items"][0]["description"] == description)
        assert same["id"] == payment_id
        assert len(same["sessions"]) == 1

    def events(self, event_type: str, payment_id: str) -> list[dict[str, Any]]:
        """The provider's events of a type that are about a payment."""
        listed = self.stripe(f"events?type={event_type}&limit=100")["data"]
        return [
            e for e in listed if e["data"]["object"]["metadata"].get("payment_id") == payment_id
        ]

    def aws(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.about["awsEndpointUrl"],
            region_name=self.about["region"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def stored(self, pk: str, sk: str) -> dict[str, Any]:
        """One item of the table."""
        found: dict[str, Any] = self._table().get_item(Key={"pk": pk, "sk": sk})["Item"]
        return found

    def _table(self) -> Any:
        return boto3.resource(
            "dynamodb",
            endpoint_url=self.about["awsEndpointUrl"],
            region_name=self.about["region"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        ).Table(self.about["tableName"])

    def items(self, prefix: str) -> list[dict[str, Any]]:
        """All items whose key begins so. Only a test may scan."""
        table = self._table()
        found: list[dict[str, Any]] = []
        start: dict[str, Any] = {}
        while True:
            page = table.scan(ConsistentRead=True, **start)
            found += [item for item in page["Items"] if str(item["pk"]).startswith(prefix)]
            if "LastEvaluatedKey" not in page:
                return found
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def documents(self) -> list[str]:
        """Where all PDFs are that are stored."""
        pages = self.aws("s3").get_paginator("list_objects_v2")
        return [
            stored["Key"]
            for page in pages.paginate(Bucket=self.about["bucketName"])
            for stored in page.get("Contents", [])
        ]

    def invoke(self, function: str, event: dict[str, Any], folder: Path) -> str:
        """``make invoke`` with an event; what it printed."""
        file = folder / "event.json"
        file.write_text(json.dumps(event))
        done = make("invoke", f"FUNCTION={function}", f"EVENT={file}", state=self.state)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    @contextlib.contextmanager
    def held_webhooks(self) -> Iterator[None]:
        """While it lasts, the sandbox keeps its events back; they are dropped at the end."""
        self.control("POST", "webhooks/hold", {})
        try:
            yield
        finally:
            self.control("POST", "clear", {})
