"""Events that reached no endpoint are handled as if their webhooks had come."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from paylink.domain import events
from paylink.services.hear_undelivered import Hearing
from tests.unit.fakes import START, FakeProvider
from tests.unit.world import DEPLOYMENT, MODE, ORGANIZATION, World, event_of

OWNER = (ORGANIZATION, MODE)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def undelivered(
    world: World, payment_id: str | None, at: datetime | None = None, **members: Any
) -> None:
    """One more event that no endpoint took, just now unless said otherwise."""
    name = f"evt_lost_{len(world.provider.undelivered)}"
    event = event_of(payment_id, id=name, at=at or world.clock(), **members)
    world.provider.undelivered.append(event)


def dashboard_refund(world: World, payment_id: str, amount: int | None = None) -> None:
    """Somebody refunds a payment in the provider's dashboard, and we aren't told."""
    intent = world.transaction(payment_id).payment_intent_id
    world.provider.refund(intent or "", amount)
    event = world.refund_event(intent or "")
    world.provider.undelivered.append(replace(event, at=world.clock()))


@pytest.fixture(autouse=True)
def _an_account(world: World) -> None:
    world.memory.heard[OWNER] = START - HOUR


def windows(world: World) -> int:
    return world.provider.called("undelivered_events")


def test_a_refund_of_the_dashboard_that_we_were_not_told_of_is_recorded(world: World) -> None:
    payment_id = world.paid()
    dashboard_refund(world, payment_id, 100)
    assert world.hear_undelivered() == Hearing(accounts=1, handled=1)
    assert world.payment(payment_id).amount_refunded == 100
    assert world.memory.events_about(payment_id)[-1].type == events.PAYMENT_REFUNDED


def test_a_payment_that_we_were_not_told_of_is_settled(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.pay(session)
    undelivered(world, payment_id, session_id=session)
    assert world.hear_undelivered() == Hearing(accounts=1, handled=1)
    payment = world.payment(payment_id)
    assert (payment.status, payment.history[-1].cause) == ("succeeded", "evt_lost_0")


def test_what_was_handled_is_not_handled_again(world: World) -> None:
    dashboard_refund(world, world.paid())
    world.clock.advance(minutes=20)
    world.hear_undelivered()
    assert world.memory.heard[OWNER] == world.clock()
    world.clock.advance(hours=1)
    calls = len(world.provider.calls)
    assert world.hear_undelivered() == Hearing(accounts=1)
    assert len(world.provider.calls) == calls + 1


def test_an_event_that_the_list_showed_late_is_not_missed(world: World) -> None:
    payment_id = world.paid()
    world.clock.advance(hours=1)
    world.hear_undelivered()
    dashboard_refund(world, payment_id)
    late = world.provider.undelivered.pop()
    at = world.clock() - timedelta(minutes=9)
    world.provider.undelivered.append(replace(late, at=at))
    world.clock.advance(hours=1)
    assert world.hear_undelivered().handled == 1


def test_without_lost_events_an_hour_costs_one_call(world: World) -> None:
    world.hear_undelivered()
    before = windows(world), len(world.provider.calls)
    world.clock.advance(hours=1)
    world.hear_undelivered()
    assert (windows(world), len(world.provider.calls)) == (before[0] + 1, before[1] + 1)


def test_an_account_is_heard_from_as_far_back_as_there_are_events(world: World) -> None:
    world.memory.heard[OWNER] = START - 99 * DAY
    payment_id = world.paid()
    world.clock.advance(hours=1)
    dashboard_refund(world, payment_id)
    world.clock.advance(days=29, hours=12)
    assert world.hear_undelivered().handled == 1
    assert windows(world) == 30


def test_a_run_goes_on_day_by_day_where_the_last_one_stopped(world: World) -> None:
    world.hear_undelivered()
    world.clock.advance(days=3)
    before = windows(world)
    budget = iter([True, True, False])
    world.hear_undelivered(lambda: next(budget))
    assert windows(world) == before + 2
    assert world.memory.heard[OWNER] == START + 2 * DAY
    world.hear_undelivered()
    assert windows(world) == before + 3
    assert world.memory.heard[OWNER] == world.clock()


def test_an_event_that_cannot_be_handled_now_waits_and_holds_up_no_other(world: World) -> None:
    first, second = world.paid(), world.paid()
    world.hear_undelivered()
    world.clock.advance(minutes=20)
    dashboard_refund(world, first)
    world.clock.advance(minutes=20)
    dashboard_refund(world, second)
    world.provider.fail("refunds_of", "unavailable")
    world.clock.advance(minutes=20)
    assert world.hear_undelivered() == Hearing(accounts=1, handled=1, waiting=1)
    assert world.payment(second).amount_refunded > 0 == world.payment(first).amount_refunded
    assert world.memory.heard[OWNER] == START + timedelta(minutes=20)
    world.clock.advance(hours=1)
    assert world.hear_undelivered().waiting == 0
    assert world.payment(first).amount_refunded > 0
    assert world.memory.heard[OWNER] == world.clock()


def test_an_old_event_is_not_given_up_because_the_provider_is_in_trouble(world: World) -> None:
    first, second = world.paid(), world.paid()
    dashboard_refund(world, first)
    world.clock.advance(days=5)
    dashboard_refund(world, second)
    world.clock.advance(hours=1)
    world.provider.fail("refunds_of", "unavailable")
    assert world.hear_undelivered() == Hearing(accounts=1, handled=1, waiting=1)
    # Days behind the one that waits are heard as well.
    assert world.payment(second).amount_refunded > 0 == world.payment(first).amount_refunded
    assert world.memory.heard[OWNER] == START
    world.hear_undelivered()
    assert world.payment(first).amount_refunded > 0
    assert world.memory.heard[OWNER] == world.clock()


def test_an_event_that_breaks_us_holds_up_no_other_and_is_given_up_as_well(world: World) -> None:
    first, second = world.paid(), world.paid()
    dashboard_refund(world, first)
    world.clock.advance(minutes=20)
    dashboard_refund(world, second)

    def broken() -> None:
        raise ValueError("what the provider said makes no sense")

    world.provider.interrupt("refunds_of", broken)
    assert world.hear_undelivered() == Hearing(accounts=1, handled=1, waiting=1)
    assert world.payment(second).amount_refunded > 0 == world.payment(first).amount_refunded
    world.clock.advance(days=3)
    world.provider.interrupt("refunds_of", broken)
    assert world.hear_undelivered().given_up == 1
    assert world.memory.heard[OWNER] == world.clock()


def test_an_event_of_a_payment_that_is_not_there_is_given_up_after_three_days(
    world: World,
) -> None:
    undelivered(world, "pay_gone", session_id="cs_1")
    waits = Hearing(accounts=1, waiting=1)
    assert world.hear_undelivered() == waits
    world.clock.advance(days=3, seconds=-1)
    assert world.hear_undelivered() == waits
    world.clock.advance(seconds=1)
    assert world.hear_undelivered() == Hearing(accounts=1, given_up=1)
    world.clock.advance(hours=1)
    assert world.hear_undelivered() == Hearing(accounts=1)


def test_events_are_handled_in_the_order_in_which_they_happened(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    order: list[str] = []
    world.provider.interrupt("fetch_checkout", *[lambda: order.append("asked")] * 2)
    world.clock.advance(hours=2)
    undelivered(world, payment_id, START + 2 * HOUR, session_id=session)
    undelivered(world, payment_id, START + HOUR, session_id=session)
    world.provider.pay(session)
    world.hear_undelivered()
    assert world.payment(payment_id).history[-1].cause == "evt_lost_1"


@pytest.mark.parametrize(
    "members",
    [
        {"mode": "live"},
        {"organization_id": "org_2"},
        {"deployment_id": "another"},
        {"deployment_id": None, "payment_intent_id": "pi_of_somebody"},
    ],
)
def test_w11_an_event_of_another_mode_or_owner_changes_nothing(
    world: World, members: dict[str, Any]
) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.pay(session)
    undelivered(world, payment_id, **{"session_id": session} | members)
    before = world.payment(payment_id)
    assert world.hear_undelivered() == Hearing(accounts=1, ignored=1)
    assert world.payment(payment_id) == before


def test_sandbox_and_live_are_heard_apart(world: World) -> None:
    world.memory.heard[ORGANIZATION, "live"] = START - HOUR
    live = FakeProvider(world.clock, "live")
    world.providers.accounts[ORGANIZATION, "live"] = live
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.pay(session)
    event = event_of(payment_id, id="evt_live", session_id=session, mode="live")
    live.undelivered.append(replace(event, at=world.clock()))
    # Marks of a sandbox payment on something live: no change, whoever wrote them.
    assert world.hear_undelivered() == Hearing(accounts=2, ignored=1)
    assert world.payment(payment_id).status == "pending"
    assert world.memory.heard.keys() == {OWNER, (ORGANIZATION, "live")}


def test_an_account_that_cannot_be_asked_stops_no_other_and_is_asked_again(world: World) -> None:
    world.memory.heard["org_2", MODE] = START - HOUR
    broken = FakeProvider(world.clock, "broken")
    world.providers.accounts["org_2", MODE] = broken
    broken.fail("undelivered_events", "unavailable")
    dashboard_refund(world, world.paid())
    assert world.hear_undelivered() == Hearing(accounts=1, handled=1, failed=1)
    assert world.memory.heard["org_2", MODE] == START - HOUR
    assert world.hear_undelivered().failed == 0
    assert world.memory.heard["org_2", MODE] == world.clock()


def test_events_bear_the_deployment_that_hears_them(world: World) -> None:
    undelivered(world, "pay_gone", deployment_id=DEPLOYMENT + "x")
    assert world.hear_undelivered().ignored == 1
