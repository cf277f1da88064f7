"""News that never come: the provider is asked, rarely, about what may have brought money."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from paylink.domain import events
from paylink.domain.checks import next_check
from paylink.domain.payment import CheckoutSession, Payment
from paylink.ports import Commit
from paylink.services import sweep_payments
from paylink.services.sweep_payments import Sweep
from tests.unit.fakes import START, MemoryPayments
from tests.unit.world import MODE, World, a_payment, a_request, charge_of

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
QUARTER = 15 * MINUTE
SESSION_ENDS = START + 24 * HOUR - 10 * MINUTE


def look(world: World, payment_id: str) -> Sweep:
    """The next run at which a payment is due."""
    due = world.payment(payment_id).due_at
    assert due is not None
    world.clock.now = max(world.clock.now, due)
    return world.sweep()


def looks(world: World, payment_id: str, most: int = 10) -> list[timedelta]:
    """Since the start, when the provider is asked about a payment that nothing happens to."""
    found = []
    while world.payment(payment_id).check_at is not None and len(found) < most:
        assert look(world, payment_id) == Sweep(checked=1)
        found.append(world.clock() - START)
    return found


def told(world: World, payment_id: str) -> list[str]:
    return [event.type for event in world.memory.events_about(payment_id)]


def asked(world: World) -> int:
    return len(world.provider.calls)


# What is found.


def test_a_payment_that_nobody_told_us_of_is_found_within_minutes(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    assert world.sweep(minutes=14, seconds=59) == Sweep()
    world.clock.advance(minutes=15)
    assert world.sweep() == Sweep(settled=1)
    payment = world.payment(payment_id)
    assert payment.status == "succeeded"
    assert payment.history[-1].cause == "reconcile"
    assert payment.due_at is None
    assert told(world, payment_id) == [events.PAYMENT_CREATED, events.PAYMENT_SUCCEEDED]
    assert world.issue(payment_id).amount_total == payment.amount_total


def test_news_that_come_after_all_change_nothing_more(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    look(world, payment_id)
    before = world.payment(payment_id)
    assert world.hear(payment_id) == "succeeded"
    assert world.payment(payment_id) == before
    assert len(told(world, payment_id)) == 2


@pytest.mark.parametrize("what", ["decline", "ask_for_3ds"])
def test_what_did_not_pay_is_noticed_too_and_looked_at_again(world: World, what: str) -> None:
    payment_id = world.new_payment()
    getattr(world.provider, what)(world.session(payment_id))
    assert look(world, payment_id) == Sweep(settled=1)
    assert world.payment(payment_id).status == {"decline": "failed"}.get(what, "requires_action")
    if what == "ask_for_3ds":
        world.provider.approve_3ds(world.session(payment_id))
    else:
        world.provider.pay(world.session(payment_id))
    before = world.clock()
    assert look(world, payment_id) == Sweep(settled=1)
    assert world.clock() - before == QUARTER
    assert world.payment(payment_id).status == "succeeded"


@pytest.mark.parametrize("after", [QUARTER + MINUTE, 3 * HOUR, 23 * HOUR])
def test_a_buyer_who_took_their_time_is_found_later(world: World, after: timedelta) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    while (world.payment(payment_id).due_at or START) < START + after:
        assert look(world, payment_id) == Sweep(checked=1)
    world.clock.now = START + after
    world.provider.pay(session)
    assert look(world, payment_id) == Sweep(settled=1)
    assert world.payment(payment_id).status == "succeeded"


@pytest.mark.parametrize(("end", "status"), [("settle", "succeeded"), ("bounce", "failed")])
def test_w5_a_debit_is_asked_for_daily_until_its_bank_has_answered(
    world: World, end: str, status: str
) -> None:
    payment_id = world.new_payment(expires_at=START + HOUR)
    session = world.session(payment_id)
    world.provider.debit(session)
    assert look(world, payment_id) == Sweep(settled=1)
    for day in range(1, 15):  # the link's end has long passed
        assert look(world, payment_id) == Sweep(checked=1)
        assert world.clock() == START + QUARTER + day * DAY
        assert world.payment(payment_id).status == "processing"
    getattr(world.provider, f"{end}_debit")(session)
    assert look(world, payment_id) == Sweep(settled=1)
    assert world.payment(payment_id).status == status


def test_a_checkout_that_was_paid_as_its_link_was_canceled_is_found(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.cancel(payment_id)
    world.provider.checkouts[session].status = "open"
    world.provider.pay(session)
    assert look(world, payment_id) == Sweep(settled=1)
    assert world.payment(payment_id).status == "succeeded"
    assert told(world, payment_id)[-2:] == [events.PAYMENT_CANCELED, events.PAYMENT_SUCCEEDED]


@pytest.mark.parametrize(("bank", "status"), [("pays", "succeeded"), ("declines", "failed")])
def test_a_charge_that_died_after_its_money_came_is_found_and_a_retry_answered(
    world: World, bank: Any, status: str
) -> None:
    customer = world.vaulted_customer()
    world.provider.bank = bank

    def crash(_commit: Commit) -> None:
        raise InterruptedError

    world.payments.interruptions += [lambda _: None, crash]
    request = a_request("C", operation="POST /payments/charge")
    with pytest.raises(InterruptedError):
        world.charge(charge_of(customer), request)
    (charge,) = (p for p in world.memory.payments.values() if p.kind == "charge")
    assert look(world, charge.id) == Sweep(settled=1)
    assert world.payment(charge.id).status == status
    calls = asked(world)
    answer = world.charge(charge_of(customer), request)
    assert answer.status == (201 if bank == "pays" else 402)
    assert asked(world) == calls


def test_a_charge_by_debit_is_asked_for_daily(world: World) -> None:
    customer = world.vaulted_customer()
    world.provider.bank = "waits"
    world.charge(charge_of(customer))
    (charge,) = (p for p in world.memory.payments.values() if p.kind == "charge")
    assert look(world, charge.id) == Sweep(checked=1)
    (intent,) = world.provider.intents
    world.provider.settle_charge(intent)
    assert look(world, charge.id) == Sweep(settled=1)
    assert world.payment(charge.id).status == "succeeded"
    assert world.clock() - charge.created_at == 2 * DAY


# When, and how often.


def test_an_unpaid_checkout_is_looked_at_three_times_and_then_no_more(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + 30 * DAY)
    # At the last look the provider says that it has ended, and there is nothing to look for.
    assert looks(world, payment_id, 2) == [QUARTER, QUARTER + 2 * HOUR]
    assert world.payment(payment_id).due_at == SESSION_ENDS + 10 * MINUTE
    assert look(world, payment_id) == Sweep(checked=1)
    payment = world.payment(payment_id)
    assert payment.check_at is None
    assert payment.due_at == payment.expires_at
    assert world.provider.called("fetch_checkout") == 3


def test_a_short_checkout_is_looked_at_at_its_end_at_the_latest(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + 60 * MINUTE)
    look(world, payment_id)
    assert world.payment(payment_id).check_at == START + 70 * MINUTE
    assert world.payment(payment_id).due_at == START + 60 * MINUTE


def test_a_checkout_that_ended_untouched_is_not_looked_at(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + 30 * DAY)
    world.provider.expire_session(world.session(payment_id))
    world.hear(payment_id)
    assert world.payment(payment_id).due_at == START + 30 * DAY


def test_the_next_checkout_of_a_link_is_looked_at_again(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + 30 * DAY)
    world.provider.expire_session(world.session(payment_id))
    world.hear(payment_id)
    world.clock.advance(days=3)
    world.open(payment_id)
    assert world.payment(payment_id).due_at == world.clock() + QUARTER


def test_a_canceled_link_is_looked_at_once_if_it_could_be_paid(world: World) -> None:
    payment_id = world.new_payment()
    world.clock.advance(hours=1)
    world.cancel(payment_id)
    due = world.payment(payment_id).due_at
    assert due is not None
    assert looks(world, payment_id) == [due - START]
    assert world.payment(payment_id).due_at is None


def test_a_canceled_link_whose_checkouts_had_ended_is_not_looked_at(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.expire_session(world.session(payment_id))
    world.hear(payment_id)
    world.cancel(payment_id)
    assert world.payment(payment_id).due_at is None


def test_a_failed_charge_is_not_looked_at(world: World) -> None:
    customer = world.vaulted_customer()
    world.provider.bank = "declines"
    world.charge(charge_of(customer))
    assert [p.due_at for p in world.memory.payments.values()] == [None, None]


def test_a_change_moves_no_look_that_is_about_to_come(world: World) -> None:
    """Each shift of it would write the index."""
    payment_id = world.new_payment()
    due = world.payment(payment_id).due_at
    world.clock.advance(minutes=5)
    world.provider.decline(world.session(payment_id))
    world.hear(payment_id)
    assert world.payment(payment_id).due_at == due
    world.cancel(payment_id)
    assert world.payment(payment_id).due_at == due


def test_making_a_link_writes_its_place_in_the_index_once(world: World) -> None:
    places = []

    class Watching(MemoryPayments):
        def commit(self, commit: Commit) -> Payment:
            places.append(commit.payment.due_at)
            return super().commit(commit)

    world.payments = Watching(world.memory)
    world.new_payment()
    world.customer(email="b@example.com")
    world.new_payment(customer="cus_1")
    assert places == [p.due_at for p in world.memory.payments.values()]


def test_an_item_from_before_there_were_looks_is_only_ended(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + 2 * DAY)
    world.memory.payments[payment_id] = replace(world.payment(payment_id), check_at=None)
    world.clock.now = START + 2 * DAY - MINUTE
    calls = asked(world)
    assert world.sweep() == Sweep()
    assert asked(world) == calls
    world.clock.advance(minutes=1)
    assert world.sweep() == Sweep(canceled=1)


def test_nothing_is_asked_about_what_is_paid(world: World) -> None:
    world.paid()
    calls = asked(world)
    assert world.sweep(days=400) == Sweep()
    assert asked(world) == calls


# What goes wrong.


@pytest.mark.parametrize("fault", ["unavailable", "rejected"])
def test_a_provider_that_does_not_answer_is_asked_again_in_an_hour(
    world: World, fault: Any
) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    world.provider.fail("fetch_checkout", fault)
    assert look(world, payment_id) == Sweep(checked=1)
    assert world.payment(payment_id).status == "pending"
    assert world.payment(payment_id).due_at == START + QUARTER + HOUR
    assert look(world, payment_id) == Sweep(settled=1)


def test_one_without_secrets_is_put_off_and_stops_no_other(world: World) -> None:
    mine, theirs = world.new_payment(), world.new_payment()
    world.provider.pay(world.session(mine))
    world.memory.payments[theirs] = replace(world.payment(theirs), organization_id="org_2")
    world.providers.accounts["org_2", MODE] = None
    world.clock.advance(minutes=15)
    assert world.sweep() == Sweep(settled=1, checked=1)
    assert world.payment(theirs).due_at == world.clock() + HOUR


def test_a_checkout_that_is_not_there_is_no_checkout_that_ended(world: World) -> None:
    """Secrets of another account may have been set by mistake."""
    payment_id = world.new_payment()
    world.provider.checkouts.clear()
    assert look(world, payment_id) == Sweep(checked=1)
    (session,) = world.payment(payment_id).sessions
    assert not session.ended
    assert world.payment(payment_id).due_at == START + QUARTER + 2 * HOUR


def test_a_checkout_over_another_amount_pays_nothing(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.checkouts[session].amount = 1
    world.provider.pay(session)
    assert look(world, payment_id) == Sweep(checked=1)
    assert world.payment(payment_id).status == "pending"


def test_a_webhook_in_the_middle_of_a_look_wins_once(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    world.payments.interruptions.append(lambda _: world.hear(payment_id) and None)
    assert look(world, payment_id) == Sweep(settled=1)
    assert told(world, payment_id).count(events.PAYMENT_SUCCEEDED) == 1


def test_a_rival_that_writes_before_the_look_is_noted_does_not_lose_it(world: World) -> None:
    payment_id = world.new_payment()

    def rival(_commit: Commit) -> None:
        world.provider.pay(world.session(payment_id))
        world.hear(payment_id)

    world.payments.interruptions.append(rival)
    assert look(world, payment_id) == Sweep(unchanged=1)
    assert world.payment(payment_id).status == "succeeded"


def test_what_ends_comes_before_what_is_looked_at(world: World) -> None:
    looked_at = [world.new_payment() for _ in range(5)]
    over = world.new_payment(expires_at=START + 30 * MINUTE)
    order = []
    for name in ("fetch_checkout", "expire_session"):
        world.provider.interrupt(name, *[lambda n=name: order.append(n)] * 7)  # type: ignore[misc]
    world.clock.advance(minutes=30)
    assert world.sweep() == Sweep(canceled=1, checked=5)
    assert world.payment(over).status == "canceled"
    assert order == ["fetch_checkout", "expire_session", *["fetch_checkout"] * 5]
    assert all(world.payment(p).checks == 1 for p in looked_at)


def test_a_run_looks_at_some_and_leaves_the_rest(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_payments, "_MOST_CHECKS", 20)
    for _ in range(50):
        world.new_payment()
    over = [world.new_payment(expires_at=START + 30 * MINUTE) for _ in range(30)]
    world.clock.advance(minutes=30)
    assert world.sweep() == Sweep(canceled=30, checked=20, left=30)
    assert world.sweep() == Sweep(checked=20, left=10)
    assert world.sweep() == Sweep(checked=10)
    assert world.sweep() == Sweep()
    assert {world.payment(p).status for p in over} == {"canceled"}


def test_behind_many_that_wait_for_a_look_nothing_is_read(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep_payments, "_MOST_CHECKS", 20)
    monkeypatch.setattr(sweep_payments, "_MOST_WAITING", 40)
    for _ in range(200):
        world.new_payment()
    world.clock.advance(minutes=15)
    reads: list[str] = []
    get = world.payments.get

    def counted(payment_id: str) -> Payment | None:
        reads.append(payment_id)
        return get(payment_id)

    monkeypatch.setattr(world.payments, "get", counted)
    assert world.sweep() == Sweep(checked=20, left=180)
    # Two batches of 32 to find forty that wait, and each look reads anew.
    assert len(set(reads)) == 64
    for left in range(160, -1, -20):
        assert world.sweep() == Sweep(checked=20, left=left)
    assert world.sweep() == Sweep()


def test_looks_stop_when_the_time_is_up(world: World) -> None:
    for _ in range(40):
        world.new_payment()
    world.clock.advance(minutes=15)
    budget = iter([True, True, True, False, False, False])
    sweep = sweep_payments.sweep_payments(
        world.clock(),
        payments=world.payments,
        providers=world.providers,
        metrics=world.measures.append,
        clock=world.clock,
        time_left=lambda: next(budget),
    )
    assert sweep == Sweep(checked=16, left=24)


# The rules by themselves.


def session(generation: int, **members: Any) -> CheckoutSession:
    values: dict[str, Any] = {"id": f"cs_{generation}", "url": "x"}
    end = START + 24 * HOUR
    return CheckoutSession(generation, f"pay_1:{generation}", {}, end, **values | members)


@pytest.mark.parametrize(
    ("status", "sessions", "expected"),
    [
        ("pending", (), ()),
        ("pending", (session(1, id=None),), ()),
        ("pending", (session(1, ended=True), session(2)), ("cs_2",)),
        ("failed", (session(1, ended=True), session(2, ended=True)), ("cs_2",)),
        ("failed", (session(1, ended=True), session(2)), ("cs_2",)),
        ("canceled", (session(1, ended=True), session(2, ended=True)), ("cs_2",)),
        ("processing", (session(1, ended=True), session(2, ended=True)), ("cs_2", "cs_1")),
        ("succeeded", (session(1),), ()),
    ],
)
def test_which_checkouts_are_asked_about(
    status: Any, sessions: tuple[CheckoutSession, ...], expected: tuple[str, ...]
) -> None:
    assert a_payment(status=status, sessions=sessions).sessions_in_question == expected


@pytest.mark.parametrize(
    ("status", "done", "end", "expected"),
    [
        ("pending", 1, DAY, 2 * HOUR),
        ("pending", 1, HOUR, HOUR),
        ("failed", 2, DAY, DAY),
        ("pending", 3, timedelta(0), None),  # still open past its end, by a clock that differs
        ("requires_action", 3, -HOUR, None),
        ("canceled", 1, None, None),
        ("processing", 99, None, DAY),
    ],
)
def test_looks_grow_rarer_and_end(
    status: Any, done: int, end: timedelta | None, expected: timedelta | None
) -> None:
    following = next_check(status, done, None if end is None else START + end, START)
    assert following == (None if expected is None else START + expected)


@pytest.mark.parametrize(
    ("members", "due"),
    [
        ({"expires_at": START + DAY}, START + DAY),
        ({"expires_at": START + DAY, "check_at": START + HOUR}, START + HOUR),
        ({"expires_at": START + HOUR, "check_at": START + DAY}, START + HOUR),
        ({"status": "processing", "expires_at": START, "check_at": START + DAY}, START + DAY),
        ({"status": "processing", "expires_at": START}, None),
        ({"status": "canceled", "expires_at": START, "check_at": START + HOUR}, START + HOUR),
        ({"kind": "charge", "expires_at": None}, START + 25 * HOUR),
        ({"kind": "charge", "expires_at": None, "check_at": START + QUARTER}, START + QUARTER),
    ],
)
def test_a_payment_is_due_at_its_end_or_when_the_provider_is_asked(
    members: dict[str, Any], due: datetime | None
) -> None:
    assert a_payment(**members).due_at == due


def test_only_what_is_over_may_be_ended() -> None:
    look_due = a_payment(expires_at=START + DAY, check_at=START)
    assert not look_due.over(START + HOUR)
    assert look_due.over(START + DAY)
    assert not a_payment(status="processing", expires_at=START, check_at=START).over(START + DAY)
