"""The Idempotency-Key of `POST /payments`: one key, one payment, one session."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.world import PAYMENT, World, http_event


def assert_one_payment_with_one_session(world: World) -> None:
    payment = world.aws.item("PAYMENT#")
    open_sessions = [
        s for s in world.stripe.sessions(world.seller.stripe_key) if s["status"] == "open"
    ]
    assert len(open_sessions) == 1
    assert open_sessions[0]["client_reference_id"] == payment["id"]
    assert payment["sessions"][-1]["id"] == open_sessions[0]["id"]


def test_the_same_request_is_answered_from_store(world: World) -> None:
    first = world.post_payment(key="k")
    again = world.post_payment(key="k")
    assert (first.status, again.status) == (201, 201)
    assert json.loads(again.text) == json.loads(first.text)
    assert again.headers["idempotent-replayed"] == "true"
    assert "idempotent-replayed" not in first.headers
    assert len(world.stripe.session_creations()) == 1
    assert_one_payment_with_one_session(world)


def test_a_replay_shows_the_first_answer_even_after_the_payment_moved(world: World) -> None:
    first = world.post_payment(key="k")
    world.stripe.pay(world.checkout_url(first.data["id"]))
    world.deliver_everything()
    assert world.payment(first.data["id"])["status"] == "succeeded"
    assert world.post_payment(key="k").text == first.text


def test_i1_another_body_under_the_key_is_a_conflict(world: World) -> None:
    first = world.post_payment({"amount": 1000}, key="k")
    second = world.post_payment({"amount": 2000}, key="k")
    assert second.refused() == (409, "conflict_error", "idempotency_key_mismatch")
    assert world.post_payment({"amount": 1000}, key="k").data == first.data
    assert_one_payment_with_one_session(world)


def test_i3_the_json_value_counts_not_its_text(world: World) -> None:
    first = world.post_payment(key="k")
    members = dict(reversed(PAYMENT.items()))
    again = world.post_payment(json.dumps(members, indent=4).replace("C", "\\u0043"), key="k")
    assert again.data == first.data
    assert_one_payment_with_one_session(world)


def test_both_prefixes_are_one_operation(world: World) -> None:
    first = world.post_payment(key="k")
    event = http_event(
        "create_payment",
        route="POST /api/v1/payments",
        headers={"x-api-key": world.seller.api_key, "Idempotency-Key": "k"},
    )
    assert world.http("create_payment", event).data == first.data


def test_i3_without_a_key_there_are_two_payments(world: World) -> None:
    assert world.create()["id"] != world.create()["id"]
    assert world.aws.items("IDEMPOTENCY#") == []


NO_KEYS: list[Any] = ["", " ", "a b", "a,b", "x" * 256, "ключ", "a\n", "\x7f"]


def test_i3_what_is_no_key_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for key in NO_KEYS:
        with subtests.test(case=repr(key)[:60]):
            answer = world.post_payment(headers={"Idempotency-Key": key})
            assert answer.refused() == (400, "validation_error", "validation_error")
            assert answer.error["param"] == "Idempotency-Key"
            assert world.aws.items("PAYMENT#") == []


KEYS: list[Any] = ["x" * 255, "!", "~" * 255, 'a"b', "#"]


def test_every_visible_character_makes_a_key(world: World, subtests: pytest.Subtests) -> None:
    for key in KEYS:
        with subtests.test(case=repr(key)[:60]):
            first = world.create(key=key)
            assert world.create(key=key) == first


def test_i4_a_refused_request_leaves_the_key_free(world: World) -> None:
    assert world.post_payment({"amount": -1}, key="k").status == 400
    assert world.post_payment('{"amount": ', key="k").status == 400
    assert world.post_payment(key="k", headers={"x-api-key": "wrong"}).status == 401
    assert world.post_payment({"amount": 1000}, key="k").status == 201
    assert_one_payment_with_one_session(world)


def test_a_404_is_kept_like_an_answer(world: World) -> None:
    first = world.post_payment({"customerId": "cus_unknown"}, key="k")
    again = world.post_payment({"customerId": "cus_unknown"}, key="k")
    assert (first.status, again.status) == (404, 404)
    assert again.json == first.json
    assert again.headers["idempotent-replayed"] == "true"
    assert world.post_payment(key="k").refused()[2] == "idempotency_key_mismatch"
    assert world.aws.items("PAYMENT#") == []


def test_i6_organizations_and_modes_do_not_share_keys(world: World) -> None:
    other = world.new_seller("Other Ltd", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    answers = [world.post_payment(key="k", seller=s) for s in (world.seller, other, live)]
    assert [a.status for a in answers] == [201, 201, 201]
    assert len({a.data["id"] for a in answers}) == 3
    assert not any("idempotent-replayed" in a.headers for a in answers)
    mismatch = world.post_payment({"amount": 7777}, key="k", seller=other)
    assert mismatch.status == 409
    assert world.post_payment(key="k", seller=other).data == answers[1].data


def test_two_keys_of_one_organization_are_one_scope(world: World) -> None:
    first = world.create(key="k")
    spare = world.operator("keys", "create", world.seller.organization_id, "--mode", "sandbox")
    again = world.post_payment(key="k", headers={"x-api-key": spare["apiKey"]})
    assert again.data == first


def test_a_record_past_its_day_counts_as_gone_though_it_is_there(world: World) -> None:
    first = world.create(key="k")
    record = world.aws.item("IDEMPOTENCY#")
    assert abs(int(record["ttl"]) - (world.clock().timestamp() + 24 * 3600)) < 30
    world.pass_time(hours=23, minutes=59)
    assert world.create(key="k") == first
    world.pass_time(minutes=2)
    second = world.post_payment({"amount": 2000}, key="k")
    assert second.status == 201
    assert second.data["id"] != first["id"]
    assert "idempotent-replayed" not in second.headers
    assert world.create({"amount": 2000}, key="k") == second.data


def test_a_404_past_its_day_counts_as_gone_too(world: World) -> None:
    world.post_payment({"customerId": "cus_unknown"}, key="k")
    world.clock.offset += timedelta(hours=24, seconds=1)
    again = world.post_payment({"customerId": "cus_unknown"}, key="k")
    assert "idempotent-replayed" not in again.headers


def test_a_repeated_request_is_answered_though_its_expiry_has_come_near(world: World) -> None:
    until = (world.clock() + timedelta(minutes=40)).isoformat()
    first = world.post_payment({"expiresAt": until}, key="k")
    world.pass_time(minutes=20)
    again = world.post_payment({"expiresAt": until}, key="k")
    assert (again.status, again.text) == (201, first.text)


def crash(world: World, operation: str, **how: object) -> None:
    """The function's process dies, which no handler of an error sees."""
    world.aws.fail_once(operation, "crash", **how)


