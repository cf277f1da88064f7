"""What can be broken off: each flow makes one function run, and knows how its work is ended.

A flow ends as whoever waits for it would end it: the caller and the buyer ask again, the provider,
the queue, the stream and the schedule come back by themselves.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from paylink.adapters.dynamodb.packing import unpacked
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
from tests.local.stack import Stack, wait_for
from tests.local.test_webhooks_out import registered
from tests.local.trouble import Step, Trouble
from tests.receiver import Answer, Answers

# A claim of a crashed request holds for as long as its function may run, 28 seconds at most.
PATIENCE = 60


@dataclass
class Run:
    """One run of a flow: whose it is, and what became of it."""

    api: Api
    key: str = field(default_factory=lambda: f"crash-{uuid.uuid4()}")
    payment: dict[str, Any] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    """Further payments that it is about."""
    customer: str = ""
    """Our id of whom it erased."""
    wanted: Any = None
    told: list[str] = field(default_factory=list)

    def ask(
        self, path: str, body: dict[str, Any] | None = None, method: str = "POST"
    ) -> httpx.Response:
        """One request under the run's key."""
        answer = self.api.ask(method, path, body, self.key)
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

    ``ends`` is the payment's status in the end. ``claims``: after a crash, something is claimed
    until the function's time is over. ``queued``: the function runs some time after the act.
    ``limit``: with so many seconds it does its work, and is soon over if it stands still.
    """

    function: str
    ends = "succeeded"
    claims = False
    queued = False
    limit = 3

    def __init__(self, stack: Stack, trouble: Trouble, lasting: contextlib.ExitStack) -> None:
        """``lasting`` is closed when all runs are over."""
        self.stack = stack
        self.trouble = trouble
        self.lasting = lasting

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
        assert stored["status"] == self.ends, run.told


class Create(Flow):
    function = "create_payment"
    ends = "pending"
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
        super().check(run, stored)
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
    ends = "canceled"
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
    ends = "canceled"
    limit = 28  # it begins nothing in the last 25

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
    limit = 10  # of which a busy machine takes some to load fonts

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
    limit = 10  # of which a busy machine takes some to load fonts

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
    limit = 28  # it begins nothing in the last 25

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
        return list({step.name: step for step in reversed(super().steps())}.values())


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


class Erase(Flow):
    """Somebody who paid by one link, whose card is kept, and for whom another link waits."""

    function = "erase_customer"
    claims = True

    def prepare(self) -> Run:
        api = Api(self.stack)
        run = Run(api)
        person = {"email": f"{run.key}@example.com", "fullName": f"Anna {run.key}"}
        made = api.post("/customers", {**person, "externalId": run.key})
        assert made.status_code == 201, made.text
        run.payment = api.create(customerId=run.key)
        session = self.stack.session_of(run.payment)
        assert pay(self.stack, session, email=person["email"], name=person["fullName"])
        self.stack.await_payment(run.payment["id"], invoiceId=...)
        run.others.append(api.create(customerId=run.key)["id"])
        paid = self.stack.stored(f"PAYMENT#{run.payment['id']}", "PAYMENT")
        run.customer = paid["customer_id"]
        known = self.stack.stripe(f"checkout/sessions/{session}")["customer"]
        run.wanted = (known, self.stack.card_that_paid(session))
        return run

    def _ask(self, run: Run) -> str:
        return said(run.ask(f"/customers/{run.key}", method="DELETE"))

    def act(self, run: Run) -> None:
        self._ask(run)

    def finish(self, run: Run) -> None:
        """Nobody is found who was erased, which is the answer to a retry of what was done."""
        ended = {"200", "404 customer_not_found"}
        wait_for(lambda: self._ask(run) in ended, f"the erasure of {run.customer}", PATIENCE)

    @functools.cached_property
    def _in_the_end(self) -> list[dict[str, Any]]:
        return self.stack.items("")

    def check(self, run: Run, stored: dict[str, Any]) -> None:
        super().check(run, stored)
        (link,) = (self.stack.stored(f"PAYMENT#{other}", "PAYMENT") for other in run.others)
        assert (link["status"], link["cancellation_reason"]) == ("canceled", "requested"), run.told
        tell = [i for i in self._in_the_end if run.key in repr(i)]
        # Documents stay, and copies of what was answered or told until their time is over.
        left = {item["pk"].partition("#")[0] for item in tell}
        assert left <= {"INVOICE", "IDEMPOTENCY", "DELIVERY"}, (run.told, left)
        theirs = [i for i in self._in_the_end if i["pk"].endswith(f"#{run.customer}")]
        kept = {i["sk"]: i for i in theirs}
        kept.pop("CHARGE", None)  # the lease of one that broke off; it ends by itself
        assert kept.keys() == {"CUSTOMER"}, run.told
        assert kept["CUSTOMER"]["erased_at"], run.told
        known, card = run.wanted
        assert self.stack.stripe(f"customers/{known}")["deleted"], run.told
        assert self.stack.stripe(f"payment_methods/{card}")["customer"] is None, run.told


class Tell(Flow):
    """Something of ours is told by webhooks: ``event``, at so many ``endpoints``."""

    queued = True
    event: str
    endpoints: int
    answers: Answers = staticmethod(lambda _path, _before: Answer())

    def __init__(self, stack: Stack, trouble: Trouble, lasting: contextlib.ExitStack) -> None:
        super().__init__(stack, trouble, lasting)
        # On AWS, and else here, a queue waits longer than its function may run.
        self.lasting.enter_context(trouble.soon_again(self.function))
        self.companies = {
            endpoint["id"]: company
            for company, endpoint in (
                self.lasting.enter_context(registered(stack, [self.event], self.answers))
                for _ in range(self.endpoints)
            )
        }

    def _deliveries(self, run: Run) -> list[dict[str, Any]]:
        return [
            delivery
            for delivery in self.stack.items("DELIVERY#")
            if delivery["endpoint_id"] in self.companies
            and json.loads(body_of(delivery))["data"]["paymentId"] == run.payment["id"]
        ]

    def finish(self, run: Run) -> None:
        """The queues give their messages again."""

        def all_told() -> bool:
            told = [d for d in self._deliveries(run) if d.get("status") == "succeeded"]
            return {delivery["endpoint_id"] for delivery in told} == self.companies.keys()

        wait_for(all_told, f"{self.event} of {run.payment['id']} at every endpoint", PATIENCE)

    def check(self, run: Run, stored: dict[str, Any]) -> None:
        """One delivery for each endpoint, which got every attempt that is on record."""
        super().check(run, stored)
        deliveries = self._deliveries(run)
        assert sorted(d["endpoint_id"] for d in deliveries) == sorted(self.companies), run.told
        assert len({d["event_id"] for d in deliveries}) == 1, run.told
        for delivery in deliveries:
            company = self.companies[delivery["endpoint_id"]]
            got = [g for g in company.of("/x") if g.headers["webhook-id"] == delivery["event_id"]]
            assert {g.body.decode() for g in got} == {body_of(delivery)}, run.told
            noted = [int(a["status_code"]) for a in delivery["attempts"]]
            assert 1 <= len(noted) <= len(got), run.told
            assert (delivery.get("status"), noted[-1]) == ("succeeded", 200), run.told


def body_of(delivery: dict[str, Any]) -> str:
    return unpacked(bytes(delivery["body"]))


class FanOut(Tell):
    function = "fan_out_event"
    ends = "canceled"
    event = "payment_link.canceled"
    endpoints = 2

    def act(self, run: Run) -> None:
        run.api.cancel(run.payment)


class Deliver(Tell):
    """The endpoint takes an event with the second attempt, so that there is a wait between them."""

    function = "deliver_webhooks"
    ends = "pending"
    event = "payment_link.created"
    endpoints = 1
    answers = staticmethod(lambda _path, before: Answer(500 if before == 0 else 200))

    def prepare(self) -> Run:
        return Run(Api(self.stack))

    def act(self, run: Run) -> None:
        run.payment = run.api.create()


FLOWS: tuple[type[Flow], ...] = (
    *(Create, OpenAndPay, Settle, Charge, Cancel, Refund, Sweep),
    *(Issue, Dispatch, ReturnSurplus),
    *(Erase, FanOut, Deliver),
)
# Their runs wait for queues and accounts: left to `make crash`.
LONG_FLOWS: tuple[type[Flow], ...] = (IssueNote, Hear)
