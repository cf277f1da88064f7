"""Drives the Stripe sandbox as its other users would: the buyer at checkout, the dashboard, a bank.

The sandbox is the one of the local stack. It runs in a thread of this process, and each test begins
with an empty one.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn

from local.stripe_sandbox.app import create_app

CARD = "4242 4242 4242 4242"
MASTERCARD = "5555 5555 5555 4444"
DECLINED = "4000 0000 0000 0002"
INSUFFICIENT = "4000 0000 0000 9995"
ASKS_3DS = "4000 0000 0000 3220"


@dataclass(frozen=True)
class Buyer:
    """What somebody types at checkout."""

    email: str = "buyer@customer.example"
    name: str = "Bärbel Buyer"
    country: str = "DE"
    postal: str = "10115"
    vat: str = ""


class StripeSandbox:
    """A running sandbox; ``url`` is its API's base address."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=url, trust_env=False, timeout=30)

    def close(self) -> None:
        self._http.close()

    # -- the control API

    def reset(self) -> None:
        self.control("POST", "reset")

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._http.request(method, f"/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def fault(self, kind: str, **members: Any) -> None:
        self.control("POST", "faults", {"kind": kind, **members})

    def advance_clock(self, seconds: float) -> None:
        self.control("POST", "clock", {"advance": seconds})

    def requests(self, method: str = "", path: str = "/v1") -> list[dict[str, Any]]:
        """What the service asked of Stripe, oldest first; the tests' own reads are left out."""
        found: list[dict[str, Any]] = self.control("GET", f"requests?method={method}&path={path}")[
            "requests"
        ]
        return [entry for entry in found if "x-of-the-test" not in entry["headers"]]

    def session_creations(self) -> list[dict[str, Any]]:
        return [r for r in self.requests("POST") if r["path"] == "/v1/checkout/sessions"]

    def forget_requests(self) -> None:
        self.control("DELETE", "requests")

    def settle_debit(self, intent: str) -> None:
        self.control("POST", f"payment_intents/{intent}/settle")

    def bounce_debit(self, intent: str) -> None:
        self.control("POST", f"payment_intents/{intent}/bounce")

    # -- the account's owner, by the API

    def api(self, key: str, method: str, path: str, **parameters: Any) -> dict[str, Any]:
        content = {"params": parameters} if method == "GET" else {"data": parameters}
        answer = self._http.request(
            method,
            path,
            headers={"authorization": f"Bearer {key}", "x-of-the-test": "1"},
            **content,  # type: ignore[arg-type]
        )
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def sessions(self, key: str, **filters: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api(
            key, "GET", "/v1/checkout/sessions", limit=100, **filters
        )["data"]
        return found

    def session(self, key: str, session_id: str) -> dict[str, Any]:
        return self.api(key, "GET", f"/v1/checkout/sessions/{session_id}")

    def events(self, key: str) -> list[dict[str, Any]]:
        """All that happened on the account, oldest first."""
        found: list[dict[str, Any]] = self.api(key, "GET", "/v1/events", limit=100)["data"]
        return found[::-1]

    # -- the buyer, at the hosted checkout page

    def pay(self, session_url: str, card: str = CARD, buyer: Buyer | None = None) -> httpx.Response:
        """One press of the button "Pay": 200 with where it goes on, or 402 with why not."""
        return self._submit(session_url, buyer, method="card", card=card, expiry="12 / 34")

    def pay_by_debit(self, session_url: str, buyer: Buyer | None = None) -> None:
        answer = self._submit(session_url, buyer, method="debit")
        assert answer.status_code == 200, answer.text

    def answer_3ds(self, session_url: str, answer: str) -> httpx.Response:
        """``approve`` or ``refuse``."""
        path = session_url.partition("#")[0]
        return self._http.post(
            f"{path}/authenticate", data={"answer": answer}, headers={"accept": "application/json"}
        )

    def _submit(self, session_url: str, buyer: Buyer | None, **fields: str) -> httpx.Response:
        who = buyer or Buyer()
        cvc = {} if fields["method"] == "debit" else {"cvc": "123"}
        return self._http.post(
            session_url.partition("#")[0],
            data={
                "email": who.email,
                "name": who.name,
                "country": who.country,
                "postal": who.postal,
                "vat": who.vat,
                **cvc,
                **fields,
            },
            headers={"accept": "application/json"},
        )


def webhook_body(event: dict[str, Any]) -> bytes:
    """An event as Stripe prints it on the wire."""
    return json.dumps(event, indent=2, ensure_ascii=False).encode()


def signature(body: bytes, secret: str, timestamp: int) -> str:
    """The header of Stripe's scheme v1, computed without its SDK."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={mac}"


@contextmanager
def running_sandbox() -> Iterator[StripeSandbox]:
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(
            uvicorn.Config(create_app(), log_level="error", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        deadline = time.monotonic() + 20
        while not server.started:
            assert thread.is_alive(), "the sandbox did not start"
            assert time.monotonic() < deadline, "the sandbox did not start"
            time.sleep(0.01)
        sandbox = StripeSandbox(f"http://127.0.0.1:{port}")
        try:
            yield sandbox
        finally:
            sandbox.close()
            server.should_exit = True
            thread.join(10)
