"""Two things at the same moment, many times over: whoever wins, the books agree afterwards.

``make race`` plays 200 rounds of each and prints how often which outcome was seen; ``make test``
plays a few. Rounds of a race differ in who is given how much of a start: it follows the outcomes,
so that both go on winning and the rounds stay near the moment that decides.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.local.acting import (
    Api,
    await_page,
    charge,
    customer_with_card,
    pay,
    said,
    session_at,
    sweep,
    with_ended_session,
    with_two_sessions,
)
from tests.local.books import check_books, sandbox_objects
from tests.local.conftest import Outcomes
from tests.local.stack import Stack
from tests.local.trouble import Trouble

ROUNDS = int(os.environ.get("PAYLINK_RACE_ROUNDS", "3"))


class Start:
    """The start that one of two rivals is given, in seconds; it is made to lose half the time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def wait(self) -> None:
        time.sleep(self._seconds * random.uniform(0.9, 1.1))  # noqa: S311 - no secret

    def was_enough(self, enough: bool) -> None:
        """Whether the other one, who waited for no one, won."""
        self._seconds = min(1.0, max(0.001, self._seconds * (0.8 if enough else 1.3)))


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls answered, made at the same moment."""
    with ThreadPoolExecutor(len(calls)) as pool:
        running = [pool.submit(call) for call in calls]
        return [one.result() for one in running]


def after(start: Start, call: Callable[[], Any]) -> Callable[[], Any]:
    def delayed() -> Any:
        start.wait()
        return call()

    return delayed


def test_cancel_against_pay(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    start = Start(0.08)
    seen: dict[str, str] = {}
    for _ in range(ROUNDS):
        payment = api.create()
        session = stack.session_of(payment)
        answer, paid = together(
            lambda payment=payment: api.cancel(payment),
            after(start, lambda session=session: pay(stack, session)),
        )
        start.was_enough(not paid)
        seen[payment["id"]] = f"cancel {answer}, {'paid' if paid else 'too late to pay'}"
        assert (answer, paid) in {("200", False), ("409 payment_not_cancelable", True)}
    for id_, stored in check_books(stack, seen).items():
        outcomes[f"{seen[id_]}: {stored['status']}"] += 1


def test_sweep_against_pay(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    start = Start(0.08)
    client = stack.aws("lambda")
    seen: dict[str, str] = {}
    for _ in range(ROUNDS):
        deadline = datetime.now(UTC) + timedelta(minutes=31)
        payment = api.create(expiresAt=deadline.isoformat())
        session = stack.session_of(payment)
        _, paid = together(
            lambda deadline=deadline: sweep(stack, client, deadline + timedelta(seconds=1)),
            after(start, lambda session=session: pay(stack, session)),
        )
        start.was_enough(not paid)
        seen[payment["id"]] = "paid" if paid else "too late to pay"
    for id_, stored in check_books(stack, seen).items():
        outcomes[f"{seen[id_]}: {stored['status']}"] += 1
        assert stored["status"] == ("succeeded" if seen[id_] == "paid" else "canceled")


def test_cancel_against_sweep(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    start = Start(0.02)
    client = stack.aws("lambda")
    seen: dict[str, str] = {}
    for _ in range(ROUNDS):
        deadline = datetime.now(UTC) + timedelta(minutes=31)
        payment = api.create(expiresAt=deadline.isoformat())
        answer, swept = together(
            after(start, lambda payment=payment: api.cancel(payment)),
            lambda deadline=deadline: sweep(stack, client, deadline + timedelta(seconds=1)),
        )
        assert answer == "200"
        start.was_enough(swept["canceled"] > 0)
        seen[payment["id"]] = "swept" if swept["canceled"] else "not swept"
    for id_, stored in check_books(stack, seen).items():
        outcomes[f"{seen[id_]}: canceled, {stored['cancellation_reason']}"] += 1
        assert stored["cancellation_reason"] == ("expired" if seen[id_] == "swept" else "requested")


def open_twice(stack: Stack, payment: dict[str, Any]) -> set[str]:
    """The sessions that two tabs are sent to at the same moment."""
    answers = together(*[lambda: stack.http.post(payment["url"])] * 2)
    assert {a.status_code for a in answers} == {303}, [a.text for a in answers]
    return {session_at(answer) for answer in answers}


def test_two_tabs(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    seen: dict[str, str] = {}
    for _ in range(ROUNDS):
        payment, first = with_ended_session(api)
        early = open_twice(stack, payment)  # while the news of the end is under way
        if early == {first}:
            await_page(stack, payment)
        (session,) = (early | open_twice(stack, payment)) - {first}
        paid = together(*[lambda session=session: pay(stack, session)] * 2)
        news = "late" if first in early else "early"
        seen[payment["id"]] = f"news of the end {news}, two forms, {sum(paid)} accepted"
    for id_, stored in check_books(stack, seen).items():
        outcomes[f"{seen[id_]}: {stored['status']}"] += 1
        assert stored["status"] == "succeeded"
        assert len(stored["sessions"]) == 2


def test_two_paid_sessions(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    seen: dict[str, int] = {}
    for _ in range(ROUNDS):
        payment, sessions = with_two_sessions(api)
        seen[payment["id"]] = sum(
            together(*[lambda session=session: pay(stack, session) for session in sessions])
        )
    for id_, stored in check_books(stack, seen).items():
        surplus = {one["transaction_id"] for one in stored.get("surplus", [])}
        returned = [r for r in stored.get("refunds", []) if r["transaction_id"] in surplus]
        outcomes[
            f"{seen[id_]} paid: {stored['status']}, {len(surplus)} came twice, "
            f"{len(returned)} sent back"
        ] += 1
        assert stored["status"] == "succeeded"
        assert len(surplus) == len(returned) == seen[id_] - 1


def test_cancel_against_a_new_tab(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    start = Start(0.03)
    seen: dict[str, str] = {}
    for _ in range(ROUNDS):
        payment, _ = with_ended_session(api)
        await_page(stack, payment)
        answer, opened = together(
            after(start, lambda payment=payment: api.cancel(payment)),
            lambda url=payment["url"]: stack.http.post(url),
        )
        assert answer == "200"
        went = "/c/pay/" in opened.headers.get("location", "")
        start.was_enough(went)
        seen[payment["id"]] = f"tab {opened.status_code} {'to a checkout' if went else 'nowhere'}"
    for id_, stored in check_books(stack, seen).items():
        outcomes[f"cancel 200, {seen[id_]}, {len(stored['sessions'])} sessions"] += 1
        assert stored["status"] == "canceled"


def test_decline_against_pay(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    ids: set[str] = set()
    for _ in range(ROUNDS):
        payment = api.create()
        session = stack.session_of(payment)
        _, paid = together(
            lambda session=session: pay(stack, session, card="4000 0000 0000 0002"),
            lambda session=session: pay(stack, session),
        )
        assert paid
        ids.add(payment["id"])
    for stored in check_books(stack, ids).values():
        statuses = [entry["status"] for entry in stored["history"]]
        outcomes[f"we saw {', '.join(statuses)}"] += 1
        assert stored["status"] == "succeeded"


def test_debit_settles_against_sweep_and_cancel(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    client = stack.aws("lambda")
    seen: dict[str, str] = {}
    for _ in range(ROUNDS):
        deadline = datetime.now(UTC) + timedelta(minutes=31)
        payment = api.create(expiresAt=deadline.isoformat())
        session = stack.session_of(payment)
        assert pay(stack, session, method="debit")
        intent = stack.stripe(f"checkout/sessions/{session}")["payment_intent"]
        # The news that the debit is on its way races with all of these.
        swept, canceled, _ = together(
            lambda deadline=deadline: sweep(stack, client, deadline + timedelta(seconds=1)),
            lambda payment=payment: api.cancel(payment),
            lambda intent=intent: stack.control("POST", f"payment_intents/{intent}/settle"),
        )
        assert swept["canceled"] == 0
        assert canceled == "409 payment_not_cancelable"
        seen[payment["id"]] = canceled
    for id_, stored in check_books(stack, seen).items():
        statuses = [entry["status"] for entry in stored["history"]]
        outcomes[f"cancel {seen[id_]}; we saw {', '.join(statuses)}"] += 1
        assert stored["status"] == "succeeded"


def test_success_against_its_duplicates(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    types = ["checkout.session.completed", "payment_intent.succeeded"]
    stack.control("POST", "webhooks/duplicate", {"types": types, "copies": 4})
    ids = []
    for _ in range(ROUNDS):
        payment = api.create()
        assert pay(stack, stack.session_of(payment))
        ids.append(payment["id"])
    stored = check_books(stack, ids)
    assert all(p["status"] == "succeeded" for p in stored.values())
    ours = {
        event["id"]
        for kind in types
        for event in sandbox_objects(stack, "events", type=kind)
        if event["data"]["object"]["metadata"].get("payment_id") in ids
    }
    deliveries = stack.control("GET", "deliveries")["deliveries"]
    answers = [
        (d["type"], a["status"]) for d in deliveries if d["event"] in ours for a in d["attempts"]
    ]
    outcomes.update(f"{kind}, answered {status}" for kind, status in answers)
    assert {status for _, status in answers} == {200}
    assert len(answers) == 8 * ROUNDS


@pytest.fixture
def customer(api: Api) -> str:
    return customer_with_card(api)


def test_charge_against_link(api: Api, stack: Stack, customer: str, outcomes: Outcomes) -> None:
    links, charges = [], []
    for number in range(ROUNDS):
        payment = api.create(customerId=customer)
        session = stack.session_of(payment)
        start = Start(0.3 * (number + 0.5) / ROUNDS)  # anywhere within the charge
        charged, paid = together(
            lambda: charge(api, customer),
            after(start, lambda session=session: pay(stack, session)),
        )
        assert charged.status_code == 201, charged.text
        assert paid
        links.append(payment["id"])
        charges.append(charged.json()["data"]["id"])
        outcomes["charge 201, link paid"] += 1
    stored = check_books(stack, {*links, *charges})
    assert all(p["status"] == "succeeded" for p in stored.values())
    (owner,) = {p["customer_id"] for p in stored.values()}
    key = f"CUSTOMER#{stack.about['organizationId']}#sandbox#{owner}"
    methods = [i for i in stack.items(key) if str(i["sk"]).startswith("PAYMENT_METHOD#")]
    assert len(methods) == 1


def test_two_charges(api: Api, stack: Stack, customer: str, outcomes: Outcomes) -> None:
    ids = set()
    for _ in range(ROUNDS):
        answers = together(*[lambda: charge(api, customer)] * 2)
        told = sorted(said(answer) for answer in answers)
        assert told in (["201", "409 charge_in_progress"], ["201", "201"])
        outcomes[", ".join(told)] += 1
        ids |= {a.json()["data"]["id"] for a in answers if a.status_code == 201}
    assert all(p["status"] == "succeeded" for p in check_books(stack, ids).values())
    # What was refused has left nothing.
    listed = [p for p in stack.items("PAYMENT#") if p.get("kind") == "charge"]
    theirs = {p["id"] for p in listed if p["customer_public_id"] == customer}
    assert theirs == ids


def test_two_sweeps(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    client = stack.aws("lambda")
    ids = set()
    for _ in range(ROUNDS):
        deadline = datetime.now(UTC) + timedelta(minutes=31)
        made = together(*[lambda deadline=deadline: api.create(expiresAt=deadline.isoformat())] * 8)
        moment = deadline + timedelta(seconds=1)
        counts = together(*[lambda moment=moment: sweep(stack, client, moment)] * 2)
        ids |= {payment["id"] for payment in made}
        assert sum(count["canceled"] for count in counts) == len(made), counts
        shares = sorted(count["canceled"] for count in counts)
        outcomes[f"8 links canceled: {shares[1]} by one, {shares[0]} by the other"] += 1
    assert all(p["status"] == "canceled" for p in check_books(stack, ids).values())


@pytest.mark.parametrize("function", ["expire_links", "hear_undelivered"])
def test_reconciliation_against_the_webhook(
    function: str, api: Api, stack: Stack, outcomes: Outcomes
) -> None:
    """Both find the same money at the same moment."""
    start = Start(0.1)
    client = stack.aws("lambda")
    ids: set[str] = set()

    def reconcile() -> None:
        moment = datetime.now(UTC) + timedelta(minutes=16)
        answer = client.invoke(
            FunctionName=f"{stack.about['stackName']}-{function}",
            Payload=json.dumps({"time": moment.isoformat()}),
        )
        counts = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, counts
        assert counts["failed"] == 0, counts

    for _ in range(ROUNDS):
        payment = api.create()
        ids.add(payment["id"])
        stack.control("POST", "webhooks/hold", {})
        assert pay(stack, stack.session_of(payment))
        together(
            after(start, lambda: stack.control("POST", "webhooks/release", {"at_once": True})),
            reconcile,
        )
        causes = history_of(stack, payment)
        start.was_enough(not causes[-1].startswith("evt_"))
    for stored in check_books(stack, ids).values():
        (settled,) = (e["cause"] for e in stored["history"] if e["status"] == "succeeded")
        outcomes[
            "the webhook settled" if settled.startswith("evt_") else f"{function} settled"
        ] += 1


def history_of(stack: Stack, payment: dict[str, Any]) -> list[str]:
    """What moved a payment so far."""
    stored = stack.stored(f"PAYMENT#{payment['id']}", "PAYMENT")
    return [entry["cause"] for entry in stored["history"]]


def test_refunds_at_once(api: Api, stack: Stack, outcomes: Outcomes) -> None:
    """Two parts of each of two payments: four credit notes want the next number."""
    told: Counter[str] = Counter()
    for _ in range(ROUNDS):
        made = [api.create() for _ in range(2)]
        for payment in made:
            assert pay(stack, stack.session_of(payment))
        asked = [
            (payment["id"], refund_path(stack, payment), amount)
            for payment in made
            for amount in (333, 1000)
        ]
        answers = together(
            *[
                lambda path=path, part=part: api.post(path, {"amount": part})
                for _, path, part in asked
            ]
        )
        for (payment_id, _, amount), answer in zip(asked, answers, strict=True):
            outcomes[f"refund {said(answer)}"] += 1
            told[payment_id] += amount if answer.status_code == 201 else 0
    for id_, stored in check_books(stack, told).items():
        assert int(stored["amount_refunded"]) == told[id_]


def refund_path(stack: Stack, payment: dict[str, Any]) -> str:
    """Of the transaction that pays a payment, once it does."""
    stack.await_payment(payment["id"], status="succeeded")
    stored = stack.stored(f"PAYMENT#{payment['id']}", "PAYMENT")
    return f"/transactions/{stored['settlement']['transaction_id']}/refund"


def test_fifty_at_once(api: Api, stack: Stack, outcomes: Outcomes, trouble: Trouble) -> None:
    """How often their numbers were tried for is told, not judged: it is the queue's to say."""
    for _ in range(max(1, ROUNDS // 50)):
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda _: api.create(), range(50)))
            sessions = list(pool.map(stack.session_of, made))
        before = {i["number"] for i in stack.items("INVOICE#")}
        stack.control("POST", "webhooks/hold", {})
        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(lambda session: pay(stack, session), sessions))
        trouble.clear()
        stack.control("POST", "webhooks/release", {"at_once": True})
        check_books(stack, {payment["id"] for payment in made}, seconds=120)
        writes = sum("NUMBERS" in step.keys for step in trouble.steps("issue_invoice"))
        ours = {p["id"] for p in made}
        numbers = sorted(
            int(i["number"].split("-")[2])
            for i in stack.items("INVOICE#")
            if i["payment_id"] in ours and i["number"] not in before
        )
        assert numbers == list(range(numbers[0], numbers[0] + 50))
        outcomes["50 paid: 50 consecutive numbers"] += 1
        outcomes["writes tried for them"] += writes
