"""The buyer gets one checkout: the one that lives, or the next, and never one too many."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from paylink.domain.errors import (
    PaymentNotFoundError,
    ProviderRejectedError,
    ProviderUnavailableError,
    StateConflictError,
)
from paylink.domain.payment import Payment
from paylink.ports import Commit
from tests.unit.fakes import START
from tests.unit.world import World


def url_of(payment: Payment) -> str:
    session = payment.current_session
    assert session is not None
    assert session.url is not None
    return session.url


def ended(world: World) -> str:
    """A link whose first checkout is over, noticed or not."""
    payment_id = world.new_payment()
    world.clock.advance(hours=25)
    return payment_id


def test_a_live_checkout_is_reused_byte_for_byte(world: World) -> None:
    payment_id = world.new_payment()
    url = url_of(world.payment(payment_id))
    assert url.endswith("#fid")
    assert {world.open(payment_id) for _ in range(3)} == {url}
    assert len(world.provider.checkouts) == 1
    assert world.provider.called("fetch_checkout") == 0


def test_after_its_time_there_is_a_next_one(world: World) -> None:
    payment_id = ended(world)
    url = world.open(payment_id)
    payment = world.payment(payment_id)
    assert [s.ended for s in payment.sessions] == [True, False]
    assert [s.generation for s in payment.sessions] == [1, 2]
    assert url == url_of(payment)
    assert world.provider.live(payment_id) == [world.session(payment_id)]
    assert world.open(payment_id) == url


def test_two_tabs_at_once_get_the_same_next_one(world: World) -> None:
    payment_id = ended(world)
    with ThreadPoolExecutor(6) as pool:
        urls = set(pool.map(lambda _: world.open(payment_id), range(6)))
    assert urls == {url_of(world.payment(payment_id))}
    assert len(world.provider.live(payment_id)) == 1
    assert len(world.provider.checkouts) == 2


def test_two_tabs_on_a_link_in_its_last_minutes_do_too(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(hours=25, minutes=10))
    world.clock.advance(hours=25, microseconds=7)
    others: list[str] = []
    world.provider.interrupt("create_session", lambda: others.append(world.open(payment_id)))
    url = world.open(payment_id)
    assert others == [url]
    assert len(world.provider.live(payment_id)) == 1
    assert len(world.provider.checkouts) == 2


def test_a_second_tab_between_the_writes_gets_the_same_checkout(world: World) -> None:
    payment_id = ended(world)
    seen: list[str] = []

    def second_tab(_commit: Commit) -> None:
        seen.append(world.open(payment_id))

    def nothing(_commit: Commit) -> None:
        return

    # The first write notes the end of the old one, the second prepares, the third keeps the next.
    world.payments.interruptions += [nothing, nothing, second_tab]
    url = world.open(payment_id)
    assert seen == [url]
    assert len(world.provider.live(payment_id)) == 1


def test_money_that_came_in_the_last_moment_is_found_before_another_checkout(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    world.clock.advance(hours=25)  # and no webhook was heard
    assert world.open(payment_id) == world.payment(payment_id).url
    assert world.payment(payment_id).status == "succeeded"
    assert len(world.provider.checkouts) == 1


def test_a_debit_under_way_is_found_too(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.debit(world.session(payment_id))
    world.clock.advance(hours=25)
    assert world.open(payment_id) == world.payment(payment_id).url
    assert world.payment(payment_id).status == "processing"
    assert len(world.provider.checkouts) == 1


def test_a_checkout_that_outlives_our_clock_is_reused(world: World) -> None:
    payment_id = world.new_payment()
    url = url_of(world.payment(payment_id))
    world.clock.advance(hours=25)
    checkout = world.provider.checkouts[world.session(payment_id)]
    checkout.expires_at = world.clock() + timedelta(minutes=1)
    assert world.open(payment_id) == url
    assert len(world.provider.checkouts) == 1


def test_after_a_decline_the_same_checkout_is_tried_again(world: World) -> None:
    payment_id = world.new_payment()
    url = url_of(world.payment(payment_id))
    world.provider.decline(world.session(payment_id))
    assert world.hear(payment_id) == "failed"
    assert world.open(payment_id) == url


def test_after_a_bounced_debit_there_is_a_new_checkout(world: World) -> None:
    payment_id = world.new_payment()
    first = world.session(payment_id)
    world.provider.debit(first)
    assert world.hear(payment_id) == "processing"
    world.provider.bounce_debit(first)
    assert world.hear(payment_id) == "failed"
    world.open(payment_id)
    assert world.session(payment_id) != first
    world.provider.pay(world.session(payment_id))
    assert world.hear(payment_id) == "succeeded"
    assert world.payment(payment_id).failure_code is None


@pytest.mark.parametrize("state", ["succeeded", "processing", "canceled", "over"])
def test_what_cannot_be_paid_any_more_leads_to_the_link_itself(world: World, state: str) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(minutes=30))
    if state == "succeeded":
        world.provider.pay(world.session(payment_id))
        world.hear(payment_id)
    if state == "processing":
        world.provider.debit(world.session(payment_id))
        world.hear(payment_id)
    world.clock.advance(minutes=30)
    if state == "canceled":
        world.sweep()
    before = len(world.provider.calls)
    assert world.open(payment_id) == world.payment(payment_id).url
    assert len(world.provider.calls) == before
    assert len(world.provider.checkouts) == 1


def test_a_charge_has_no_link_to_open(world: World) -> None:
    payment_id = world.new_payment()
    world.memory.payments[payment_id] = replace(world.payment(payment_id), kind="charge", url=None)
    with pytest.raises(PaymentNotFoundError):
        world.open(payment_id)


def test_an_unknown_link_is_not_found(world: World) -> None:
    with pytest.raises(PaymentNotFoundError):
        world.open("pay_unknown")


@pytest.mark.parametrize("fault", ["unavailable", "timeout"])
def test_a_failing_provider_is_asked_for_the_same_one_again(world: World, fault: str) -> None:
    payment_id = ended(world)
    world.provider.fail("create_session", fault)  # type: ignore[arg-type]
    with pytest.raises(ProviderUnavailableError):
        world.open(payment_id)
    world.open(payment_id)
    keys = [subject for name, subject in world.provider.calls if name == "create_session"]
    assert keys == [f"{payment_id}:{n}" for n in (1, 2, 2)]
    assert len(world.provider.live(payment_id)) == 1


def test_a_stored_failure_is_passed_over_by_the_next_try(world: World) -> None:
    payment_id = ended(world)
    world.provider.fail("create_session", "stored")
    with pytest.raises(ProviderUnavailableError):
        world.open(payment_id)
    world.open(payment_id)
    assert [s.ended for s in world.payment(payment_id).sessions] == [True, True, False]
    assert world.provider.live(payment_id) == [world.session(payment_id)]


def test_a_provider_that_cannot_be_asked_makes_no_further_checkout(world: World) -> None:
    payment_id = ended(world)
    world.provider.fail("fetch_checkout", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        world.open(payment_id)
    assert len(world.provider.checkouts) == 1


def test_a_refusal_keeps_the_payment(world: World) -> None:
    payment_id = ended(world)
    world.provider.fail("create_session", "rejected")
    with pytest.raises(ProviderRejectedError):
        world.open(payment_id)
    assert world.payment(payment_id).status == "pending"


def test_rivals_without_end_are_a_conflict_to_retry(world: World) -> None:
    payment_id = ended(world)

    def rival(commit: Commit) -> None:
        stored = world.payment(commit.payment.id)
        world.memory.payments[payment_id] = replace(stored, version=stored.version + 1)

    world.payments.interruptions += [rival] * 50
    with pytest.raises(StateConflictError) as failed:
        world.open(payment_id)
    assert failed.value.status == 503


def test_a_checkout_that_the_provider_has_no_more_is_followed_by_the_next(world: World) -> None:
    payment_id = world.new_payment()
    lost = world.session(payment_id)
    world.provider.checkouts.clear()
    world.clock.advance(hours=25)
    url = world.open(payment_id)
    assert world.session(payment_id) != lost
    session = world.payment(payment_id).current_session
    assert session is not None
    assert session.url == url


def test_what_the_buyer_reads_is_kept_with_the_checkout_made_for_them(world: World) -> None:
    payment_id = ended(world)
    world.open_with(payment_id, None, "fr")
    assert world.payment(payment_id).buyer_language == "fr"
    before = world.payment(payment_id)
    world.open_with(payment_id, None, "it")
    assert world.payment(payment_id) == before, "a live checkout is no reason to write"
    world.clock.advance(hours=25)
    world.open_with(payment_id, None, None)
    assert world.payment(payment_id).buyer_language == "fr", "who names none takes none back"
