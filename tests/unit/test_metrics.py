"""Metrics are right once: whatever is repeated, replayed or refused is not counted again."""

from __future__ import annotations

from typing import Any, cast

import pytest

from paylink.domain.errors import InvalidWebhookError, NotFoundError
from paylink.domain.events import DomainEvent
from paylink.metrics import (
    AMOUNT_PAID,
    INVOICE_LAG,
    LINKS_EXPIRED,
    LINKS_MADE,
    METRICS,
    PAYMENTS_FAILED,
    PAYMENTS_SUCCEEDED,
    SIGNATURE_FAILURES,
    SWEEP_BACKLOG,
    WEBHOOK_LAG,
    Measure,
    measures_of,
)
from paylink.ports import WebhookRepository
from paylink.services.dispatch_events import StreamRecord, dispatch_events
from tests.unit.fakes import START, FakeEventBus
from tests.unit.test_dispatch_events import Endpoints
from tests.unit.test_stripe_webhook import receive
from tests.unit.world import World, event_of

MODE = {"mode": "sandbox"}


def told(world: World, payment_id: str) -> list[Measure]:
    """What the events of one payment count as."""
    return [m for event in world.memory.events_about(payment_id) for m in measures_of(event)]


def test_a_paid_link_counts_as_made_paid_money_and_invoice(world: World) -> None:
    payment_id = world.paid()
    world.clock.advance(seconds=90)
    world.issue(payment_id)
    amount = world.payment(payment_id).amount_total
    made, paid, money, lag = told(world, payment_id)
    assert (made, paid) == (Measure(LINKS_MADE, 1, MODE), Measure(PAYMENTS_SUCCEEDED, 1, MODE))
    assert money == Measure(AMOUNT_PAID, amount, {"mode": "sandbox", "currency": "eur"})
    assert (lag.metric, lag.dimensions) == (INVOICE_LAG, MODE)
    assert lag.value >= 90


def test_a_link_counts_as_expired_only_if_time_ended_it(world: World) -> None:
    canceled, expired = world.new_payment(), world.new_payment()
    world.cancel(canceled)
    world.clock.advance(days=31)
    world.sweep()
    assert [m.metric for m in told(world, canceled)] == [LINKS_MADE]
    assert [m.metric for m in told(world, expired)] == [LINKS_MADE, LINKS_EXPIRED]


def event(name: str, **data: Any) -> DomainEvent:
    return DomainEvent("payment.failed", START, "org_1", "live", data, id=name)


@pytest.mark.parametrize(("refused", "first", "second"), [("", 3, 0), ("c", 2, 1), ("a", 0, 3)])
def test_what_comes_again_is_counted_when_it_is_through(
    refused: str, first: int, second: int
) -> None:
    records = [StreamRecord(str(n), (event(name),)) for n, name in enumerate("abc")]
    bus, measures = FakeEventBus(refused), list[Measure]()
    nobody = cast("WebhookRepository", Endpoints())
    failed = dispatch_events(records, bus=bus, webhooks=nobody, metrics=measures.append)
    assert measures == [Measure(PAYMENTS_FAILED, 1, {"mode": "live"})] * first
    if failed:
        bus.refused = set()
        dispatch_events(
            records[int(failed[0]) :], bus=bus, webhooks=nobody, metrics=measures.append
        )
    assert len(measures) == first + second == 3


def test_the_lag_of_a_webhook_is_told_by_the_event_that_moved_the_payment(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.pay(session)
    news = event_of(payment_id, session_id=session, at=world.clock())
    world.clock.advance(seconds=7)
    assert world.notify(news) == "succeeded"
    assert world.notify(news) == "seen before"
    assert world.hear(payment_id) == "succeeded"
    assert world.measures == [Measure(WEBHOOK_LAG, 7.0, MODE)]


def test_every_sweep_tells_what_it_left_be_it_nothing(world: World) -> None:
    world.sweep()
    payment_id = world.new_payment()
    world.provider.fail("fetch_checkout", "unavailable")
    world.clock.advance(days=31)
    world.sweep()
    world.sweep()
    assert world.measures == [Measure(SWEEP_BACKLOG, backlog) for backlog in (0, 1, 0)]
    assert world.payment(payment_id).status == "canceled"


def test_a_wrong_signature_counts_where_there_is_one_to_be_right() -> None:
    measures: list[Measure] = []
    receive("org_1", "live", "whsec_1_live", measures.append)
    with pytest.raises(NotFoundError):
        receive("org_3", "live", "whsec_1_live", measures.append)
    with pytest.raises(InvalidWebhookError):
        receive("org_1", "live", "whsec_2_live", measures.append)
    assert measures == [Measure(SIGNATURE_FAILURES, 1, {"mode": "live"})]


def test_a_measure_has_exactly_its_metrics_dimensions() -> None:
    with pytest.raises(ValueError, match="AmountPaid"):
        Measure(AMOUNT_PAID, 1, MODE)
    with pytest.raises(ValueError, match="SweepBacklog"):
        Measure(SWEEP_BACKLOG, 1, {"organization": "org_1"})


def test_few_dimensions_and_no_ids_keep_the_bill_small() -> None:
    assert {name for m in METRICS.values() for name in m.dimensions} == {"mode", "currency"}
    assert len(METRICS) <= 20
