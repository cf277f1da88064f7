"""`POST /payments/{paymentId}/cancel` with Stripe's sandbox behind it."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
import stripe as sdk

from tests.integration.world import World

NOT_CANCELABLE = (409, "conflict_error", "payment_not_cancelable")
SESSIONS = "/v1/checkout/sessions"


def statuses(world: World) -> list[str]:
    return [s["status"] for s in world.stripe.sessions(world.seller.stripe_key)]


def test_a_link_is_ended_at_stripe_and_here(world: World) -> None:
    made = world.create()
    checkout = world.checkout_url(made["id"])
    answer = world.cancel(made["id"])
    assert answer.status == 200
    changed = {"status": "canceled", "cancellationReason": "requested"}
    assert answer.data == made | changed | {"updatedAt": answer.data["updatedAt"]}
    assert world.payment(made["id"]) == answer.data
    assert statuses(world) == ["expired"]
    world.stripe.pay(checkout)
    assert statuses(world) == ["expired"]
    assert world.open_link(made["id"]).status == 410
    assert world.events_of(made["id"]) == ["payment.created", "payment.canceled"]
    made_at = datetime.fromisoformat(made["createdAt"])
    # Looked at once more, at the moment that the index has anyway; then it is in no index.
    due = datetime.fromisoformat(world.aws.item("PAYMENT#")["due_at"])
    assert due - made_at < timedelta(minutes=16)
    assert world.sweep(due + timedelta(seconds=1))["checked"] == 1
    assert "due_shard" not in world.aws.item("PAYMENT#")


def test_again_is_the_same_and_asks_stripe_nothing(world: World) -> None:
    made = world.create()
    first = world.cancel(made["id"])
    world.stripe.forget_requests()
    assert world.cancel(made["id"]).data == first.data
    assert world.stripe.requests() == []


BODIES: list[bytes | str] = ["", "{}", "null", " \r\n", b"{ }\n"]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_no_body_needs_to_be_sent(world: World, body: bytes | str, prefix: str) -> None:
    made = world.create()
    if prefix:
        route = f"POST {prefix}/payments/{{paymentId}}/cancel"
        assert route in world.template.routes("payments")
    assert world.cancel(made["id"], body).data["status"] == "canceled"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ('{"reason": "x"}', "validation_error"),
        ("[]", "invalid_json"),
        ("{", "invalid_json"),
        ("0", "invalid_json"),
        (b"\xff".decode("latin-1"), "invalid_json"),
    ],
)
def test_any_other_body_is_refused_before_anything_happens(
    world: World, body: str, code: str
) -> None:
    made = world.create()
    assert world.cancel(made["id"], body).refused() == (400, "validation_error", code)
    assert statuses(world) == ["open"]


def test_what_is_paid_or_being_paid_is_not_canceled(world: World) -> None:
    paid = world.paid()
    assert world.cancel(paid["id"], key="k").refused() == NOT_CANCELABLE
    again = world.cancel(paid["id"], key="k")
    assert again.refused() == NOT_CANCELABLE
    assert again.headers["idempotent-replayed"] == "true"
    debit = world.create()
    world.stripe.pay_by_debit(world.checkout_url(debit["id"]))
    assert world.cancel(debit["id"]).refused() == NOT_CANCELABLE
    assert world.payment(debit["id"])["status"] == "processing"


def test_money_that_nobody_told_us_of_is_settled_instead(world: World) -> None:
    made = world.create()
    world.stripe.pay(world.checkout_url(made["id"]))
    assert world.cancel(made["id"]).refused() == NOT_CANCELABLE
    assert world.payment(made["id"])["status"] == "succeeded"
    world.issue_invoices()
    world.deliver_everything()
    assert len(world.aws.items("INVOICE#")) == 1


@pytest.mark.parametrize("kind", ["error", "error_after", "drop"])
def test_s4_while_stripe_fails_it_is_not_shown_as_canceled(
    world: World, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sdk._http_client.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(sdk._http_client.HTTPClient, "MAX_DELAY", 0.02)
    made = world.create()
    world.stripe.fault(kind=kind, path=f"{SESSIONS}/[^/]+/expire", count=2)
    answer = world.cancel(made["id"], key="k")
    assert answer.refused() == (502, "internal_error", "provider_unavailable")
    assert world.payment(made["id"])["status"] == "pending"
    world.stripe.control("DELETE", "faults")
    retried = world.cancel(made["id"], key="k")
    assert (retried.status, retried.data["status"]) == (200, "canceled")
    assert "idempotent-replayed" not in retried.headers
    assert statuses(world) == ["expired"]


def test_the_key_belongs_to_one_payments_cancellation(world: World) -> None:
    first, second = world.create(), world.create()
    answer = world.cancel(first["id"], key="k")
    replayed = world.cancel(first["id"], "{}", key="k")
    assert replayed.data == answer.data
    assert replayed.headers["idempotent-replayed"] == "true"
    mismatch = (409, "conflict_error", "idempotency_key_mismatch")
    assert world.cancel(second["id"], key="k").refused() == mismatch
    assert world.payment(second["id"])["status"] == "pending"


def test_a_session_whose_id_got_lost_is_found_and_ended(world: World) -> None:
    payment_id = world.create()["id"]
    world.pass_time(hours=25)
    # Writes of the button: the old session's end, the new one's parameters, its id.
    world.aws.fail_once("write", skip=2)
    assert world.press_continue(payment_id).status == 503
    (lost,) = (s for s in world.stripe.sessions(world.seller.stripe_key) if s["status"] == "open")
    assert world.cancel(payment_id).data["status"] == "canceled"
    assert statuses(world) == ["expired", "expired"]
    _, session = world.aws.item("PAYMENT#")["sessions"]
    assert session["id"] == lost["id"]
    world.deliver_everything()


def test_somebody_elses_link_does_not_exist(world: World) -> None:
    made = world.create()
    other = world.new_seller("Other", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    for seller in (other, live):
        answer = world.cancel(made["id"], seller=seller)
        assert answer.refused() == (404, "not_found_error", "payment_not_found")
    for strange in ("pay_unknown", "x" * 3000, "ключ"):
        assert world.cancel(strange).status == 404
    assert world.payment(made["id"])["status"] == "pending"


@pytest.mark.parametrize(
    "code",
    [
        *("TransactionConflictException", "TransactionInProgressException"),
        *("ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"),
    ],
)
def test_d3_a_write_that_meets_another_or_too_many_is_tried_again(world: World, code: str) -> None:
    made = world.create()
    for _ in range(2):
        world.aws.fail_once("PutItem", code)
    assert world.cancel(made["id"]).data["status"] == "canceled"
    assert world.aws.failures == []
    assert world.events_of(made["id"]) == ["payment.created", "payment.canceled"]
