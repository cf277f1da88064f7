"""A function ends, or what it calls fails, at each of its steps: afterwards the books agree.

Every flow is run once undisturbed, to see its steps: writes to AWS and calls of the provider. Then
it is run anew for each step and each thing that can go wrong there, and finished as whoever waits
for it would: the caller and the buyer ask again, the provider, the queue, the stream and the
schedule come back by themselves. ``make crash`` plays all of it and prints what was answered;
``make test`` plays a part.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from paylink.domain.invoice import invoice_id_for
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
from tests.local.books import check_books
from tests.local.conftest import Outcomes
from tests.local.stack import Stack, wait_for
from tests.local.trouble import Fault, Step, Trouble, faults_of

ALL = os.environ.get("PAYLINK_CRASHES") == "all"
# A claim of a crashed request holds for as long as its function may run, 28 seconds at most.
PATIENCE = 60


@dataclass
class Run:
    """One run of a flow: whose it is, and what became of it."""

    api: Api
    key: str = field(default_factory=lambda: f"crash-{uuid.uuid4()}")
    payment: dict[str, Any] = field(default_factory=dict)
    wanted: Any = None
    told: list[str] = field(default_factory=list)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        """One request under the run's key."""
        answer = self.api.post(path, body, self.key)
        self.told.append(said(answer))
        return answer

    def insist(self, ask: Callable[[], httpx.Response]) -> dict[str, Any]:
        """Asks until there is an answer for good; it is a success."""
        deadline = time.monotonic() + PATIENCE
        while True:
            answer = ask()
            if answer.status_code < 400:
                found: dict[str, Any] = answer.json()["data"]
                return found
            waits = said(answer) in {"409 idempotency_in_progress", "409 charge_in_progress"}
            assert waits or answer.status_code >= 500, answer.text
            assert time.monotonic() < deadline, self.told
            time.sleep(1)


class Flow(ABC):
    """``function`` is the one that is disturbed.

    ``claims``: after a crash, the caller's key is claimed until the function's time is over.
    ``queued``: the function runs some time after the act.
    """

    function: str
    paid = True
    claims = False
    queued = False

    def __init__(self, stack: Stack, trouble: Trouble) -> None:
        self.stack = stack
        self.trouble = trouble

    def prepare(self) -> Run:
        """All that comes before the function's run."""
        api = Api(self.stack)
        return Run(api, payment=api.create())

    @abstractmethod
    def act(self, run: Run) -> None:
        """Makes the function run, whatever comes of it."""

    @abstractmethod
    def finish(self, run: Run) -> None:
        """What those do who wait for its work."""

    def steps(self) -> list[Step]:
        """What the function did since the last time that the trouble was cleared."""
        return self.trouble.steps(self.function)

    def check(self, run: Run, stored: dict[str, Any]) -> None:
        """What is so in this flow, beside what the books say of every payment."""
        assert stored["status"] == ("succeeded" if self.paid else "canceled"), run.told


class Create(Flow):
    function = "create_payment"
    paid = False
    claims = True

    def prepare(self) -> Run:
        return Run(Api(self.stack))

    def act(self, run: Run) -> None:
        run.ask("/payments", {"amount": 4900, "currency": "eur", "description": run.key})

    def finish(self, run: Run) -> None:
        body = {"amount": 4900, "currency": "eur", "description": run.key}
        run.payment = run.insist(lambda: run.ask("/payments", body))
        assert run.ask("/payments", body).json()["data"]["id"] == run.payment["id"]

    def check(self, run: Run, stored: dict[str, Any]) -> None:
        assert stored["status"] == "pending"
        (known,) = (s["id"] for s in stored["sessions"] if not s.get("ended"))
        assert self.stack.session_of(run.payment) == known


class OpenAndPay(Flow):
    function = "pay_page"

    def prepare(self) -> Run:
        api = Api(self.stack)
        payment, _ = with_ended_session(api)
        await_page(self.stack, payment)
        return Run(api, payment=payment)

    def act(self, run: Run) -> None:
        run.told.append(str(self.stack.http.post(run.payment["url"]).status_code))

    def finish(self, run: Run) -> None:
        def opened() -> httpx.Response | None:
            answer = self.stack.http.post(run.payment["url"])
            run.told.append(str(answer.status_code))
            return answer if "/c/pay/" in answer.headers.get("location", "") else None

        assert pay(self.stack, session_at(wait_for(opened, "the way to a checkout")))


class Settle(Flow):
    function = "stripe_webhook"

    def prepare(self) -> Run:
        run = super().prepare()
        self.stack.control("POST", "webhooks/hold", {})
        assert pay(self.stack, self.stack.session_of(run.payment))
        (run.wanted,) = self.stack.events("checkout.session.completed", run.payment["id"])
        return run

    def act(self, run: Run) -> None:
        sent = self.stack.control("POST", "webhooks/resend", {"event": run.wanted["id"]})
        run.told += [str(a["status"]) for d in sent["deliveries"] for a in d["attempts"]]

    def finish(self, run: Run) -> None:
        self.stack.control("POST", "clear", {})
        self.stack.await_payment(run.payment["id"], status="succeeded")


