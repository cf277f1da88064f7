"""Money goes back once, never more than came, and the records are where the provider's are."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from paylink.domain import events
from paylink.domain.errors import (
    DuplicateError,
    ProviderRejectedError,
    ProviderUnavailableError,
    TransactionNotFoundError,
    UnknownPaymentError,
    ValidationError,
)
from paylink.domain.payment import Refund, RefundStatus
from paylink.domain.refund import without_refund
from tests.unit.fakes import START
from tests.unit.world import World, a_payment, charge_of


def intent_of(world: World, payment_id: str) -> str:
    return world.transaction(payment_id).payment_intent_id or ""


def returned(world: World, payment_id: str) -> int:
    return world.provider.returned(intent_of(world, payment_id))


def told(world: World, payment_id: str) -> list[int]:
    """The amounts of the refunds that were announced."""
    return [
        event.data["refundAmount"]
        for event in world.memory.events_about(payment_id)
        if event.type == events.PAYMENT_REFUNDED
    ]


def test_all_of_it_goes_back_by_default(world: World) -> None:
    payment_id = world.paid()
    refund = world.refund(world.transaction(payment_id).id)
    assert (refund.amount, refund.status) == (1200, "succeeded")
    assert returned(world, payment_id) == 1200
    assert world.payment(payment_id).amount_refunded == 1200
    assert world.payment(payment_id).status == "succeeded"
    assert world.transaction(payment_id).status == "refunded"
    assert told(world, payment_id) == [1200]


def test_parts_go_back_until_nothing_is_left(world: World) -> None:
    payment_id = world.paid()
    transaction_id = world.transaction(payment_id).id
    world.refund(transaction_id, 300)
    assert world.transaction(payment_id).status == "succeeded"
    with pytest.raises(ValidationError, match="900"):
        world.refund(transaction_id, 901)
    world.refund(transaction_id, 200)
    assert world.refund(transaction_id).amount == 700
    assert world.transaction(payment_id).status == "refunded"
    for amount in (None, 1):
        with pytest.raises(DuplicateError):
            world.refund(transaction_id, amount)
    assert told(world, payment_id) == [300, 200, 700]


def test_a_charge_is_refunded_as_a_link_is(world: World) -> None:
    customer = world.vaulted_customer()
    world.charge(charge_of(customer))
    charged = next(p for p in world.memory.payments.values() if p.kind == "charge")
    world.refund(world.transaction(charged.id).id, 100)
    assert world.payment(charged.id).amount_refunded == 100


def test_only_money_that_came_goes_back_and_only_its_owners(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.decline(world.session(payment_id))
    world.hear(payment_id)
    (failed,) = world.memory.transactions
    with pytest.raises(ValidationError, match="failed"):
        world.refund(failed)
    with pytest.raises(TransactionNotFoundError):
        world.refund(failed, owner=("org_1", "live"))


@pytest.mark.parametrize("fault", ["unavailable", "timeout", "stored", "done_but_stored"])
def test_a_retry_refunds_once_however_the_first_try_failed(world: World, fault: str) -> None:
    payment_id = world.paid()
    transaction_id = world.transaction(payment_id).id
    world.provider.fail("create_refund", fault, fault)  # type: ignore[arg-type]
    tries = 0
    refund = None
    while refund is None:
        tries += 1
        try:
            refund = world.refund(transaction_id, 500, "K")
        except ProviderUnavailableError:
            assert tries < 4
    assert refund.status == "succeeded"
    assert world.refund(transaction_id, 500, "K") == refund
    assert returned(world, payment_id) == world.payment(payment_id).amount_refunded == 500
    assert told(world, payment_id) == [500]


def test_a_crash_before_or_after_the_provider_was_asked_refunds_once(world: World) -> None:
    for skipped in (0, 1):
        payment_id = world.paid()
        transaction_id = world.transaction(payment_id).id

        def crash(_commit: object) -> None:
            raise KeyboardInterrupt

        world.payments.interruptions += [lambda _commit: None] * skipped + [crash]
        with pytest.raises(KeyboardInterrupt):
            world.refund(transaction_id, 500, "K")
        world.refund(transaction_id, 500, "K")
        assert returned(world, payment_id) == world.payment(payment_id).amount_refunded == 500
        assert told(world, payment_id) == [500]


def test_a_rival_in_between_takes_nothing_more_than_there_is(world: World) -> None:
    payment_id = world.paid()
    transaction_id = world.transaction(payment_id).id
    world.payments.interruptions.append(lambda _commit: world.refund(transaction_id, 1000, "rival"))
    with pytest.raises(ValidationError, match="200"):
        world.refund(transaction_id, 500, "K")
    assert returned(world, payment_id) == world.payment(payment_id).amount_refunded == 1000


def test_what_the_provider_refuses_leaves_nothing(world: World) -> None:
    payment_id = world.paid()
    transaction_id = world.transaction(payment_id).id
    world.provider.fail("create_refund", "rejected")
    with pytest.raises(ProviderRejectedError):
        world.refund(transaction_id, 500, "K")
    assert world.payment(payment_id).refunds == ()
    assert world.refund(transaction_id, None, "K2").amount == 1200


def test_a_refund_of_the_dashboard_counts_before_the_next_one(world: World) -> None:
    payment_id = world.paid()
    world.provider.refund(intent_of(world, payment_id), 1000)
    with pytest.raises(ValidationError, match="200"):
        world.refund(world.transaction(payment_id).id, 201)
    assert world.payment(payment_id).amount_refunded == 1000
    assert world.refund(world.transaction(payment_id).id).amount == 200


def test_one_that_was_asked_for_without_a_key_and_lost_blocks_nothing(world: World) -> None:
    payment_id = world.paid()
    transaction_id = world.transaction(payment_id).id
    world.provider.fail("create_refund", "timeout", "unavailable")
    for _ in range(2):
        with pytest.raises(ProviderUnavailableError):
            world.refund(transaction_id, 600)
    assert world.refund(transaction_id).amount == 600
    assert returned(world, payment_id) == world.payment(payment_id).amount_refunded == 1200
    assert sorted(told(world, payment_id)) == [600, 600]


def test_what_was_asked_for_and_given_up_is_forgotten(world: World) -> None:
    payment_id = world.paid()
    transaction_id = world.transaction(payment_id).id
    world.provider.fail("create_refund", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        world.refund(transaction_id, None, "K")
    world.clock.advance(hours=25, seconds=-1)
    with pytest.raises(DuplicateError, match="under way"):
        world.refund(transaction_id, 100)
    world.clock.advance(seconds=1)
    assert world.refund(transaction_id, 100).amount == 100


def test_refunds_of_the_dashboard_appear_in_any_order_of_news(world: World) -> None:
    """R1: news of 300, 500, 300 again (late) and 1000 in all."""
    payment_id = world.paid(amount=1000)
    intent_id = intent_of(world, payment_id)
    seen = []
    for made in (300, 200, 0, 500):
        if made:
            world.provider.refund(intent_id, made)
        assert world.hear_refunds(intent_id) == "refunds"
        world.hear_refunds(intent_id)
        seen.append(world.payment(payment_id).amount_refunded)
    assert seen == [300, 500, 500, 1000]
    assert told(world, payment_id) == [300, 200, 500]


def test_a_refund_that_fails_later_is_taken_back(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    world.provider.refund_status = "pending"
    refund = world.refund(world.transaction(payment_id).id)
    assert (refund.status, world.payment(payment_id).amount_refunded) == ("pending", 1200)
    world.provider.end_refund(refund.provider_id or "", "succeeded")
    world.hear_refunds(intent_id)
    assert world.payment(payment_id).refunds[0].status == "succeeded"
    world.provider.end_refund(refund.provider_id or "", "failed")
    for _ in range(2):
        world.hear_refunds(intent_id)
    assert world.payment(payment_id).amount_refunded == 0
    assert world.transaction(payment_id).status == "succeeded"
    assert told(world, payment_id) == [1200]
    errors = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [getattr(record, "refund_id", None) for record in errors] == [refund.id]
    world.provider.refund_status = "succeeded"
    assert world.refund(world.transaction(payment_id).id).amount == 1200


def test_a_refund_heard_of_before_the_payment_settles_it_first(world: World) -> None:
    payment_id = world.new_payment()
    session_id = world.session(payment_id)
    world.provider.pay(session_id)
    intent_id = world.provider.checkouts[session_id].intent_id or ""
    world.provider.refund(intent_id, 400)
    assert world.hear_refunds(intent_id) == "refunds"
    assert world.hear_refunds(intent_id, payment_id) == "refunds"
    assert world.payment(payment_id).status == "succeeded"
    assert world.payment(payment_id).amount_refunded == 400


def test_news_of_a_refund_that_arrive_while_it_is_made_count_once(world: World) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    world.provider.interrupt("create_refund", lambda: world.hear_refunds(intent_id))
    world.refund(world.transaction(payment_id).id, 700, "K")
    assert world.payment(payment_id).amount_refunded == 700
    assert told(world, payment_id) == [700]
    assert len(world.payment(payment_id).refunds) == 1


def test_what_the_provider_tells_of_an_unpaid_payments_refunds_changes_nothing(
    world: World,
) -> None:
    payment_id = world.new_payment()
    assert world.hear_refunds("pi_of_nobody", payment_id) == "ignored: no money of this payment"


def paid_twice(world: World) -> tuple[str, str]:
    """A payment and the transaction of the second checkout that was paid as well."""
    payment_id = world.new_payment()
    first = world.session(payment_id)
    world.clock.advance(hours=25)
    world.hear(payment_id)
    world.open(payment_id)
    second = world.session(payment_id)
    world.provider.pay(second)
    world.hear(payment_id)
    # As an open page of a checkout that ran out could once be paid.
    world.provider.checkouts[first].status = "open"
    world.provider.checkouts[first].expires_at = world.clock.now + timedelta(hours=1)
    world.provider.pay(first)
    world.hear(payment_id, first)
    twice = next(e for e in world.memory.events if e.type == events.PAYMENT_RECEIVED_TWICE)
    return payment_id, twice.data["transactionId"]


@pytest.mark.parametrize(
    "faults", [(), ("timeout",), ("stored", "timeout"), ("done_but_stored", "unavailable")]
)
def test_money_that_came_twice_goes_back_once(world: World, faults: tuple[str, ...]) -> None:
    payment_id, surplus = paid_twice(world)
    world.provider.fail("create_refund", *faults)  # type: ignore[arg-type]
    for _ in range(4):
        with suppress(ProviderUnavailableError):
            world.return_surplus(payment_id, surplus)
    payment = world.payment(payment_id)
    assert (payment.status, payment.amount_refunded) == ("succeeded", 0)
    statuses = {t.id: t.status for t in world.memory.transactions.values()}
    assert statuses == {surplus: "refunded", world.transaction(payment_id).id: "succeeded"}
    assert [r.state.amount for r in world.provider.refunds.values()] == [1200]
    assert returned(world, payment_id) == 0
    assert told(world, payment_id) == [1200]
    world.issue(payment_id)
    assert len(world.memory.invoices) == 1
    world.provider.forget_failures()
    # Who paid once is still refunded once, by themselves.
    assert world.refund(world.transaction(payment_id).id).amount == 1200
    assert world.payment(payment_id).amount_refunded == 1200


def test_what_paid_the_payment_is_never_taken_for_surplus(world: World) -> None:
    payment_id = world.paid()
    with pytest.raises(UnknownPaymentError):
        world.return_surplus(payment_id, world.transaction(payment_id).id)
    assert world.provider.refunds == {}


def test_surplus_that_the_seller_returned_by_hand_is_not_returned_again(world: World) -> None:
    payment_id, surplus = paid_twice(world)
    (money,) = world.payment(payment_id).surplus
    world.provider.refund(money.payment_intent_id)
    world.hear_refunds(money.payment_intent_id)
    world.return_surplus(payment_id, surplus)
    assert len(world.provider.refunds) == 1
    assert world.memory.transactions[surplus].status == "refunded"


@pytest.mark.parametrize("status", get_args(RefundStatus))
def test_a_refund_counts_unless_it_came_to_nothing_or_was_never_made(status: RefundStatus) -> None:
    made = Refund("re_1", "txn_1", 100, status, START, provider_id="re_stripe")
    assert made.counts is (status in {"pending", "requires_action", "succeeded"})
    assert not replace(made, provider_id=None).counts


def test_a_refund_that_came_to_nothing_takes_no_other_with_it() -> None:
    sent = Refund("re_1", "txn_1", 100, "succeeded", START, provider_id="re_stripe")
    waiting, dropped = (Refund(f"re_{n}", "txn_1", 100, "pending", START) for n in (2, 3))
    payment = a_payment(refunds=(sent, waiting, dropped))
    assert without_refund(payment, "re_3").refunds == (sent, waiting)
    assert without_refund(payment, "re_1").refunds == (sent, waiting, dropped)
