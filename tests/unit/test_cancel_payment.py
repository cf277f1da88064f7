"""Canceling: the money decides, the provider's side ends first, and nothing is shown too early."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from paylink.domain import events
from paylink.domain.errors import (
    PaymentNotCancelableError,
    PaymentNotFoundError,
    ProviderUnavailableError,
    StateConflictError,
    TaxCalculationError,
)
from paylink.domain.organization import Mode
from paylink.ports import Commit
from tests.unit.fakes import START, Fault
from tests.unit.world import World, a_payment


def cancellations(world: World, payment_id: str) -> int:
    told = world.memory.events_about(payment_id)
    return sum(event.type == events.PAYMENT_CANCELED for event in told)


def forget_id(world: World, payment_id: str) -> str:
    """As after a crash between the provider's answer and our write; returns the checkout's id."""
    payment = world.payment(payment_id)
    session = payment.sessions[-1]
    assert session.id is not None
    request = world.provider.request_of(session.idempotency_key)
    lost = replace(session, id=None, url=None, request=request)
    world.memory.payments[payment_id] = payment.with_session(lost)
    return session.id


def test_an_unpaid_link_ends_at_the_provider_and_here(world: World) -> None:
    payment_id = world.new_payment()
    canceled = world.cancel(payment_id)
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "requested")
    assert world.provider.live(payment_id) == []
    assert all(session.ended for session in canceled.sessions)
    (event,) = (
        e for e in world.memory.events_about(payment_id) if e.type == events.PAYMENT_CANCELED
    )
    assert event.data["reason"] == "requested"
    assert world.payment(payment_id) == canceled


@pytest.mark.parametrize("how", ["cancel", "sweep"])
def test_a_canceled_link_stays_as_it_is(world: World, how: str) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(hours=1))
    if how == "cancel":
        world.cancel(payment_id)
    else:
        world.clock.advance(hours=1)
        world.sweep()
    before = world.payment(payment_id)
    calls = len(world.provider.calls)
    assert world.cancel(payment_id) == before
    assert len(world.provider.calls) == calls
    assert cancellations(world, payment_id) == 1


@pytest.mark.parametrize("act", ["decline", "ask_for_3ds"])
def test_a_tried_but_unpaid_link_can_be_canceled(world: World, act: str) -> None:
    payment_id = world.new_payment()
    getattr(world.provider, act)(world.session(payment_id))
    world.hear(payment_id)
    assert world.cancel(payment_id).status == "canceled"
    assert world.provider.live(payment_id) == []


@pytest.mark.parametrize(("act", "status"), [("pay", "succeeded"), ("debit", "processing")])
@pytest.mark.parametrize("heard", [True, False])
def test_money_that_came_or_comes_is_settled_and_not_canceled(
    world: World, act: str, status: str, heard: bool
) -> None:
    payment_id = world.new_payment()
    getattr(world.provider, act)(world.session(payment_id))
    if heard:
        world.hear(payment_id)
    with pytest.raises(PaymentNotCancelableError):
        world.cancel(payment_id)
    assert world.payment(payment_id).status == status
    assert cancellations(world, payment_id) == 0


def test_money_that_comes_while_it_is_being_canceled_is_settled(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.interrupt("fetch_checkout", lambda: world.provider.pay(session))
    with pytest.raises(PaymentNotCancelableError):
        world.cancel(payment_id)
    assert world.payment(payment_id).status == "succeeded"
    assert cancellations(world, payment_id) == 0


def test_a_charge_is_not_canceled_whatever_its_state(world: World) -> None:
    for status in ("pending", "failed", "succeeded", "processing", "canceled"):
        world.memory.payments["pay_1"] = a_payment(kind="charge", url=None, status=status)
        with pytest.raises(PaymentNotCancelableError):
            world.cancel("pay_1")


@pytest.mark.parametrize("owner", [("org_2", "sandbox"), ("org_1", "live")])
def test_somebody_elses_link_does_not_exist(world: World, owner: tuple[str, Mode]) -> None:
    payment_id = world.new_payment()
    with pytest.raises(PaymentNotFoundError):
        world.cancel(payment_id, owner=owner)
    assert len(world.provider.live(payment_id)) == 1


@pytest.mark.parametrize("operation", ["fetch_checkout", "expire_session"])
@pytest.mark.parametrize("fault", ["unavailable", "timeout"])
def test_s4_while_the_provider_fails_it_is_not_shown_as_canceled(
    world: World, operation: str, fault: Fault
) -> None:
    payment_id = world.new_payment()
    world.provider.fail(operation, fault)
    with pytest.raises(ProviderUnavailableError):
        world.cancel(payment_id)
    assert world.payment(payment_id).status == "pending"
    assert cancellations(world, payment_id) == 0
    assert world.cancel(payment_id).status == "canceled"
    assert world.provider.live(payment_id) == []


def test_a_session_that_the_account_does_not_know_can_not_be_paid_either(world: World) -> None:
    payment_id = world.new_payment()
    del world.provider.checkouts[world.session(payment_id)]
    assert world.cancel(payment_id).status == "canceled"


def test_a_look_that_the_provider_refuses_is_the_providers_trouble(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.fail("fetch_checkout", "rejected")
    with pytest.raises(ProviderUnavailableError):
        world.cancel(payment_id)
    assert world.payment(payment_id).status == "pending"


@pytest.mark.parametrize("end", ["cancel", "sweep"])
def test_a_session_whose_id_was_lost_is_asked_for_and_ended(world: World, end: str) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(hours=2))
    lost = forget_id(world, payment_id)
    world.clock.advance(hours=1)
    if end == "cancel":
        world.cancel(payment_id)
    else:
        assert world.sweep(hours=1).canceled == 1
    payment = world.payment(payment_id)
    assert (payment.status, payment.sessions[-1].id) == ("canceled", lost)
    assert world.provider.checkouts[lost].status == "expired"
    assert len(world.provider.checkouts) == 1


@pytest.mark.parametrize("fault", ["stored", "rejected"])
def test_a_session_that_never_was_made_stands_in_nobodys_way(world: World, fault: Fault) -> None:
    payment_id = world.new_payment()
    forget_id(world, payment_id)
    world.provider.checkouts.clear()
    world.provider.forget_answers()
    world.provider.fail("create_session", fault)
    assert world.cancel(payment_id).status == "canceled"
    assert world.provider.live(payment_id) == []


def test_a_session_that_the_sellers_tax_prevented_stands_in_nobodys_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment_id = world.new_payment()
    forget_id(world, payment_id)
    world.provider.checkouts.clear()

    def refuse(_session: object) -> None:
        raise TaxCalculationError(provider_code="stripe_tax_inactive")

    monkeypatch.setattr(world.provider, "create_session", refuse)
    assert world.cancel(payment_id).status == "canceled"


def test_while_it_cannot_be_asked_for_a_lost_session_keeps_the_link(world: World) -> None:
    payment_id = world.new_payment()
    forget_id(world, payment_id)
    world.provider.fail("create_session", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        world.cancel(payment_id)
    assert world.payment(payment_id).status == "pending"


def test_a_lost_session_past_its_time_needs_no_call(world: World) -> None:
    payment_id = world.new_payment()
    forget_id(world, payment_id)
    world.clock.advance(hours=25)
    calls = len(world.provider.calls)
    assert world.cancel(payment_id).status == "canceled"
    assert len(world.provider.calls) == calls


def rival_opens(world: World, payment_id: str) -> Callable[[Commit], None]:
    def act(_commit: Commit) -> None:
        world.clock.advance(hours=25)
        world.open(payment_id)

    return act


def test_a_buyer_who_opens_the_next_session_meanwhile_is_locked_out_as_well(world: World) -> None:
    payment_id = world.new_payment()
    world.payments.interruptions.append(rival_opens(world, payment_id))
    assert world.cancel(payment_id).status == "canceled"
    assert len(world.payment(payment_id).sessions) == 2
    assert world.provider.live(payment_id) == []
    assert cancellations(world, payment_id) == 1


def test_two_who_cancel_at_once_cancel_once(world: World) -> None:
    payment_id = world.new_payment()
    world.payments.interruptions.append(lambda _: world.cancel(payment_id))
    assert world.cancel(payment_id).status == "canceled"
    assert cancellations(world, payment_id) == 1


def test_a_link_that_never_stops_changing_is_a_conflict(world: World) -> None:
    payment_id = world.new_payment()

    def rival(_commit: Commit) -> None:
        stored = world.payment(payment_id)
        world.memory.payments[payment_id] = replace(stored, version=stored.version + 1)

    world.payments.interruptions += [rival] * 20
    with pytest.raises(StateConflictError):
        world.cancel(payment_id)
    assert world.payment(payment_id).status == "pending"