class Charge(Flow):
    function = "charge_payment"
    claims = True

    def prepare(self) -> Run:
        run = Run(Api(self.stack))
        run.wanted = customer_with_card(run.api)
        return run

    def _ask(self, run: Run) -> httpx.Response:
        answer = charge(run.api, run.wanted, run.key)
        run.told.append(said(answer))
        return answer

    def act(self, run: Run) -> None:
        self._ask(run)

    def finish(self, run: Run) -> None:
        run.payment = run.insist(lambda: self._ask(run))

    def check(self, run: Run, stored: dict[str, Any]) -> None:
        super().check(run, stored)
        theirs = [
            p for p in self.stack.items("PAYMENT#") if p.get("customer_public_id") == run.wanted
        ]
        assert [p["id"] for p in theirs if p.get("kind") == "charge"] == [stored["id"]]


class Cancel(Flow):
    function = "payments"
    paid = False
    claims = True

    def act(self, run: Run) -> None:
        run.ask(f"/payments/{run.payment['id']}/cancel")

    def finish(self, run: Run) -> None:
        run.insist(lambda: run.ask(f"/payments/{run.payment['id']}/cancel"))


class Refund(Flow):
    function = "transactions"
    claims = True

    def prepare(self) -> Run:
        run = super().prepare()
        hold_news_of_refunds(self.stack)
        assert pay(self.stack, self.stack.session_of(run.payment))
        self.stack.await_payment(run.payment["id"], status="succeeded")
        stored = self.stack.stored(f"PAYMENT#{run.payment['id']}", "PAYMENT")
        run.wanted = f"/transactions/{stored['settlement']['transaction_id']}/refund"
        return run

    def act(self, run: Run) -> None:
        run.ask(run.wanted, {"amount": 1000})

    def finish(self, run: Run) -> None:
        run.insist(lambda: run.ask(run.wanted, {"amount": 1000}))
        self.stack.control("POST", "clear", {})

    def check(self, run: Run, stored: dict[str, Any]) -> None:
        super().check(run, stored)
        assert stored["amount_refunded"] == 1000


class Sweep(Flow):
    function = "expire_links"
    paid = False

    def prepare(self) -> Run:
        api = Api(self.stack)
        deadline = datetime.now(UTC) + timedelta(minutes=31)
        run = Run(api, wanted=deadline + timedelta(seconds=1))
        sweep(self.stack, self.stack.aws("lambda"), run.wanted)
        run.payment = api.create(expiresAt=deadline.isoformat())
        return run

    def act(self, run: Run) -> None:
        answer = self.stack.aws("lambda").invoke(
            FunctionName=f"{self.stack.about['stackName']}-expire_links",
            Payload=json.dumps({"time": run.wanted.isoformat()}),
        )
        counts = json.loads(answer["Payload"].read())
        told = [f"{count} {name}" for name, count in counts.items() if count in range(1, 9)]
        run.told.append("error" if "FunctionError" in answer else ", ".join(told))

    def finish(self, run: Run) -> None:
        run.told.append(f"{sweep(self.stack, self.stack.aws('lambda'), run.wanted)['canceled']}")


class Issue(Flow):
    function = "issue_invoice"
    queued = True

    def act(self, run: Run) -> None:
        assert pay(self.stack, self.stack.session_of(run.payment))

    def finish(self, run: Run) -> None:
        """The queue gives its message again."""
        self.stack.await_payment(run.payment["id"], invoiceId=...)


class Dispatch(Flow):
    function = "dispatch_events"
    queued = True

    def prepare(self) -> Run:
        self.trouble.clear()
        run = super().prepare()
        wait_for(lambda: self.trouble.steps(self.function), "the payment's creation on the bus")
        return run

    def act(self, run: Run) -> None:
        assert pay(self.stack, self.stack.session_of(run.payment))

    def finish(self, run: Run) -> None:
        """The stream gives its records again."""
        self.stack.await_payment(run.payment["id"], invoiceId=...)

    def steps(self) -> list[Step]:
        """Any of its runs will do: there is one for each write of the table."""
        return super().steps()[:1]


