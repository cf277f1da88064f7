"""The sandbox in this process on a free port, the SDK pointed at it, and a webhook receiver."""

from __future__ import annotations

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import stripe
import uvicorn

from local.stripe_sandbox.app import Config, create_app

DEADLINE = 10.0


def wait_for(what: Callable[[], Any], message: str = "", seconds: float = DEADLINE) -> Any:
    """The first true value of `what`, asked again and again until the deadline."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := what():
            return value
        time.sleep(0.02)
    raise AssertionError(f"didn't happen within {seconds} s: {message or what}")


class Server:
    """A running sandbox."""

    def __init__(self, state_file: Path | None = None, **config: Any) -> None:
        settings = {"webhook_retry_base": 0.05, "webhook_timeout": 3.0, **config}
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(Config(state_file=state_file, **settings)),
                log_level="error",
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))
        self._thread.start()
        wait_for(lambda: self._server.started, "the sandbox starts")
        self.http = httpx.Client(base_url=self.url, timeout=20, trust_env=False)

    def stop(self) -> None:
        self.http.close()
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()

    def client(self, key: str = "sk_test_acme_1", **options: Any) -> stripe.StripeClient:
        options = {"max_network_retries": 0, **options}
        return stripe.StripeClient(key, base_addresses={"api": self.url}, **options)

    def control(self, call: str, body: dict[str, Any] | None = None, **query: Any) -> Any:
        """`control("POST faults", {...})`; the answer must be 200."""
        method, path = call.split(" ")
        answer = self.http.request(method, f"/_control/{path}", json=body, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def pay(self, session_id: str, **fields: str) -> httpx.Response:
        """Sends the checkout form as its script does."""
        form = {
            "method": "card",
            "email": "buyer@example.com",
            "card": "4242 4242 4242 4242",
            "expiry": "12 / 34",
            "cvc": "123",
            "name": "Ada Buyer",
            "country": "DE",
            "postal": "10115",
        }
        return self.http.post(
            f"/c/pay/{session_id}", data={**form, **fields}, headers={"Accept": "application/json"}
        )

    def answer_challenge(self, session_id: str, answer: str) -> httpx.Response:
        return self.http.post(
            f"/c/pay/{session_id}/authenticate",
            data={"answer": answer},
            headers={"Accept": "application/json"},
        )


class Receiver:
    """A webhook endpoint that keeps what it got and answers as told."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []  # the next ones; then 200
        self.hang = threading.Event()
        self.hanging = False
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((dict(self.headers.items()), body))
                if receiver.hanging:
                    receiver.hang.wait(10)
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        class Many(http.server.ThreadingHTTPServer):
            request_queue_size = 128

        self._server = Many(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hook"
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()

    def close(self) -> None:
        self.hang.set()
        self._server.shutdown()
        self._server.server_close()

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in list(self.got)]

    def types(self) -> list[str]:
        return [event["type"] for event in self.events()]

    def wait(self, type_: str, count: int = 1) -> list[dict[str, Any]]:
        def found() -> list[dict[str, Any]] | None:
            events = [event for event in self.events() if event["type"] == type_]
            return events if len(events) >= count else None

        result: list[dict[str, Any]] = wait_for(found, f"{count} × {type_}; got {self.types()}")
        return result


def session_params(**changes: Any) -> Any:
    """A checkout session as the product makes it."""
    price = {
        "currency": "eur",
        "unit_amount": 10000,
        "tax_behavior": "exclusive",
        "product_data": {"name": "Consulting"},
    }
    return {
        "mode": "payment",
        "success_url": "https://shop.example/done?s={CHECKOUT_SESSION_ID}",
        "line_items": [{"price_data": {**price, **changes.pop("price", {})}, "quantity": 1}],
        **changes,
    }
