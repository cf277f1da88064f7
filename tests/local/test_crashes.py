"""A function ends, or what it calls fails, at each of its steps: afterwards the books agree.

Every flow is run once undisturbed, to see its steps: writes to AWS and calls of the provider. Then
it is run anew for each step and each thing that can go wrong there, and finished as whoever waits
for it would. ``make crash`` plays all of it and prints what was answered; ``make test`` plays a
part.
"""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import pytest

from tests.local.books import check_books
from tests.local.conftest import Outcomes
from tests.local.flows import FLOWS, LONG_FLOWS, Create, Flow, Run
from tests.local.stack import Stack, wait_for
from tests.local.trouble import STALLS, Fault, Step, Trouble, faults_of

ALL = os.environ.get("PAYLINK_CRASHES") == "all"
Part = Literal["the moment", "aws", "stripe", "standing still"]


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

    def of(self, about: str) -> dict[str, int]:
        """How many events of each type there were about a payment, or else a customer.

        One that came twice counts once.
        """
        while messages := self._queue.receive_message(
            QueueUrl=self._url, MaxNumberOfMessages=10
        ).get("Messages"):
            for message in messages:
                event = json.loads(message["Body"])
                detail = event["detail"]
                data = detail["data"]
                told = self._told[data.get("paymentId") or data.get("customerId", "")]
                told[event["detail-type"]].add(detail["id"])
                self._queue.delete_message(
                    QueueUrl=self._url, ReceiptHandle=message["ReceiptHandle"]
                )
        return {kind: len(ids) for kind, ids in self._told[about].items()}


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


def waits(flow: Flow) -> bool:
    """Whether a run is finished after all others, so that they need not wait for it.

    A queue's run that comes again might meet the next one's fault.
    """
    return flow.claims or (flow.queued and not ALL)


def disturbed(
    flow: Flow, cases: Iterable[tuple[Step, Fault]], outcomes: Outcomes
) -> Iterator[tuple[Run, str]]:
    """Runs with one fault each, not finished yet where something has to run out first."""
    for step, fault in cases:
        run = flow.prepare()
        flow.trouble.clear()
        flow.trouble.make(flow.function, step, fault)
        flow.act(run)
        what = f"{fault.name} at {step.where} {step.at}, {step.name}"
        wait_for(lambda fault=fault: flow.trouble.struck(fault), f"{flow.function}: {what}")
        flow.trouble.clear()
        if not waits(flow):
            flow.finish(run)
        outcomes["steps disturbed"] += 1
        yield run, what


def cases_of(part: Part, steps: list[Step]) -> Iterator[tuple[Step, Fault]]:
    if part == "the moment":
        yield from a_part_of(steps)
    elif part == "standing still":
        yield from ((step, fault) for step in steps for fault in STALLS)
    else:
        here = [step for step in steps if step.where == part]
        yield from ((step, fault) for step in here for fault in faults_of(step))


PLAYED: list[tuple[Sequence[type[Flow]], Part]] = [(FLOWS, "the moment")]
if ALL:
    # Those that take longest first, for whoever plays several side by side.
    PLAYED = [
        ((kind,), part)
        for part in ("aws", "stripe", "standing still")
        for kind in reversed((*FLOWS, *LONG_FLOWS))
    ]


@pytest.mark.parametrize(
    ("kinds", "part"), PLAYED, ids=[f"{kinds[0].__name__}, {part}" for kinds, part in PLAYED]
)
def test_what_breaks_off_is_finished_once(
    kinds: Sequence[type[Flow]],
    part: Part,
    stack: Stack,
    trouble: Trouble,
    announcements: Announcements,
    outcomes: Outcomes,
) -> None:
    runs: list[tuple[Flow, Run, str]] = []
    with contextlib.ExitStack() as lasting:
        for kind in kinds:
            flow = kind(stack, trouble, lasting)
            first, steps = undisturbed(flow)
            assert steps
            runs.append((flow, first, "undisturbed"))
            with contextlib.ExitStack() as limits:
                if part == "standing still":  # which is soon over if the function has little time
                    limits.enter_context(trouble.limited(flow.function, flow.limit))
                broken_off = disturbed(flow, cases_of(part, steps), outcomes)
                runs += [(flow, run, what) for run, what in broken_off]
        for flow, run, what in runs:
            if flow.claims or (waits(flow) and what != "undisturbed"):
                flow.finish(run)
        ids = {id_ for _, run, _ in runs for id_ in (run.payment["id"], *run.others)}
        stored = check_books(stack, ids, seconds=120)
        for flow, run, what in runs:
            flow.check(run, stored[run.payment["id"]])
            outcomes[f"{flow.function}: {what}: {', then '.join(run.told) or 'by itself'}"] += 1
            if run.customer:
                await_told(announcements, run.customer, {"customer.erased": 1})
    for payment in stored.values():
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

    told = await_told(announcements, payment["id"], expected)
    told.pop("payment.refunded", None)
    assert told == expected, payment


def await_told(
    announcements: Announcements, about: str, expected: dict[str, int]
) -> dict[str, int]:
    def look() -> dict[str, int] | None:
        told = announcements.of(about)
        return told if all(told.get(kind, 0) >= n for kind, n in expected.items()) else None

    return wait_for(look, f"{expected} of {about}", 30)