class IssueNote(Flow):
    """The function of invoices, when money went back."""

    function = "issue_invoice"
    queued = True

    def prepare(self) -> Run:
        run = super().prepare()
        assert pay(self.stack, self.stack.session_of(run.payment))
        self.stack.await_payment(run.payment["id"], invoiceId=...)

        invoice = f"{invoice_id_for(run.payment['id'])}.pdf"
        wait_for(lambda: self._is_stored(invoice), "the invoice's PDF", 60)
        stored = self.stack.stored(f"PAYMENT#{run.payment['id']}", "PAYMENT")
        run.wanted = f"/transactions/{stored['settlement']['transaction_id']}/refund"
        return run

    def act(self, run: Run) -> None:
        assert run.ask(run.wanted, {"amount": 1000}).status_code == 201

    def finish(self, run: Run) -> None:
        """The queue gives its message again."""

        def noted() -> bool:
            notes = self.stack.items("CREDIT_NOTE#")
            theirs = [n["id"] for n in notes if n["payment_id"] == run.payment["id"]]
            return any(self._is_stored(f"{note}.pdf") for note in theirs)

        wait_for(noted, "the credit note", 60)

    def _is_stored(self, name: str) -> bool:
        return any(key.endswith(f"/{name}") for key in self.stack.documents())

    def steps(self) -> list[Step]:
        """Without those of an earlier flow's invoice that comes again."""
        found = super().steps()
        mine = [step for step in found if "CREDIT_NOTE" in step.keys or "/cn_" in step.what]
        return [replace(step, at=at) for at, step in enumerate(mine, 1)]

    def check(self, run: Run, stored: dict[str, Any]) -> None:
        super().check(run, stored)
        notes = self.stack.items("CREDIT_NOTE#")
        theirs = [n for n in notes if n["payment_id"] == stored["id"]]
        assert [int(n["amount_subtotal"]) + int(n["tax_amount"]) for n in theirs] == [1000]


class Hear(Flow):
    """What no webhook told: the money is found among the undelivered events."""

    function = "hear_undelivered"

    def prepare(self) -> Run:
        self.act(Run(Api(self.stack)))
        run = super().prepare()
        self.stack.control("POST", "webhooks/drop", {})
        assert pay(self.stack, self.stack.session_of(run.payment))
        return run

    def act(self, run: Run) -> None:
        answer = self.stack.aws("lambda").invoke(
            FunctionName=f"{self.stack.about['stackName']}-hear_undelivered", Payload=b"{}"
        )
        run.told.append("error" if "FunctionError" in answer else "heard")

    def finish(self, run: Run) -> None:
        self.act(run)
        self.stack.await_payment(run.payment["id"], status="succeeded")
        self.stack.control("POST", "clear", {})

    def steps(self) -> list[Step]:
        """One of each kind: it looks at what earlier runs have left, too, and at every account."""
        found = super().steps()
        listing = [step for step in found if step.what == "GET /v1/events"]
        writes = {step.name: step for step in reversed(found) if step.where == "aws"}
        return [*listing[:1], *writes.values()]


class ReturnSurplus(Flow):
    function = "return_surplus"
    queued = True

    def prepare(self) -> Run:
        api = Api(self.stack)
        hold_news_of_refunds(self.stack)
        payment, (taken_for_ended, current) = with_two_sessions(api)
        assert pay(self.stack, current)
        self.stack.await_payment(payment["id"], invoiceId=...)
        return Run(api, payment=payment, wanted=taken_for_ended)

    def act(self, run: Run) -> None:
        assert pay(self.stack, run.wanted)

    def finish(self, run: Run) -> None:
        """The queue gives its message again."""

        def returned() -> bool:
            stored = self.stack.stored(f"PAYMENT#{run.payment['id']}", "PAYMENT")
            return any(r.get("provider_id") for r in stored.get("refunds", []))

        wait_for(returned, "the surplus on its way back", 30)
        self.stack.control("POST", "clear", {})


def hold_news_of_refunds(stack: Stack) -> None:
    """The webhook would do some of the steps of who makes the refund, or not, as chance has it."""
    stack.control("POST", "webhooks/hold", {"types": ["refund.*", "charge.refund*"]})


FLOWS: tuple[type[Flow], ...] = (
    *(Create, OpenAndPay, Settle, Charge, Cancel, Refund, Sweep),
    *(Issue, Dispatch, ReturnSurplus),
)
# Their runs wait for queues and accounts: left to `make crash`.
LONG_FLOWS: tuple[type[Flow], ...] = (IssueNote, Hear)


