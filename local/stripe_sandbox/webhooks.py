"""Delivers events to webhook endpoints: signed, retried, logged, and disturbed when a test asks.

A delivery is one event for one endpoint. Each is sent by a task of its own, so an endpoint that
hangs delays nobody. Waits are by the machine's clock, not the sandbox's.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import hmac
import json
import time
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import httpx

from .context import API_VERSION
from .errors import Json
from .ids import new_id
from .storage import Scope, Store

_KEPT_ATTEMPTS = 20
_SHOWN_BODY = 2000
RuleKind = Literal["hold", "drop", "duplicate", "delay", "corrupt"]


class RuleError(ValueError):
    """The control API was asked for something that doesn't exist."""


@dataclass
class Rule:
    """What happens to the next `count` events (null: until cleared) whose type matches `types`.

    hold       not sent until released
    drop       never sent; Stripe would list it as undelivered
    duplicate  sent `copies` times at once
    delay      sent after `seconds`
    corrupt    sent once with a broken `part` (body, signature, old timestamp); retries are right
    """

    kind: RuleKind
    types: list[str] = field(default_factory=lambda: ["*"])
    account: str = ""
    count: int | None = None
    copies: int = 2
    seconds: float = 1.0
    part: Literal["body", "signature", "timestamp"] = "signature"

    @classmethod
    def parse(cls, kind: str, given: Json) -> Rule:
        known = set(cls.__dataclass_fields__) - {"kind"}
        if unknown := sorted(given.keys() - known):
            raise RuleError(f"unknown members: {', '.join(unknown)}; known: {', '.join(known)}")
        if kind not in get_args(RuleKind):
            raise RuleError(f"no such rule: {kind}")
        rule = cls(**{"kind": kind, **given})
        if rule.part not in ("body", "signature", "timestamp"):
            raise RuleError("part must be body, signature or timestamp")
        if not isinstance(rule.types, list):
            raise RuleError("types must be a list")
        return rule

    def matches(self, account: str, type_: str) -> bool:
        return self.account in ("", account) and any(fnmatchcase(type_, t) for t in self.types)


