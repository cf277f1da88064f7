"""The sweep: links whose time is over end, unless money came; its "now" is the event's own time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from paylink.adapters.stripe.pace import Pace
from tests.integration.world import Context, World, sample_event


def counts(**given: int) -> dict[str, int]:
    names = ("canceled", "settled", "checked", "unchanged", "failed", "left")
    return dict.fromkeys(names, 0) | given


def session_of(world: World, payment: dict[str, Any]) -> dict[str, Any]:
    """The newest of a payment's sessions, as Stripe has it."""
    sessions = world.stripe.sessions(world.seller.stripe_key)
    return next(s for s in sessions if s["client_reference_id"] == payment["id"])


def assert_expired(world: World, payment: dict[str, Any]) -> None:
    found = world.payment(payment["id"])
    assert (found["status"], found["cancellationReason"]) == ("canceled", "expired")
    assert session_of(world, payment)["status"] == "expired"
    assert world.open_link(payment["id"]).status == 410


def test_a_due_link_ends_here_and_at_the_provider(world: World) -> None:
    payment = world.create()
    assert world.sweep() == counts(canceled=1)
    assert_expired(world, payment)
    created, canceled = world.dispatch()
    assert created["detail-type"] == "payment.created"
    assert canceled["detail-type"] == "payment.canceled"
    assert canceled["detail"]["data"]["reason"] == "expired"
    assert world.stripe.pay(session_of(world, payment)["url"] or "/c/pay/x").status_code != 200


def test_the_events_own_time_decides(world: World) -> None:
    payment = world.create()
    due = datetime.fromisoformat(payment["expiresAt"])
    assert world.sweep(due - timedelta(seconds=1))["canceled"] == 0
    assert world.payment(payment["id"])["status"] == "pending"
    assert world.sweep(due + timedelta(seconds=1)) == counts(canceled=1)
    assert_expired(world, payment)


@pytest.mark.parametrize("form", ["2099-01-01T00:00:00Z", "2099-01-01T01:00:00+01:00"])
def test_time_in_any_iso_form_of_a_schedule(world: World, form: str) -> None:
    world.create()
    event = sample_event("expire_links") | {"time": form}
    assert world.invoke("expire_links", event) == counts(canceled=1)


def test_every_call_to_the_provider_waits_for_its_turn(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[float] = []

    def take_turn(pace: Pace) -> None:
        turns.append(pace._seconds)

    monkeypatch.setattr(Pace, "wait", take_turn)
    world.template.set_parameter("StripeBackgroundRate", "40")
    for _ in range(2):
        world.create()
    turns.clear()
    world.stripe.forget_requests()
    assert world.sweep() == counts(canceled=2)
    assert turns == [1 / 40] * 4
    assert len(world.stripe.requests()) == 4


def test_what_somebody_waits_for_waits_for_no_turn(world: World) -> None:
    for function in ("create_payment", "stripe_webhook", "pay_page", "charge_payment"):
        assert "STRIPE_CALLS_PER_SECOND" not in world.template.variables(function)
    for function in ("expire_links", "hear_undelivered"):
        assert world.template.variables(function)["STRIPE_CALLS_PER_SECOND"] == "100"


def test_d5_a_second_sweep_over_the_same_links_does_nothing(world: World) -> None:
    payments = [world.create() for _ in range(6)]
    assert world.sweep() == counts(canceled=6)
    world.stripe.forget_requests()
    assert world.sweep(world.clock()) == counts()
    assert world.stripe.requests() == []
    told = [e["detail"]["data"]["paymentId"] for e in world.dispatch()
            if e["detail-type"] == "payment.canceled"]  # fmt: skip
    assert sorted(told) == sorted(payment["id"] for payment in payments)
    for payment in payments:
        assert_expired(world, payment)


def test_s2_open_paid_and_expired_sessions_end_as_their_money_says(world: World) -> None:
    opened, paid, ended, debit = (world.create() for _ in range(4))
    world.stripe.pay(world.checkout_url(paid["id"]))
    world.stripe.pay_by_debit(world.checkout_url(debit["id"]))
    world.stripe.control("POST", f"checkout_sessions/{session_of(world, ended)['id']}/expire")
    assert world.sweep() == counts(canceled=2, settled=2)
    assert_expired(world, opened)
    assert_expired(world, ended)
    assert world.payment(paid["id"])["status"] == "succeeded"
    assert world.payment(debit["id"])["status"] == "processing"
    world.deliver_everything()
    assert world.payment(paid["id"])["status"] == "succeeded"
    assert world.payment(debit["id"])["status"] == "processing"
    assert world.payment(opened["id"])["status"] == "canceled"
    assert world.payment(ended["id"])["status"] == "canceled"
    told = [e["detail-type"] for e in world.dispatch()]
    assert sorted(told) == sorted(
        ["payment.created"] * 4
        + ["payment.canceled"] * 2
        + ["payment.succeeded", "payment.processing", "payment_method.attached"]
    )


def test_s2_a_declined_session_ends_too(world: World) -> None:
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]), "4000 0000 0000 0002")
    world.deliver_everything()
    assert world.sweep() == counts(canceled=1)
    assert_expired(world, payment)


