"""The arithmetic of docs/performance.md: what a million payments cost."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.costs import PARTS, Life, Work, cost_tables, dollars, works
from benchmarks.measure import Samples

LIFE = Life(requests=2, events=1, messages=2, sent_together=1, documents=1)


def work(**changes: object) -> Work:
    given = {
        "name": "a function",
        "times": 1,
        "share": 1.0,
        "memory": 1769,
        "cpu": 10.0,
        "asks": {"GetItem": 1.0, "Stripe POST /v1/checkout/sessions": 1.0},
        "read_units": 1.0,
        "write_units": 4.0,
        "log_bytes": 500.0,
    }
    return Work(**(given | changes))  # type: ignore[arg-type]


def test_work_takes_longer_with_less_memory_and_waiting_takes_as_long() -> None:
    waiting = 600.0 + 6.0
    assert work().milliseconds == pytest.approx(10.0 + waiting)
    assert work(memory=1769 // 2).milliseconds == pytest.approx(20.0 + waiting, abs=0.1)
    assert work(memory=4000).milliseconds == pytest.approx(10.0 + waiting)


def test_a_million_payments_cost_what_the_list_says() -> None:
    found = {name: cost for name, (_, cost) in dollars(LIFE, [work()], 1).items()}
    assert found == pytest.approx(
        {
            "HTTP API, requests": 2.00,
            "Lambda, requests": 0.20,
            "DynamoDB, write units": 2.50,
            "DynamoDB, read units": 0.125,
            "EventBridge, events": 1.00,
            "SQS, requests": 2.40,
            "S3, PDFs stored": 5.00,
            "Lambda, GB-seconds": 0.616 * 1769 / 1024 * 13.3334,
            "CloudWatch, kB of logs": (500 + 2 * 246) / 1000 * 0.50,
        }
    )


def test_full_batches_share_runs_and_two_requests_of_each_message() -> None:
    found = {name: amount for name, (amount, _) in dollars(LIFE, [work(share=0.1)], 10).items()}
    assert found["Lambda, requests"] == pytest.approx(0.1)
    assert found["SQS, requests"] == pytest.approx(1.5)
    assert found["Lambda, GB-seconds"] == pytest.approx(0.616 * 1769 / 1024)


def test_events_that_are_handled_side_by_side_share_their_waiting_too() -> None:
    assert work(share=0.1, side_by_side=True).milliseconds == pytest.approx(10.0 + 60.6)


def test_of_a_full_batch_each_event_has_its_part() -> None:
    """A batch of ten, measured as a whole, beside a run of one."""
    alone, full = sampled(cpu=5.0, calls=2.0), sampled(cpu=20.0, calls=5.0)
    measured = dict.fromkeys(PARTS, alone)
    measured |= {part.full: full for part in PARTS.values() if part.full}
    memories = {name.partition(":")[0]: 512 for name in PARTS}
    name = "issue_invoice: one"
    (one,) = (w for w in works(measured, memories, busy=False) if w.name == name)
    assert (one.share, one.cpu, one.asks, one.log_bytes) == (1.0, 5.0, {"GetItem": 2.0}, 126.0)
    (of_ten,) = (w for w in works(measured, memories, busy=True) if w.name == name)
    assert (of_ten.share, of_ten.cpu, of_ten.asks) == (0.1, 2.0, {"GetItem": 0.5})
    assert (of_ten.write_units, of_ten.log_bytes) == pytest.approx((0.3, 12.6))


@pytest.mark.parametrize(("units", "over"), [(3.0, False), (30.0, True)])
def test_what_costs_more_than_was_aimed_at_is_said(units: float, over: bool) -> None:
    measured = replace(sampled(cpu=5.0, calls=2.0), write_units=units, peak=[50.0])
    scenarios = dict.fromkeys([*PARTS, *(p.full for p in PARTS.values() if p.full)], measured)
    memories = {name.partition(":")[0]: 512 for name in PARTS}
    tables, dear = cost_tables(scenarios, memories)
    assert tables.keys() == {"costs", "memory"}
    assert bool(dear) is over
    assert cost_tables({"create_payment": measured}, memories) == ({}, [])


def sampled(cpu: float, calls: float) -> Samples:
    return Samples(
        cpu=[cpu], calls={"GetItem": calls}, write_units=3.0, log_bytes=100.0, log_lines=1.0
    )
