"""Stripe is down, slow, hangs or limits us: one 502, and the retry ends with one open session."""

from __future__ import annotations

import time

import pytest
import stripe as sdk

from paylink.adapters.stripe import account
from paylink.operator.stripe_account import STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS
from tests.integration.world import World

CREATE = "/v1/checkout/sessions"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK waits half a second and more before it tries again; what it does stays the same."""
    monkeypatch.setattr(sdk._http_client.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(sdk._http_client.HTTPClient, "MAX_DELAY", 0.02)


def assert_the_retry_ends_well(world: World, key: str = "k", tries: int = 1) -> None:
    """One payment, one open session, told as it is; and one event."""
    first = world.aws.item("IDEMPOTENCY#")["payment_id"]
    for _ in range(tries):
        retried = world.post_payment(key=key)
    assert retried.status == 201, retried.text
    assert retried.data["id"] == first
    assert "idempotent-replayed" not in retried.headers
    sessions = world.stripe.sessions(world.seller.stripe_key)
    payable = [s for s in sessions if s["status"] == "open"]
    assert len(payable) == 1
    assert world.checkout_url(first) == payable[0]["url"]
    assert world.events_of(first) == ["payment.created"]
    replay = world.post_payment(key=key)
    assert replay.headers["idempotent-replayed"] == "true"
    assert replay.data == retried.data


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "error", "status": 500, "stored": "answer", "count": 1},
        {"kind": "error", "status": 500, "stored": "nothing", "count": 2},
        {"kind": "error", "status": 503, "stored": "nothing", "count": 2},
        {"kind": "rate_limit", "count": 1},
        {"kind": "drop", "count": 1},
    ],
    ids=["500 kept", "500", "503", "429", "connection lost"],
)
def test_i4_a_failing_provider_is_a_502_and_the_retry_finishes(
    world: World, fault: dict[str, object]
) -> None:
    world.stripe.fault(path=CREATE, **fault)
    answer = world.post_payment(key="k")
    assert answer.refused() == (502, "internal_error", "provider_unavailable")
    assert "retry" in answer.error["message"]
    assert_the_retry_ends_well(world)


def test_a_provider_that_limits_us_is_tried_again_in_a_second(world: World) -> None:
    world.stripe.fault("rate_limit", path=CREATE, count=1)
    answer = world.post_payment(key="k")
    assert answer.refused() == (502, "internal_error", "provider_unavailable")
    assert answer.headers["retry-after"] == "1"
    world.stripe.fault("drop", path=CREATE, count=2)
    assert "retry-after" not in world.post_payment(key="k2").headers


def test_one_hiccup_is_not_noticed(world: World) -> None:
    world.stripe.fault("error", path=CREATE, status=500, stored="nothing", count=1)
    assert world.post_payment(key="k").status == 201
    assert len(world.stripe.sessions(world.seller.stripe_key)) == 1


def test_i4_a_500_after_the_session_was_made_leaves_one_open(world: World) -> None:
    """The provider did the work and answers 500 for ever: the next generation is what is paid."""
    world.stripe.fault("error_after", path=CREATE, status=500, stored="answer", count=1)
    answer = world.post_payment(key="k")
    assert answer.refused() == (502, "internal_error", "provider_unavailable")
    retried = world.post_payment(key="k")
    assert retried.status == 201
    keys = [r["idempotency_key"] for r in world.stripe.session_creations()]
    assert keys == [f"{retried.data['id']}:1", f"{retried.data['id']}:2"]


def test_an_answer_that_got_lost_is_fetched_by_the_retry(world: World) -> None:
    """The session was made under our key; asking again gives the very same one."""
    world.stripe.fault("error_after", path=CREATE, status=500, stored="result", count=2)
    first = world.post_payment(key="k")
    if first.status == 502:
        assert world.post_payment(key="k").status == 201
    assert len(world.stripe.sessions(world.seller.stripe_key)) == 1


def test_a4_a_hanging_provider_is_given_up_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The bound that production has, computed; and the behaviour, with shorter waits.
    tries = account._RETRIES + 1
    longest = tries * (account._CONNECT_SECONDS + account._READ_SECONDS) + 2
    assert longest < world.template.timeout("create_payment") - 2 < 29 - 2
    monkeypatch.setattr(account, "_READ_SECONDS", 0.3)
    world.stripe.fault("hang", path=CREATE, seconds=40, count=2)
    started = time.monotonic()
    answer = world.post_payment(key="k")
    assert time.monotonic() - started < 5
    assert answer.refused() == (502, "internal_error", "provider_unavailable")
    assert_the_retry_ends_well(world)


def test_a4_a_hang_after_the_session_was_made_ends_with_that_session(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "_READ_SECONDS", 0.3)
    world.stripe.fault("hang_after", path=CREATE, seconds=40, count=1)
    answer = world.post_payment(key="k")
    # The SDK's own retry gets the first answer under the same key.
    assert answer.status == 201
    assert len(world.stripe.sessions(world.seller.stripe_key)) == 1


def test_a_slow_provider_is_waited_for(world: World) -> None:
    world.stripe.fault("slow", path=CREATE, seconds=0.5)
    assert world.post_payment(key="k").status == 201


def test_without_an_idempotency_key_the_failed_payment_can_still_be_paid(world: World) -> None:
    """Nobody was told its id, yet it harms nobody: no session of it exists."""
    world.stripe.fault("error", path=CREATE, status=500, stored="answer")
    assert world.post_payment().status == 502
    assert world.stripe.sessions(world.seller.stripe_key) == []
    assert world.dispatch() == []


def test_m4_the_providers_minimum_is_said_and_the_key_is_free(world: World) -> None:
    """Our table lets KRW 100 pass; what the account settles in decides."""
    answer = world.post_payment({"currency": "krw", "amount": 100}, key="k")
    assert answer.refused() == (400, "validation_error", "validation_error")
    assert answer.error["param"] == "amount"
    assert "700" in answer.error["message"]
    assert world.aws.items("PAYMENT#") == []
    assert world.aws.items("IDEMPOTENCY#") == []
    corrected = world.post_payment({"currency": "krw", "amount": 1000}, key="k")
    assert corrected.status == 201


def test_m4_our_own_minimum_needs_no_provider(world: World) -> None:
    answer = world.post_payment({"currency": "usd", "amount": 49}, key="k")
    assert answer.refused()[0] == 400
    assert "50" in answer.error["message"]
    assert world.stripe.session_creations() == []
    assert world.post_payment({"currency": "usd", "amount": 50}, key="k").status == 201


def test_a_revoked_stripe_key_is_our_trouble_and_not_the_callers(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STRIPE_SECRET_KEY, "not a key")
    monkeypatch.setenv(STRIPE_WEBHOOK_SECRETS, world.seller.webhook_secret)
    world.operator("stripe", "set", world.seller.organization_id, "--mode", "sandbox")
    answer = world.post_payment(key="k")
    assert answer.refused() == (502, "internal_error", "provider_unavailable")
    assert "not a key" not in answer.text
    monkeypatch.setenv(STRIPE_SECRET_KEY, world.seller.stripe_key)
    world.operator("stripe", "set", world.seller.organization_id, "--mode", "sandbox")
    world.new_container()
    assert_the_retry_ends_well(world)


def test_the_buyers_page_says_so_too_and_works_afterwards(world: World) -> None:
    payment = world.create()
    world.pass_time(hours=25)
    world.stripe.fault("error", method="POST", path=CREATE, status=500, stored="answer")
    answer = world.press_continue(payment["id"])
    assert answer.status == 503
    assert answer.headers["content-type"].startswith("text/html")
    again = world.press_continue(payment["id"])
    assert again.status == 303
    assert "/c/pay/cs_test_" in again.headers["location"]
    assert (
        len([s for s in world.stripe.sessions(world.seller.stripe_key) if s["status"] == "open"])
        == 1
    )
