"""Disputes, told of by signed webhooks in every order."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.integration.world import World

DISPUTE_EVENTS = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)


def disputed(world: World, **members: Any) -> dict[str, Any]:
    """A dispute at Stripe of the only payment."""
    (intent,) = world.stripe.api(world.seller.stripe_key, "GET", "/v1/payment_intents")["data"]
    made: dict[str, Any] = world.stripe.control(
        "POST", "disputes", {"payment_intent": intent["id"], **members}
    )
    return made


def answered(world: World, dispute: dict[str, Any]) -> None:
    world.stripe.api(
        world.seller.stripe_key,
        "POST",
        f"/v1/disputes/{dispute['id']}",
        **{"evidence[uncategorized_text]": "It was delivered."},
    )


def closed(world: World, dispute: dict[str, Any], outcome: str) -> None:
    world.stripe.control("POST", f"disputes/{dispute['id']}/close", {"outcome": outcome})


def shown(world: World, payment_id: str) -> tuple[str, str | None, int]:
    """The transaction's status, and what payment and transaction both say of the dispute."""
    (found,) = world.transactions().json["data"]
    payment = world.payment(payment_id)
    assert payment["status"] == "succeeded"
    assert payment["amountRefunded"] == 0
    for member in ("disputeStatus", "amountLost"):
        assert payment[member] == found[member]
    return found["status"], found["disputeStatus"], found["amountLost"]


def deliver(world: World, *events: dict[str, Any]) -> None:
    for event in events:
        answer = world.deliver(event)
        assert answer.status == 200, answer.text


ENDS = {"won": ("succeeded", "won", 0), "lost": ("disputed", "lost", 5831)}


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_opened_answered_and_decided_is_shown_step_by_step(world: World, outcome: str) -> None:
    payment = world.paid()
    world.dispatch()
    dispute = disputed(world)
    deliver(world, *world.provider_events(*DISPUTE_EVENTS))
    assert shown(world, payment["id"]) == ("disputed", "open", 0)
    refused = world.refund(world.transactions().json["data"][0]["id"], key="R")
    assert refused.refused() == (409, "conflict_error", "provider_unsupported")
    assert "disputes" in refused.error["message"]
    answered(world, dispute)
    deliver(world, *world.provider_events(*DISPUTE_EVENTS))
    assert shown(world, payment["id"]) == ("disputed", "open", 0)
    closed(world, dispute, outcome)
    for _ in range(2):
        deliver(world, *world.provider_events(*DISPUTE_EVENTS))
        assert shown(world, payment["id"]) == ENDS[outcome]
    told = world.dispatch()
    assert [event["detail-type"] for event in told] == [
        "payment.disputed",
        "payment.dispute_resolved",
    ]
    for event in told:
        data = event["detail"]["data"]
        assert (data["disputeAmount"], data["disputeReason"]) == (5831, "fraudulent")
        assert (data["paymentId"], data["paymentLinkId"]) == (payment["id"], payment["id"])
    assert told[1]["detail"]["data"]["outcome"] == outcome


@pytest.mark.parametrize(
    ("order", "outcome"),
    list(zip(itertools.permutations(range(4)), itertools.cycle(ENDS), strict=False)),
)
def test_any_order_of_news_comes_to_the_same_end(
    world: World, order: tuple[int, ...], outcome: str
) -> None:
    """The dispute's three events and the one that says that the money came; each comes twice."""
    made = world.create()
    assert world.stripe.pay(world.checkout_url(made["id"])).status_code == 200
    dispute = disputed(world)
    answered(world, dispute)
    closed(world, dispute, outcome)
    news = [
        world.provider_event("checkout.session.completed"),
        world.provider_event("charge.dispute.created"),
        world.provider_event("charge.dispute.updated"),
        world.provider_event("charge.dispute.closed"),
    ]
    for position in order:
        deliver(world, news[position], news[position])
    deliver(world, *reversed(world.provider_events()))
    assert shown(world, made["id"]) == ENDS[outcome]
    told = [kind for kind in world.events_of(made["id"]) if "disput" in kind]
    assert told == ["payment.disputed", "payment.dispute_resolved"]


def test_an_inquiry_changes_nothing_until_it_is_a_dispute(world: World) -> None:
    payment = world.paid()
    inquiry = disputed(world, inquiry=True)
    deliver(world, *world.provider_events(*DISPUTE_EVENTS))
    assert shown(world, payment["id"]) == ("succeeded", None, 0)
    world.stripe.control("POST", f"disputes/{inquiry['id']}/escalate")
    deliver(world, *world.provider_events(*DISPUTE_EVENTS))
    assert shown(world, payment["id"]) == ("disputed", "open", 0)
    closed(world, inquiry, "won")
    deliver(world, *world.provider_events(*DISPUTE_EVENTS))
    assert shown(world, payment["id"]) == ("succeeded", "won", 0)


def test_an_inquiry_that_was_closed_leaves_no_trace(world: World) -> None:
    payment = world.paid()
    world.dispatch()
    closed(world, disputed(world, inquiry=True), "warning_closed")
    deliver(world, *world.provider_events(*DISPUTE_EVENTS))
    assert shown(world, payment["id"]) == ("succeeded", None, 0)
    assert world.events_of(payment["id"]) == []


def test_a_part_can_be_disputed_and_lost(world: World) -> None:
    payment = world.paid()
    closed(world, disputed(world, amount=1000, reason="product_not_received"), "lost")
    deliver(world, *world.provider_events(*DISPUTE_EVENTS))
    assert shown(world, payment["id"]) == ("disputed", "lost", 1000)


def test_transactions_are_listed_by_being_disputed(world: World) -> None:
    world.paid()
    disputed(world)
    assert world.transactions({"status": "disputed"}).json["data"] == []
    deliver(world, *world.provider_events(*DISPUTE_EVENTS))
    assert len(world.transactions({"status": "disputed"}).json["data"]) == 1


def test_the_news_come_again_while_stripe_does_not_answer(world: World) -> None:
    payment = world.paid()
    disputed(world)
    event = world.provider_event("charge.dispute.created")
    world.stripe.fault("error", path="/v1/disputes", method="GET", count=2)
    assert world.deliver(event).status == 502
    world.stripe.control("DELETE", "faults")
    deliver(world, event)
    assert shown(world, payment["id"]) == ("disputed", "open", 0)


def test_disputes_of_other_checkouts_are_answered_and_ignored(world: World) -> None:
    key = world.seller.stripe_key
    method = "pm_card_visa"
    made = world.stripe.api(
        key, "POST", "/v1/payment_intents",
        **{"amount": 900, "currency": "eur", "confirm": "true", "payment_method": method,
           "automatic_payment_methods[enabled]": "true",
           "automatic_payment_methods[allow_redirects]": "never"},
    )  # fmt: skip
    world.stripe.control("POST", "disputes", {"payment_intent": made["id"]})
    for event in world.provider_events(*DISPUTE_EVENTS):
        answer = world.deliver(event)
        assert (answer.status, answer.json["outcome"]) == (200, "ignored: not ours")
    assert world.aws.items("PAYMENT#") == []