@pytest.mark.parametrize("after", [False, True], ids=["before its write", "after its write"])
@pytest.mark.parametrize("claiming", [True, False], ids=["claim", "payment"])
def test_a_crash_blocks_until_the_lease_is_over_and_ends_with_one_payment(
    world: World, after: bool, claiming: bool
) -> None:
    crash(world, "PutItem", after=after, skip=0 if claiming else 1)
    assert world.post_payment(key="k", seconds=28).status == 500
    assert len(world.aws.items("PAYMENT#")) == (after and not claiming)
    claims = world.aws.items("IDEMPOTENCY#")
    blocked = world.post_payment(key="k", seconds=28)
    if claiming and not after:
        assert (claims, blocked.status) == ([], 201)
    elif not claiming and after:
        assert blocked.status == 201
        assert blocked.headers["idempotent-replayed"] == "true"
    else:
        assert blocked.refused() == (409, "conflict_error", "idempotency_in_progress")
        mismatch = world.post_payment({"amount": 1}, key="k", seconds=28)
        assert mismatch.status == 400
        mismatch = world.post_payment({"amount": 1000}, key="k", seconds=28)
        assert mismatch.refused()[2] == "idempotency_key_mismatch"
        world.pass_time(seconds=30)
        retried = world.post_payment(key="k", seconds=28)
        assert retried.status == 201
        assert retried.data["id"] == claims[0]["payment_id"]
    assert_one_payment_with_one_session(world)
    assert world.events_of(world.aws.item("PAYMENT#")["id"]) == ["payment.created"]


@pytest.mark.parametrize("write", [0, 1], ids=["claim", "payment"])
def test_a_write_whose_answer_was_lost_is_not_taken_for_somebody_elses(
    world: World, write: int
) -> None:
    """DynamoDB's client asks again, and the condition doesn't hold any more."""
    world.aws.lose_answer_once("PutItem", skip=write)
    first = world.post_payment(key="k")
    assert (first.status, world.aws.failures) == (201, [])
    assert world.post_payment(key="k").data == first.data
    assert_one_payment_with_one_session(world)


def test_without_a_key_a_lost_answer_is_no_conflict_either(world: World) -> None:
    world.aws.lose_answer_once("PutItem")
    assert (world.post_payment().status, world.aws.failures) == (201, [])


def test_a_claim_lasts_as_long_as_the_function_can(world: World) -> None:
    crash(world, "PutItem", skip=1)
    world.post_payment(key="k")
    world.clock.offset += timedelta(seconds=world.template.timeout("create_payment") - 1)
    assert world.post_payment(key="k").status == 409
    world.clock.offset += timedelta(seconds=3)
    assert world.post_payment(key="k").status == 201


def test_i2_a_request_in_the_middle_keeps_its_claim(world: World) -> None:
    """While the first waits for the provider, others come; none of them takes its place."""
    seen = []

    def meanwhile(parameters: dict[str, object]) -> bool:
        # The second write of the first request: its session is made, its answer isn't kept yet.
        if not seen:
            seen.append(None)
            seen.append(world.post_payment({"amount": 5}, key="k").status)
            seen.append(world.post_payment({"amount": 500}, key="k").refused()[2])
            seen.extend(world.post_payment(key="k").refused()[2] for _ in range(3))
        return False

    world.aws.fail_once("write", skip=0, matching=_second(meanwhile))
    first = world.post_payment(key="k")
    world.aws.failures.clear()
    assert seen[1:] == [400, "idempotency_key_mismatch", *["idempotency_in_progress"] * 3]
    assert first.status == 201
    assert world.post_payment(key="k").data == first.data
    assert_one_payment_with_one_session(world)


def _second(action: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Runs at the second call of the outer request, not of those that it makes itself."""
    state = {"calls": 0}

    def matching(parameters: dict[str, object]) -> bool:
        state["calls"] += 1
        return bool(action(parameters)) if state["calls"] == 2 else False

    return matching