def test_s2_a_success_that_lands_in_the_middle_of_the_sweep_stays(world: World) -> None:
    """The buyer pays after the sweep looked and before it writes: the webhook wins."""
    payment = world.create()
    url = world.checkout_url(payment["id"])
    done = []

    def pay_meanwhile(_parameters: dict[str, Any]) -> bool:
        if not done:
            done.append(1)
            assert world.stripe.pay(url).status_code == 200
            world.deliver(world.provider_event("checkout.session.completed"))
        return False

    # The sweep's first read of the payment comes right after this query.
    world.aws.fail_once("GetItem", matching=pay_meanwhile)
    swept = world.sweep()
    world.aws.failures.clear()
    assert done
    assert swept["canceled"] == 0
    assert world.payment(payment["id"])["status"] == "succeeded"
    assert world.events_of(payment["id"]) == ["payment.created", "payment.succeeded"]


def test_s2_a_success_between_the_look_and_the_write_stays(world: World) -> None:
    payment = world.create()
    url = world.checkout_url(payment["id"])
    done = []

    def pay_meanwhile(parameters: dict[str, Any]) -> bool:
        if not done and "sweep" in str(parameters):
            done.append(1)
            # The sweep has expired the session already; this one was paid a moment before that.
            settle_behind_the_sweep(world, payment["id"])
        return False

    def settle_behind_the_sweep(stack: World, payment_id: str) -> None:
        key = {"pk": {"S": f"PAYMENT#{payment_id}"}, "sk": {"S": "PAYMENT"}}
        stack.aws.dynamodb.update_item(
            TableName="paylink-test-table",
            Key=key,
            UpdateExpression="SET #s = :s, version = version + :one REMOVE check_at",
            ExpressionAttributeNames={"#s": "status"},
            ExpressionAttributeValues={":s": {"S": "succeeded"}, ":one": {"N": "1"}},
        )

    assert url
    world.aws.fail_once("write", matching=pay_meanwhile)
    swept = world.sweep()
    world.aws.failures.clear()
    assert done
    assert swept == counts(unchanged=1)
    assert world.payment(payment["id"])["status"] == "succeeded"


def test_s4_while_the_provider_cannot_end_the_session_the_link_is_not_shown_as_ended(
    world: World,
) -> None:
    payment = world.create()
    world.stripe.fault("error", path=".*/expire", status=500, count=2, stored="nothing")
    assert world.sweep() == counts(failed=1)
    assert world.payment(payment["id"])["status"] == "pending"
    assert world.aws.item("PAYMENT#")["due_shard"]
    assert world.sweep() == counts(canceled=1)
    assert_expired(world, payment)


def test_one_broken_link_does_not_keep_the_others_open(world: World) -> None:
    first, broken, last = (world.create() for _ in range(3))
    session = session_of(world, broken)["id"]
    world.stripe.fault("error", path=f".*{session}", status=500, count=None, stored="nothing")
    assert world.sweep() == counts(canceled=2, failed=1)
    for payment in (first, last):
        assert_expired(world, payment)
    assert world.payment(broken["id"])["status"] == "pending"


def test_a_link_without_a_session_needs_no_call(world: World) -> None:
    payment = world.create()
    world.stripe.control("POST", f"checkout_sessions/{session_of(world, payment)['id']}/expire")
    world.deliver_everything()
    world.stripe.forget_requests()
    assert world.sweep() == counts(canceled=1)
    assert world.stripe.requests() == []
    assert_expired(world, payment)


def test_a_link_whose_next_session_got_lost_ends_too(world: World) -> None:
    payment_id = world.create()["id"]
    world.pass_time(hours=25)
    # Writes of the button: the old session's end, the new one's parameters, its id.
    world.aws.fail_once("write", skip=2)
    assert world.press_continue(payment_id).status == 503
    assert world.sweep() == counts(canceled=1)
    found = world.payment(payment_id)
    assert (found["status"], found["cancellationReason"]) == ("canceled", "expired")


def test_paid_links_are_not_even_looked_at(world: World) -> None:
    world.paid()
    world.stripe.forget_requests()
    assert world.sweep() == counts()
    assert world.stripe.requests() == []


def test_without_time_what_is_left_is_left_for_the_next_run(world: World) -> None:
    world.create()
    module = world.module("expire_links")
    context = Context("expire_links", seconds=10)
    event = sample_event("expire_links") | {"time": "2027-12-31T23:59:00Z"}
    swept = module.lambda_handler(event, context)
    assert (swept["canceled"], swept["left"]) == (0, 1)
    assert world.sweep() == counts(canceled=1)


def test_only_the_index_is_queried_and_nothing_is_scanned(world: World) -> None:
    world.create()
    world.aws.calls.clear()
    world.sweep()
    operations = [operation for operation, _ in world.aws.calls]
    assert "Scan" not in operations
    queries = [parameters for operation, parameters in world.aws.calls if operation == "Query"]
    assert {query["IndexName"] for query in queries} == {"due"}


@pytest.mark.parametrize("time", [None, "", "yesterday", 5])
def test_an_event_without_a_time_is_an_error_and_ends_nothing(world: World, time: Any) -> None:
    payment = world.create()
    with pytest.raises((KeyError, TypeError, ValueError)):
        world.invoke("expire_links", sample_event("expire_links") | {"time": time})
    assert world.payment(payment["id"])["status"] == "pending"