class Dispatcher:
    """`start` and `stop` inside the event loop; `on_event` inside a transaction."""

    def __init__(self, store: Store, *, retry_base: float, timeout: float, max_tries: int) -> None:
        self._store = store
        self._retry_base = retry_base
        self._timeout = timeout
        self._max_tries = max_tries
        self._rules: list[Rule] = []
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._wake = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None
        self._client: httpx.AsyncClient | None = None
        store.listeners.append(self.on_event)

    async def start(self) -> None:
        # No kept connections: one that the endpoint just closed would look like its failure.
        limits = httpx.Limits(max_connections=200, max_keepalive_connections=0)
        self._client = httpx.AsyncClient(
            timeout=self._timeout, limits=limits, follow_redirects=False, trust_env=False
        )
        self._loop_task = asyncio.create_task(self._loop())

    async def stop(self) -> None:
        tasks = [*self._busy.values(), *([self._loop_task] if self._loop_task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._client:
            await self._client.aclose()

    # -- rules

    def add_rule(self, rule: Rule) -> None:
        self._rules.append(rule)

    def clear_rules(self) -> None:
        self._rules.clear()

    def drop_rules(self, kind: RuleKind) -> None:
        self._rules = [rule for rule in self._rules if rule.kind != kind]

    def rules(self) -> list[Json]:
        return [asdict(rule) for rule in self._rules]

    def _take_rule(self, account: str, type_: str) -> Rule | None:
        for rule in self._rules:
            if rule.matches(account, type_):
                if rule.count is not None:
                    rule.count -= 1
                    if rule.count <= 0:
                        self._rules.remove(rule)
                return rule
        return None

    # -- from events to deliveries

    def on_event(self, scope: Scope, event: Json) -> None:
        endpoints = [
            endpoint
            for endpoint in reversed(self._store.select(scope, "webhook_endpoint"))
            if endpoint["status"] == "enabled"
            and any(name in ("*", event["type"]) for name in endpoint["enabled_events"])
        ]
        if not endpoints:
            return
        rule = self._take_rule(scope.account, event["type"])
        for endpoint in endpoints:
            delivery = self._new_delivery(event, endpoint)
            if rule:
                self._apply(rule, delivery, event, endpoint)
            self._store.put_delivery(delivery)
        self._store.after_commit(self._wake.set)

    def _apply(self, rule: Rule, delivery: Json, event: Json, endpoint: Json) -> None:
        if rule.kind == "hold":
            delivery["state"] = "held"
        elif rule.kind == "drop":
            delivery["state"] = "dropped"
        elif rule.kind == "delay":
            delivery["due"] += rule.seconds
        elif rule.kind == "corrupt":
            delivery["corrupt"] = rule.part
        elif rule.kind == "duplicate":
            for _ in range(rule.copies - 1):
                self._store.put_delivery(self._new_delivery(event, endpoint, copy=True))

    def _new_delivery(self, event: Json, endpoint: Json, *, copy: bool = False) -> Json:
        return {
            "id": new_id("dlv"),
            "event": event["id"],
            "type": event["type"],
            "endpoint": endpoint["id"],
            "url": endpoint["url"],
            "state": "pending",
            "due": time.time(),
            "tries": 0,
            "copy": copy,
            "corrupt": None,
            "attempts": [],
        }

    # -- controls

    async def release(self, order: str | list[str], *, at_once: bool) -> list[Json]:
        """Sends what is held: in the given order one after another, or all at once.

        `order` is "given", "reverse", or a list of event ids, which then are the only ones sent.
        """
        held = self._store.deliveries(state="held")
        if order == "reverse":
            held.reverse()
        elif isinstance(order, list):
            held = [item for id_ in order for item in held if item["event"] == id_]
        elif order != "given":
            raise RuleError("order must be given, reverse, or a list of event ids")
        for delivery in held:
            # Claimed for this call: the loop doesn't take it as well.
            self._store.put_delivery({**delivery, "state": "sending"})
        if at_once:
            await asyncio.gather(*(self._send(delivery["id"]) for delivery in held))
        else:
            for delivery in held:
                await self._send(delivery["id"])
        return [item for item in (self._store.delivery(d["id"]) for d in held) if item]

    async def resend(
        self, event: Json, scope: Scope, copies: int, corrupt: str | None, endpoint: str | None
    ) -> list[Json]:
        """Sends an event again to its endpoints, `copies` times at once, without retries."""
        chosen = [
            item
            for item in self._store.select(scope, "webhook_endpoint")
            if endpoint in (None, item["id"])
            and any(name in ("*", event["type"]) for name in item["enabled_events"])
        ]
        deliveries: list[Json] = []
        for item in chosen:
            for _ in range(copies):
                delivery = self._new_delivery(event, item, copy=True)
                delivery.update(state="sending", corrupt=corrupt)
                self._store.put_delivery(delivery)
                deliveries.append(delivery)
        await asyncio.gather(*(self._send(delivery["id"]) for delivery in deliveries))
        return [item for item in (self._store.delivery(d["id"]) for d in deliveries) if item]

    def retry_now(self) -> int:
        """Doesn't wait for the next try of what failed."""
        waiting = self._store.deliveries(state="pending")
        for delivery in waiting:
            self._store.put_delivery({**delivery, "due": time.time()})
        self._wake.set()
        return len(waiting)

    # -- sending

    async def _loop(self) -> None:
        while True:
            self._wake.clear()
            now = time.time()
            for delivery in self._store.due_deliveries(now):
                if delivery["id"] not in self._busy:
                    task = asyncio.create_task(self._send(delivery["id"]))
                    self._busy[delivery["id"]] = task
                    task.add_done_callback(functools.partial(self._done, delivery["id"]))
            following = self._store.next_delivery()
            wait = min(0.5, max(0.01, following - now)) if following else 0.5
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), wait)

    def _done(self, id_: str, _task: asyncio.Task[None]) -> None:
        self._busy.pop(id_, None)

    async def _send(self, id_: str) -> None:
        delivery = self._store.delivery(id_)
        endpoint = self._store.find_any(delivery["endpoint"]) if delivery else None
        event = self._store.find_any(delivery["event"]) if delivery else None
        if delivery is None or endpoint is None or event is None:
            if delivery:
                self._store.put_delivery({**delivery, "state": "failed"})
            return
        attempt = await self._attempt(delivery, event[1], endpoint[1])
        current = self._store.delivery(id_)
        if current is None:
            return
        current["tries"] += 1
        current["corrupt"] = None
        current["attempts"] = [*current["attempts"], attempt][-_KEPT_ATTEMPTS:]
        answered = attempt["status"] is not None and 200 <= attempt["status"] < 300
        if current["copy"]:
            # The original counts; an extra copy is neither retried nor awaited.
            current["state"] = "copy"
            if answered:
                self._mark_delivered(current)
        elif answered:
            current["state"] = "succeeded"
        elif current["tries"] >= self._max_tries:
            current["state"] = "failed"
        else:
            current["state"] = "pending"
            current["due"] = time.time() + self._retry_base * 2 ** (current["tries"] - 1)
        self._store.put_delivery(current)

    def _mark_delivered(self, copy: Json) -> None:
        for other in self._store.deliveries(event=copy["event"], endpoint=copy["endpoint"]):
            if other["state"] in ("failed", "dropped"):
                self._store.put_delivery({**other, "state": "succeeded"})

    async def _attempt(self, delivery: Json, event: Json, endpoint: Json) -> Json:
        if self._client is None:
            raise RuntimeError("the dispatcher isn't started")
        started = time.time()
        pending = self._store.undelivered(event["id"])
        body = render(event, endpoint["api_version"], pending)
        corrupt = delivery["corrupt"]
        stamp = int(started) - (3600 if corrupt == "timestamp" else 0)
        header = sign(body, endpoint["_secrets"], stamp)
        if corrupt == "signature":
            header = sign(body, ["whsec_wrong"], stamp)
        elif corrupt == "body":
            body = body.replace(b'"livemode"', b'"livemodX"', 1)
        attempt: Json = {
            "time": started,
            "status": None,
            "error": None,
            "response": "",
            "signature": header,
        }
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.post(
                    endpoint["url"],
                    content=body,
                    headers={
                        "Content-Type": "application/json; charset=utf-8",
                        "Cache-Control": "no-cache",
                        "Accept": "*/*; q=0.5, application/xml",
                        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
                        "Stripe-Signature": header,
                    },
                )
            attempt["status"] = answer.status_code
            attempt["response"] = answer.text[:_SHOWN_BODY]
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, OSError) as error:
            attempt["error"] = f"{type(error).__name__}: {error}"
        attempt["seconds"] = round(time.time() - started, 3)
        return attempt


def render(event: Json, api_version: str | None, pending: int) -> bytes:
    """The body as Stripe prints it: indented, UTF-8, in the endpoint's API version."""
    shown: dict[str, Any] = {
        **event,
        "api_version": api_version or API_VERSION,
        "pending_webhooks": pending,
    }
    return json.dumps(shown, indent=2, ensure_ascii=False).encode()


def sign(body: bytes, secrets: list[str], timestamp: int) -> str:
    """Every secret that is still valid signs: after a roll there are two."""
    signed = f"{timestamp}.".encode() + body
    macs = (hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest() for secret in secrets)
    return ",".join([f"t={timestamp}", *(f"v1={mac}" for mac in macs)])
