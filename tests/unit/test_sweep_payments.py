"""The sweep ends what is over, finds money that came, and is stopped by nothing in between."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from paylink.domain import events
from paylink.ports import Commit
from paylink.services.sweep_payments import Sweep, sweep_payments
from tests.unit.fakes import START, MemoryPayments
from tests.unit.world import World

HOUR = timedelta(hours=1)


def an_hours_link(world: World) -> str:
    return world.new_payment(expires_at=START + HOUR)


def cancellations(world: World, payment_id: str) -> int:
    told = world.memory.events_about(payment_id)
    return sum(event.type == events.PAYMENT_CANCELED for event in told)


def test_a_link_is_left_alone_until_its_very_end(world: World) -> None:
    payment_id = an_hours_link(world)
    world.clock.advance(hours=1, microseconds=-1)
    assert world.sweep() == Sweep(checked=1)
    world.clock.advance(microseconds=1)
    assert world.sweep() == Sweep(canceled=1)
    payment = world.payment(payment_id)
    assert (payment.status, payment.cancellation_reason) == ("canceled", "expired")
    assert world.provider.live(payment_id) == []
    assert cancellations(world, payment_id) == 1
    assert world.sweep() == Sweep()


def test_now_is_the_instant_that_the_sweep_was_given(world: World) -> None:
    an_hours_link(world)
    assert world.sweep(minutes=59).canceled == 0
    assert world.sweep(minutes=61) == Sweep(canceled=1)


def test_open_paid_processing_expired_and_declined_checkouts_each_end_right(world: World) -> None:
    links = {n: an_hours_link(world) for n in ("open", "paid", "debit", "expired", "declined")}
    world.provider.pay(world.session(links["paid"]))
    world.provider.debit(world.session(links["debit"]))
    world.provider.expire_session(world.session(links["expired"]))
    world.provider.decline(world.session(links["declined"]))
    world.hear(links["declined"])
    world.clock.advance(hours=1)
    assert world.sweep() == Sweep(canceled=3, settled=2)
    assert {name: world.payment(p).status for name, p in links.items()} == {
        "open": "canceled",
        "paid": "succeeded",
        "debit": "processing",
        "expired": "canceled",
        "declined": "canceled",
    }
    for name, payment_id in links.items():
        assert cancellations(world, payment_id) == (world.payment(payment_id).status == "canceled")
        assert world.provider.live(payment_id) == [], name
    assert world.sweep() == Sweep()


def test_money_that_comes_while_the_sweep_looks_away_is_found(world: World) -> None:
    payment_id = an_hours_link(world)
    session = world.session(payment_id)
    world.clock.advance(hours=1)
    world.provider.checkouts[session].expires_at = world.clock() + HOUR
    world.provider.interrupt("fetch_checkout", lambda: world.provider.pay(session))
    assert world.sweep() == Sweep(settled=1)
    assert world.payment(payment_id).status == "succeeded"
    assert cancellations(world, payment_id) == 0


def test_a_success_that_lands_between_expiry_and_write_stays(world: World) -> None:
    payment_id = an_hours_link(world)
    session = world.session(payment_id)
    world.clock.advance(hours=1)

    def rival(_commit: Commit) -> None:
        world.provider.checkouts[session].status = "open"
        world.provider.checkouts[session].expires_at = world.clock() + HOUR
        world.provider.pay(session)
        assert world.hear(payment_id) == "succeeded"

    world.payments.interruptions.append(rival)
    assert world.sweep() == Sweep(unchanged=1)
    assert world.payment(payment_id).status == "succeeded"
    assert cancellations(world, payment_id) == 0


@pytest.mark.parametrize("fault", ["unavailable", "timeout"])
def test_while_expiring_fails_the_link_is_not_shown_as_ended_and_tried_again(
    world: World, fault: str
) -> None:
    payment_id = an_hours_link(world)
    world.clock.advance(hours=1)
    world.provider.checkouts[world.session(payment_id)].expires_at = world.clock() + HOUR
    world.provider.fail("expire_session", fault)  # type: ignore[arg-type]
    assert world.sweep() == Sweep(failed=1)
    assert world.payment(payment_id).status == "pending"
    assert cancellations(world, payment_id) == 0
    assert world.sweep() == Sweep(canceled=1)
    assert cancellations(world, payment_id) == 1


def test_one_broken_link_does_not_keep_the_others_open(world: World) -> None:
    links = [an_hours_link(world) for _ in range(70)]
    world.provider.fail("fetch_checkout", "rejected")
    world.clock.advance(hours=1)
    assert world.sweep() == Sweep(canceled=69, failed=1)
    assert [world.payment(link).status for link in links].count("pending") == 1
    assert world.sweep() == Sweep(canceled=1)


def test_two_sweeps_at_once_end_each_link_once(world: World) -> None:
    links = [an_hours_link(world) for _ in range(20)]
    world.clock.advance(hours=1)
    with ThreadPoolExecutor(2) as pool:
        sweeps = list(pool.map(lambda _: world.sweep(), range(2)))
    assert sum(sweep.canceled for sweep in sweeps) == 20
    assert sum(sweep.failed for sweep in sweeps) == 0
    for payment_id in links:
        assert world.payment(payment_id).status == "canceled"
        assert cancellations(world, payment_id) == 1


def test_what_there_is_no_time_for_is_left_to_the_next_run(world: World) -> None:
    for _ in range(100):
        an_hours_link(world)
    world.clock.advance(hours=1)
    budget = iter([True, False])
    sweep = sweep_payments(
        world.clock(),
        payments=world.payments,
        providers=world.providers,
        metrics=world.measures.append,
        clock=world.clock,
        time_left=lambda: next(budget),
    )
    assert 0 < sweep.canceled < 100
    assert sweep.left > 0
    assert world.sweep().canceled == 100 - sweep.canceled


def test_without_any_time_nothing_is_begun(world: World) -> None:
    an_hours_link(world)
    world.clock.advance(hours=1)
    before = len(world.provider.calls)
    sweep = sweep_payments(
        world.clock(),
        payments=world.payments,
        providers=world.providers,
        metrics=world.measures.append,
        clock=world.clock,
        time_left=lambda: False,
    )
    assert sweep == Sweep(left=1)
    assert len(world.provider.calls) == before


def test_a_link_whose_checkouts_are_known_to_have_ended_needs_no_call(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(days=2))
    world.clock.advance(hours=25)
    assert world.hear(payment_id) == "pending"
    before = len(world.provider.calls)
    world.clock.advance(days=1)
    assert world.sweep() == Sweep(canceled=1)
    assert len(world.provider.calls) == before


def test_a_link_with_many_checkouts_has_each_of_them_ended(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(days=3))
    for _ in range(2):
        world.clock.advance(hours=25)
        world.open(payment_id)
    world.clock.advance(hours=23)
    assert len(world.payment(payment_id).sessions) == 3
    assert world.sweep() == Sweep(canceled=1)
    assert world.provider.live(payment_id) == []
    assert all(s.ended for s in world.payment(payment_id).sessions)


def test_a_link_that_was_only_prepared_is_ended(world: World) -> None:
    payment_id = an_hours_link(world)
    payment = world.payment(payment_id)
    prepared = replace(payment.sessions[0], id=None, url=None)
    world.memory.payments[payment_id] = payment.with_session(prepared)
    world.clock.advance(hours=1)
    assert world.sweep() == Sweep(canceled=1)


def test_a_bounced_debit_is_payable_until_the_end_and_swept_after_it(world: World) -> None:
    payment_id = an_hours_link(world)
    session = world.session(payment_id)
    world.provider.debit(session)
    world.hear(payment_id)
    world.clock.advance(hours=2)
    assert world.sweep() == Sweep()
    world.provider.bounce_debit(session)
    assert world.hear(payment_id) == "failed"
    assert world.sweep() == Sweep(canceled=1)


def test_a_link_that_never_stops_changing_is_left_as_it_is(world: World) -> None:
    payment_id = an_hours_link(world)
    world.clock.advance(hours=1)

    def rival(_commit: Commit) -> None:
        stored = world.payment(payment_id)
        world.memory.payments[payment_id] = replace(stored, version=stored.version + 1)

    world.payments.interruptions += [rival] * 20
    assert world.sweep() == Sweep(unchanged=1)
    world.payments.interruptions.clear()
    assert world.sweep() == Sweep(canceled=1)


def test_a_link_that_an_outdated_index_names_too_early_is_left_alone(world: World) -> None:
    payment_id = an_hours_link(world)

    class Outdated(MemoryPayments):
        def due(self, now: datetime) -> Iterator[str]:  # noqa: ARG002 - it is outdated
            yield from (payment_id, "pay_gone")

    world.payments = Outdated(world.memory)
    assert world.sweep() == Sweep(unchanged=2)
    assert world.payment(payment_id).status == "pending"
    assert len(world.provider.live(payment_id)) == 1


def test_an_organization_without_secrets_stops_no_other(world: World) -> None:
    mine = an_hours_link(world)
    world.memory.payments["pay_theirs"] = replace(
        world.payment(mine), id="pay_theirs", organization_id="org_2"
    )
    world.providers.accounts["org_2", "sandbox"] = None
    world.clock.advance(hours=1)
    assert world.sweep() == Sweep(canceled=1, failed=1)
    assert world.payment(mine).status == "canceled"


def test_a_checkout_that_the_provider_has_no_more_does_not_keep_its_link_alive(
    world: World,
) -> None:
    payment_id = an_hours_link(world)
    world.provider.checkouts.clear()
    world.clock.advance(hours=1)
    assert world.sweep() == Sweep(canceled=1)
    assert world.payment(payment_id).status == "canceled"