class Announcements:
    """What the event bus told, kept by a queue of the tests' own."""

    def __init__(self, stack: Stack) -> None:
        self._queue, events = stack.aws("sqs"), stack.aws("events")
        name, bus = f"crashes-{uuid.uuid4()}", stack.about["eventBusName"]
        self._url = self._queue.create_queue(QueueName=name)["QueueUrl"]
        arn = f"arn:aws:sqs:{stack.about['region']}:000000000000:{name}"
        pattern = json.dumps({"source": [{"prefix": ""}]})
        events.put_rule(Name=name, EventBusName=bus, EventPattern=pattern)
        events.put_targets(Rule=name, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
        self._told: defaultdict[str, defaultdict[str, set[str]]] = defaultdict(
            lambda: defaultdict(set)
        )

    def of(self, payment_id: str) -> dict[str, int]:
        """How many events of each type there were; one that came twice counts once."""
        while messages := self._queue.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                event = json.loads(message["Body"])
                detail = event["detail"]
                told = self._told[detail["data"].get("paymentId", "")]
                told[event["detail-type"]].add(detail["id"])
                self._queue.delete_message(
                    QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"]
                )
        return {kind: len(ids) for kind, ids in self._told[payment_id].items()}


@pytest.fixture
def announcements(stack: Stack) -> Announcements:
    return Announcements(stack)


def undisturbed(flow: Flow) -> tuple[Run, list[Step]]:
    """A run, and what the function did in it."""
    run = flow.prepare()
    flow.trouble.clear()
    flow.act(run)
    if flow.queued:
        flow.finish(run)
        return run, flow.steps()
    steps = flow.steps()
    if not flow.claims:
        flow.finish(run)
    return run, steps


def a_part_of(steps: list[Step]) -> Iterator[tuple[Step, Fault]]:
    """The moment when most would be lost: the provider did its part, or the last write is done."""
    asked = [step for step in steps if step.where == "stripe" and not step.reads]
    yield (asked or steps)[-1], Fault("die_after")


def disturbed(
    flow: Flow, cases: Iterable[tuple[Step, Fault]], outcomes: Outcomes
) -> Iterator[tuple[Run, str]]:
    """Runs with one fault each, not finished yet where a claim has to run out first."""
    for step, fault in cases:
        run = flow.prepare()
        flow.trouble.clear()
        flow.trouble.make(flow.function, step, fault)
        flow.act(run)
        what = f"{fault.name} at {step.where} {step.at}, {step.name}"
        wait_for(lambda fault=fault: flow.trouble.struck(fault), f"{flow.function}: {what}")
        flow.trouble.clear()
        if not flow.claims:
            flow.finish(run)
        outcomes["steps disturbed"] += 1
        yield run, what


@pytest.mark.parametrize(
    "kinds",
    [[kind] for kind in (*FLOWS, *LONG_FLOWS)] if ALL else [FLOWS],
    ids=lambda kinds: kinds[0].__name__,
)
def test_what_breaks_off_is_finished_once(
    kinds: Sequence[type[Flow]],
    stack: Stack,
    trouble: Trouble,
    announcements: Announcements,
    outcomes: Outcomes,
) -> None:
    runs: list[tuple[Flow, Run, str]] = []
    for kind in kinds:
        flow = kind(stack, trouble)
        first, steps = undisturbed(flow)
        assert steps
        runs.append((flow, first, "undisturbed"))
        everything = ((step, fault) for step in steps for fault in faults_of(step))
        cases = everything if ALL else a_part_of(steps)
        runs += [(flow, run, what) for run, what in disturbed(flow, cases, outcomes)]
    for flow, run, _ in runs:
        if flow.claims:
            flow.finish(run)
    stored = check_books(stack, {run.payment["id"] for _, run, _ in runs}, seconds=120)
    for flow, run, what in runs:
        payment = stored[run.payment["id"]]
        flow.check(run, payment)
        outcomes[f"{flow.function}: {what}: {', then '.join(run.told) or 'by itself'}"] += 1
        expect_each_event_once(announcements, payment)
    described = [p["line_items"][0]["description"] for p in stack.items("PAYMENT#")]
    assert [described.count(run.key) for flow, run, _ in runs if isinstance(flow, Create)] == [
        1 for flow, _, _ in runs if isinstance(flow, Create)
    ]


def credited(payment: dict[str, Any]) -> list[dict[str, Any]]:
    paid = payment.get("settlement", {}).get("transaction_id")
    return [r for r in payment.get("refunds", []) if r["transaction_id"] == paid]


def expect_each_event_once(announcements: Announcements, payment: dict[str, Any]) -> None:
    expected = {}
    if payment["kind"] == "link":
        expected["payment.created"] = 1
    if payment["status"] == "succeeded":
        expected |= {"payment.succeeded": 1, "invoice.issued": 1}
    if payment["status"] == "canceled":
        expected["payment.canceled"] = 1
    if credited(payment):
        expected["credit_note.issued"] = len(credited(payment))
    if payment.get("surplus"):
        expected["payment.received_twice"] = len(payment["surplus"])

    def all_told() -> bool:
        told = announcements.of(payment["id"])
        return all(told.get(kind, 0) >= count for kind, count in expected.items())

    wait_for(all_told, f"the events of {payment['id']}", 30)
    told = announcements.of(payment["id"])
    told.pop("payment.refunded", None)
    assert told == expected, payment
