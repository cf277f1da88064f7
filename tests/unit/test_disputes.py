"""Disputes: where the money is, told once, in whatever order the news of them come."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from commet import webhook_events

from paylink.domain import events
from paylink.domain.errors import (
    ProviderUnavailableError,
    ProviderUnsupportedError,
    UnknownPaymentError,
)
from paylink.domain.payment import DisputeStatus
from tests.unit.test_refunds import intent_of, paid_twice
from tests.unit.world import World

DISPUTED, RESOLVED = events.PAYMENT_DISPUTED, events.PAYMENT_DISPUTE_RESOLVED
ORDERS = list(itertools.permutations(("opened", "refunded", "decided")))


def told(world: World, payment_id: str) -> list[str]:
    """What was announced of disputes, with the outcome where there is one."""
    return [
        str(event.data.get("outcome", "opened"))
        for event in world.memory.events_about(payment_id)
        if event.type in {DISPUTED, RESOLVED}
    ]


def standing(world: World, payment_id: str) -> tuple[str, str | None, int]:
    found = world.transaction(payment_id)
    return found.status, found.dispute_status, found.amount_lost


def test_an_open_dispute_is_shown_and_the_payment_stays_succeeded(world: World) -> None:
    payment_id = world.paid()
    world.provider.dispute(intent_of(world, payment_id), 1200)
    assert world.hear_disputes(intent_of(world, payment_id)) == "disputes"
    assert standing(world, payment_id) == ("disputed", "open", 0)
    payment = world.payment(payment_id)
    assert (payment.status, payment.amount_refunded) == ("succeeded", 0)
    assert told(world, payment_id) == ["opened"]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [("won", ("succeeded", "won", 0)), ("lost", ("disputed", "lost", 1200))],
)
def test_the_outcome_is_shown_and_told_once(
    world: World, outcome: DisputeStatus, expected: tuple[str, str, int]
) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    dispute_id = world.provider.dispute(intent_id, 1200)
    for _ in range(2):
        world.hear_disputes(intent_id)
    world.provider.decide(dispute_id, outcome)
    for _ in range(3):
        world.hear_disputes(intent_id)
    assert standing(world, payment_id) == expected
    assert world.payment(payment_id).amount_refunded == 0
    assert told(world, payment_id) == ["opened", outcome]


def test_one_that_is_first_heard_of_when_it_is_over_is_told_of_whole(world: World) -> None:
    payment_id = world.paid()
    world.provider.dispute(intent_of(world, payment_id), 1200, "lost")
    world.hear_disputes(intent_of(world, payment_id))
    assert told(world, payment_id) == ["opened", "lost"]


@pytest.mark.parametrize("refunded", [300, None])
def test_one_that_was_won_leaves_the_status_that_refunds_give(
    world: World, refunded: int | None
) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    world.refund(world.transaction(payment_id).id, refunded)
    before = world.transaction(payment_id).status
    dispute_id = world.provider.dispute(intent_id, 900)
    world.hear_disputes(intent_id)
    assert world.transaction(payment_id).status == "disputed"
    world.provider.decide(dispute_id, "won")
    world.hear_disputes(intent_id)
    assert world.transaction(payment_id).status == before
    assert before == ("refunded" if refunded is None else "succeeded")


def test_refunds_and_disputes_come_to_the_same_end_in_any_order_of_news(world: World) -> None:
    ends = set()
    for order in ORDERS:
        payment_id = world.paid()
        intent_id = intent_of(world, payment_id)
        world.provider.refund(intent_id, 200)
        dispute_id = world.provider.dispute(intent_id, 1000)
        for what in order:
            if what == "decided":
                world.provider.decide(dispute_id, "lost")
            hear = world.hear_refunds if what == "refunded" else world.hear_disputes
            hear(intent_id)
        ends.add((standing(world, payment_id), world.payment(payment_id).amount_refunded))
        assert told(world, payment_id) == ["opened", "lost"]
    assert ends == {(("disputed", "lost", 1000), 200)}


def test_an_inquiry_is_no_dispute_until_the_bank_takes_the_money(world: World) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    dispute_id = world.provider.dispute(intent_id, 1200, "inquiry")
    world.hear_disputes(intent_id)
    assert standing(world, payment_id) == ("succeeded", None, 0)
    assert world.payment(payment_id).disputes == ()
    world.provider.decide(dispute_id, "open")
    world.hear_disputes(intent_id)
    assert standing(world, payment_id) == ("disputed", "open", 0)
    world.provider.decide(dispute_id, "inquiry")
    world.hear_disputes(intent_id)
    assert standing(world, payment_id) == ("succeeded", "won", 0)
    assert told(world, payment_id) == ["opened", "won"]


def test_an_outcome_that_is_overturned_is_told_again(world: World) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    dispute_id = world.provider.dispute(intent_id, 1200, "lost")
    world.hear_disputes(intent_id)
    world.provider.decide(dispute_id, "won")
    world.hear_disputes(intent_id)
    assert standing(world, payment_id) == ("succeeded", "won", 0)
    assert told(world, payment_id) == ["opened", "lost", "won"]


def test_of_two_disputes_the_open_one_counts_then_the_lost_one(world: World) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    lost = world.provider.dispute(intent_id, 500)
    won = world.provider.dispute(intent_id, 700)
    world.provider.decide(lost, "lost")
    world.hear_disputes(intent_id)
    assert standing(world, payment_id) == ("disputed", "open", 500)
    world.provider.decide(won, "won")
    world.hear_disputes(intent_id)
    assert standing(world, payment_id) == ("disputed", "lost", 500)
    assert sorted(told(world, payment_id)) == ["lost", "opened", "opened", "won"]


def test_no_more_is_lost_than_was_paid(world: World) -> None:
    payment_id = world.paid()
    world.provider.dispute(intent_of(world, payment_id), 1250, "lost")
    world.hear_disputes(intent_of(world, payment_id))
    assert standing(world, payment_id) == ("disputed", "lost", 1200)


@pytest.mark.parametrize("status", ["open", "lost"])
def test_what_a_bank_took_cannot_be_refunded_too(world: World, status: DisputeStatus) -> None:
    payment_id = world.paid()
    world.provider.dispute(intent_of(world, payment_id), 1200, status)
    with pytest.raises(ProviderUnsupportedError, match="disputes"):
        world.refund(world.transaction(payment_id).id, 100, "K")
    assert world.payment(payment_id).refunds == ()


def test_a_dispute_that_was_won_can_be_refunded(world: World) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    world.provider.dispute(intent_id, 1200, "won")
    world.hear_disputes(intent_id)
    assert world.refund(world.transaction(payment_id).id).amount == 1200
    assert standing(world, payment_id) == ("refunded", "won", 0)


def test_a_dispute_heard_of_before_the_payment_settles_it_first(world: World) -> None:
    payment_id = world.new_payment()
    session_id = world.session(payment_id)
    world.provider.pay(session_id)
    intent_id = world.provider.checkouts[session_id].intent_id or ""
    world.provider.dispute(intent_id, 1200)
    assert world.hear_disputes(intent_id) == "disputes"
    assert world.payment(payment_id).status == "succeeded"
    assert standing(world, payment_id) == ("disputed", "open", 0)


def test_disputes_of_others_are_ignored(world: World) -> None:
    assert world.hear_disputes("pi_of_nobody") == "ignored: not ours"
    payment_id = world.new_payment()
    session_id = world.session(payment_id)
    world.provider.pay(session_id)
    intent_id = world.provider.checkouts[session_id].intent_id or ""
    for foreign in [("org_2", "deployment_1"), ("org_1", "deployment_2")]:
        world.provider.owner = foreign
        assert world.hear_disputes(intent_id) == "ignored: not ours"
    world.provider.owner = ("org_1", "deployment_1")
    del world.memory.payments[payment_id]
    with pytest.raises(UnknownPaymentError):
        world.hear_disputes(intent_id)


@pytest.mark.parametrize("operation", ["disputes_of", "marks_of_payment_intent"])
def test_news_come_again_while_the_provider_does_not_answer(world: World, operation: str) -> None:
    payment_id = world.new_payment()
    session_id = world.session(payment_id)
    world.provider.pay(session_id)
    intent_id = world.provider.checkouts[session_id].intent_id or ""
    world.provider.dispute(intent_id, 1200)
    world.provider.fail(operation, "unavailable")
    with pytest.raises(ProviderUnavailableError):
        world.hear_disputes(intent_id)
    world.hear_disputes(intent_id)
    assert told(world, payment_id) == ["opened"]


def test_a_dispute_that_the_provider_refuses_to_tell_of_is_asked_for_again(world: World) -> None:
    payment_id = world.paid()
    world.provider.fail("disputes_of", "rejected")
    with pytest.raises(ProviderUnavailableError):
        world.hear_disputes(intent_of(world, payment_id))


def test_rivals_that_hear_of_the_same_dispute_tell_of_it_once(world: World) -> None:
    payment_id = world.paid()
    intent_id = intent_of(world, payment_id)
    dispute_id = world.provider.dispute(intent_id, 1200)

    def rival(_commit: object) -> None:
        world.provider.decide(dispute_id, "won")
        world.hear_disputes(intent_id)

    world.payments.interruptions.append(rival)
    world.hear_disputes(intent_id)
    assert standing(world, payment_id) == ("succeeded", "won", 0)
    assert told(world, payment_id) == ["opened", "won"]


def test_money_that_came_twice_can_be_disputed_and_the_payment_shows_none_of_it(
    world: World,
) -> None:
    payment_id, surplus = paid_twice(world)
    world.issue(payment_id)
    (money,) = world.payment(payment_id).surplus
    world.provider.dispute(money.payment_intent_id, 1200, "lost")
    world.hear_disputes(money.payment_intent_id)
    assert world.memory.transactions[surplus].status == "disputed"
    assert standing(world, payment_id) == ("succeeded", None, 0)
    data = next(e for e in world.memory.events_about(payment_id) if e.type == DISPUTED).data
    assert (data["surplus"], data["invoiceId"], data["invoiceNumber"]) == (True, None, None)


def test_events_have_what_the_clients_read(world: World) -> None:
    payment_id = world.paid()
    invoice = world.issue(payment_id)
    transaction = world.transaction(payment_id)
    intent_id = intent_of(world, payment_id)
    world.refund(transaction.id, 200)
    world.provider.dispute(intent_id, 1000, "lost")
    world.hear_disputes(intent_id)
    classes = {
        events.PAYMENT_REFUNDED: webhook_events.PaymentRefundedData,
        DISPUTED: webhook_events.PaymentDisputedData,
        RESOLVED: webhook_events.PaymentDisputeResolvedData,
    }
    found = {e.type: e.data for e in world.memory.events_about(payment_id) if e.type in classes}
    assert set(found) == set(classes)
    for kind, data in found.items():
        assert {member.name for member in dataclasses.fields(classes[kind])} <= set(data)
        assert data["paymentTransactionId"] == transaction.id
        assert (data["provider"], data["paymentLinkId"]) == ("stripe", payment_id)
        assert (data["invoiceId"], data["invoiceNumber"]) == (invoice.id, invoice.number)
        assert (data["currency"], data["subscriptionId"]) == ("eur", None)
        assert data["customerId"] == transaction.customer_id
    assert found[events.PAYMENT_REFUNDED]["refundAmount"] == 200
    for kind in (DISPUTED, RESOLVED):
        assert (found[kind]["disputeAmount"], found[kind]["disputeReason"]) == (1000, "fraudulent")
    assert found[RESOLVED]["outcome"] == "lost"
