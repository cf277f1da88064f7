"""Many events to twenty endpoints, five of them dead and five slow: who waits, and what is lost?

A program, not a test: `make webhooks` runs it against the running local stack and prints a table.
How soon an event becomes deliveries is the emulator's and this machine's; what counts is who then
waits for whom, and that nothing is missing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from local.settings import client
from tests.local.stack import Stack
from tests.receiver import Answer, Receiver, receiver

SLOW_SECONDS = 4.0
KINDS = {
    "good": ["good"] * 10,
    "slow": ["slow"] * 5,
    "dead": ["fails", "fails", "hangs", "hangs", "refuses"],
}
NOBODY = "http://127.0.0.1:9/"


@dataclass(frozen=True)
class Endpoint:
    kind: str
    path: str
    id: str


def answers(path: str, _before: int) -> Answer:
    kind = path.strip("/").split("-")[0]
    return {
        "good": Answer(),
        "slow": Answer(pause=SLOW_SECONDS),
        "fails": Answer(500),
        "hangs": Answer(pause=30),
    }[kind]


def register(stack: Stack, company: Receiver) -> list[Endpoint]:
    made = []
    for kind, behaviours in KINDS.items():
        for number, behaviour in enumerate(behaviours):
            path = f"/{behaviour}-{number}"
            url = NOBODY if behaviour == "refuses" else f"{company.url}{path}"
            wanted = {"url": url, "events": ["customer.created"]}
            made.append(Endpoint(kind, path, stack.call("POST", "/webhooks", wanted)["id"]))
    return made


def publish(stack: Stack, count: int, rate: float) -> dict[str, float]:
    """Events as the outbox puts them on the bus; when each was, by its customer's id.

    At most ``rate`` a second: faster than the stack hands them on, they would only wait for that.
    """
    bus: Any = client("events", stack.about["awsEndpointUrl"])
    published: dict[str, float] = {}
    begun = time.monotonic()
    for start in range(0, count, 10):
        time.sleep(max(0.0, begun + start / rate - time.monotonic()))
        entries = []
        for _ in range(start, min(start + 10, count)):
            customer = f"cus_{uuid.uuid4().hex}"
            published[customer] = time.time()
            detail = {
                "id": f"evt_{uuid.uuid4().hex}",
                "time": datetime.now(UTC).isoformat(),
                "organizationId": stack.about["organizationId"],
                "mode": "sandbox",
                "data": {"id": customer, "email": "anna@example.com"},
            }
            entries.append(
                {
                    "EventBusName": stack.about["eventBusName"],
                    "Source": "paylink",
                    "DetailType": "customer.created",
                    "Detail": json.dumps(detail),
                }
            )
        assert bus.put_events(Entries=entries)["FailedEntryCount"] == 0
    return published


def log(stack: Stack, endpoint: Endpoint) -> list[dict[str, Any]]:
    """All deliveries of an endpoint."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        answer = stack.http.get(
            f"/webhooks/{endpoint.id}/deliveries?limit=100{cursor}",
            headers={"x-api-key": stack.about["apiKey"]},
        ).json()
        found += answer["data"]
        if not answer["hasMore"]:
            return found
        cursor = f"&cursor={answer['nextCursor']}"


def await_end(stack: Stack, endpoints: list[Endpoint], count: int, seconds: float) -> bool:
    """Until every endpoint has every event and none is on its way."""
    waiting, deadline = list(endpoints), time.monotonic() + seconds
    while waiting and time.monotonic() < deadline:
        time.sleep(5)
        first = waiting[0]
        done = Counter(d["status"] for d in log(stack, first))
        print(f"  {first.path}: {dict(done)}", file=sys.stderr)
        if done.total() == count and not done["pending"]:
            waiting.remove(first)
    return not waiting


def table(
    stack: Stack, endpoints: list[Endpoint], company: Receiver, published: dict[str, float]
) -> bool:
    """Prints the outcome by kind of endpoint; whether nothing is missing."""
    print("| endpoints | deliveries | succeeded | failed | pending | missing | attempts |", end="")
    print(" event to first attempt, median | 95 % | longest |", end="")
    print(" of that in the queue, median | 95 % | longest |\n|" + " --- |" * 13)
    whole = True
    for kind in KINDS:
        mine = [e for e in endpoints if e.kind == kind]
        logs = [log(stack, e) for e in mine]
        every = [d for deliveries in logs for d in deliveries]
        statuses = Counter(d["status"] for d in every)
        missing = len(published) * len(mine) - len(every)
        delays, queued = [], []
        for endpoint, deliveries in zip(mine, logs, strict=True):
            made = {d["eventId"]: datetime.fromisoformat(d["createdAt"]) for d in deliveries}
            first = {got.json["data"]["id"]: got for got in reversed(company.of(endpoint.path))}
            delays += [got.at - published[customer] for customer, got in first.items()]
            queued += [got.at - made[got.json["id"]].timestamp() for got in first.values()]
            if kind != "dead":
                missing += len(set(published) - set(first))
        whole = whole and not missing and not statuses["pending"]
        attempts = sum(len(d["attempts"]) for d in every)
        print(
            f"| {len(mine)} {kind} | {len(every)} | {statuses['succeeded']} | {statuses['failed']} "
            f"| {statuses['pending']} | {missing} | {attempts} "
            f"| {spread(delays)} | {spread(queued)} |"
        )
    off = [e for e in endpoints if not stack.call("GET", f"/webhooks/{e.id}")["isActive"]]
    print(f"\nSwitched off: {', '.join(e.path.strip('/') for e in off) or 'none'}.")
    return whole


def spread(seconds: list[float]) -> str:
    """Median, 95th percentile and longest."""
    cuts = statistics.quantiles(seconds, n=20)
    return f"{cuts[9]:.1f} s | {cuts[18]:.1f} s | {max(seconds):.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=2, help="events a second")
    parser.add_argument("--seconds", type=float, default=3600)
    arguments = parser.parse_args()
    stack = Stack.at(arguments.state)
    with receiver(answers) as company:
        endpoints = register(stack, company)
        try:
            published = publish(stack, arguments.events, arguments.rate)
            done = await_end(stack, endpoints, arguments.events, arguments.seconds)
            whole = table(stack, endpoints, company, published)
        finally:
            for endpoint in endpoints:
                stack.call("DELETE", f"/webhooks/{endpoint.id}")
    stack.close()
    sys.exit(0 if done and whole else 1)


if __name__ == "__main__":
    main()
