"""When a webhook is tried again, when it is given up, and what that means for its endpoint."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.webhook import (
    Attempt,
    Conclusion,
    Delivery,
    WebhookEndpoint,
    conclude,
    delivery_of,
)
from paylink.domain.webhook_events import NAMES, RULES, Outgoing, outgoing
from tests.unit.fakes import START

WAITS = [timedelta(minutes=m) for m in (1, 5, 15, 30, 60, 60, 60)]
NEW = WebhookEndpoint(
    id="wh_1",
    organization_id="org_1",
    mode="sandbox",
    url="https://hooks.example.com/",
    events=NAMES,
    api_version="2026-07-11",
    created_at=START,
    updated_at=START,
    created_by="key",
)
ENDPOINT = replace(NEW, lane="prompt")
DELIVERY = delivery_of(
    Outgoing("customer.created", {"id": "cus_1"}), "evt_1", START, ENDPOINT, START
)
failed = Attempt(START, 20, 500)
fine = Attempt(START, 20, 200)
slow = Attempt(START, 4000, 204)


def after(
    attempt: Attempt,
    delivery: Delivery = DELIVERY,
    endpoint: WebhookEndpoint = ENDPOINT,
    jitter: float = 0,
) -> Conclusion:
    return conclude(endpoint, delivery, attempt, waits=WAITS, jitter=jitter)


@given(st.floats(0, 1), st.integers(0, 6))
def test_each_wait_is_as_long_as_promised_and_at_most_a_fifth_longer(
    jitter: float, before: int
) -> None:
    tried = after(failed, replace(DELIVERY, tries=before), jitter=jitter).delivery
    assert tried.next_attempt_at is not None
    wait = tried.next_attempt_at - failed.ended_at
    assert WAITS[before] <= wait <= WAITS[before] * 1.2
    assert tried.status == "pending"


def test_the_eighth_failure_is_the_last() -> None:
    delivery, endpoint = DELIVERY, ENDPOINT
    for number in range(8):
        assert delivery.status == "pending", number
        concluded = after(failed, delivery, endpoint)
        delivery, endpoint = concluded.delivery, concluded.endpoint or endpoint
    assert (delivery.status, delivery.next_attempt_at, endpoint.failed_in_row) == (
        "failed",
        None,
        1,
    )


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_success(status: int) -> None:
    assert after(Attempt(START, 20, status)).delivery.status == "succeeded"


@pytest.mark.parametrize("status", [None, 100, 199, 300, 301, 302, 307, 404, 429, 500])
def test_nothing_else_is(status: int | None) -> None:
    assert after(Attempt(START, 20, status, None)).delivery.status == "pending"


def test_the_newest_answer_is_the_one_that_is_shown() -> None:
    assert DELIVERY.response_code is None
    answered = after(Attempt(START, 20, 503), after(failed).delivery).delivery
    assert answered.response_code == 503


def test_the_third_failed_event_in_a_row_switches_off_and_is_told_once() -> None:
    last_try = replace(DELIVERY, tries=7)
    concluded = after(failed, last_try, replace(ENDPOINT, failed_in_row=2))
    assert concluded.endpoint is not None
    assert (concluded.endpoint.is_active, concluded.endpoint.disabled_reason) == (False, "failing")
    assert [event.type for event in concluded.events] == ["webhook_endpoint.disabled"]
    again = after(failed, last_try, concluded.endpoint)
    assert again.events == ()


def test_a_success_forgives() -> None:
    concluded = after(fine, endpoint=replace(ENDPOINT, failed_in_row=2))
    assert concluded.endpoint == ENDPOINT


def later(attempt: Attempt, **how_much: float) -> Attempt:
    return replace(attempt, at=START + timedelta(**how_much))


def lanes(*attempts: Attempt) -> list[str]:
    """An endpoint's lane after each attempt."""
    endpoint, found = ENDPOINT, []
    for attempt in attempts:
        endpoint = after(attempt, endpoint=endpoint).endpoint or endpoint
        found.append(endpoint.lane)
    return found


def test_an_endpoint_that_answers_well_changes_nothing() -> None:
    assert after(fine).endpoint is None


def test_a_worse_lane_is_entered_at_once_and_left_by_a_better_answer_in_time() -> None:
    assert lanes(slow, later(fine, minutes=9), later(fine, minutes=11)) == [
        "slow",
        "slow",
        "prompt",
    ]
    assert lanes(failed, later(slow, minutes=9)) == ["failing", "failing"]
    assert lanes(failed, later(slow, minutes=11), later(fine, minutes=12)) == [
        "failing",
        "slow",
        "slow",
    ]
    assert lanes(slow, failed, later(fine, minutes=9)) == ["slow", "failing", "failing"]


def test_an_answer_is_slow_from_two_seconds_on() -> None:
    assert lanes(replace(slow, milliseconds=1999)) == ["prompt"]
    assert lanes(replace(slow, milliseconds=2000)) == ["slow"]


def test_a_new_one_begins_among_those_that_may_hang_until_it_answers() -> None:
    assert NEW.lane == "failing"
    for attempt, lane in ((fine, "prompt"), (slow, "slow"), (failed, "failing")):
        answered = after(attempt, endpoint=NEW).endpoint
        assert answered is not None
        assert answered.lane == lane


def test_one_that_hangs_now_and_then_does_not_come_back_among_the_prompt_ones() -> None:
    flapping = [later(failed if n % 6 == 0 else fine, minutes=n) for n in range(60)]
    assert set(lanes(*flapping)) == {"failing"}


def test_one_that_is_back_among_the_prompt_ones_is_as_if_it_had_never_been_away() -> None:
    away = after(slow).endpoint
    assert away is not None
    assert after(later(fine, minutes=11), endpoint=away).endpoint == ENDPOINT


def test_answers_of_the_same_kind_are_noted_once_a_minute() -> None:
    first = after(failed).endpoint
    assert first is not None
    assert after(later(failed, seconds=59), endpoint=first).endpoint is None
    noted = after(later(failed, seconds=60), endpoint=first).endpoint
    assert noted is not None
    assert noted.lane_until == first.lane_until + timedelta(minutes=1)  # type: ignore[operator]


def test_gone_is_the_end_at_once() -> None:
    concluded = after(Attempt(START, 20, 410))
    assert concluded.endpoint is not None
    assert (concluded.delivery.status, concluded.endpoint.disabled_reason) == ("failed", "gone")


def test_a_test_is_tried_once_and_never_held_against_the_endpoint() -> None:
    concluded = after(failed, replace(DELIVERY, test=True))
    assert (concluded.delivery.status, concluded.endpoint) == ("failed", None)


def test_a_delivery_follows_from_event_and_endpoint() -> None:
    same = delivery_of(
        Outgoing("customer.created", {"id": "cus_1"}),
        "evt_1",
        START,
        ENDPOINT,
        START + timedelta(hours=1),
    )
    assert (same.id, same.event_id, same.body) == (DELIVERY.id, DELIVERY.event_id, DELIVERY.body)
    other = delivery_of(
        Outgoing("customer.created", {}), "evt_1", START, replace(ENDPOINT, id="wh_2"), START
    )
    assert other.event_id == DELIVERY.event_id
    assert other.id != DELIVERY.id


def test_a_sent_again_delivery_begins_a_new_round_and_a_waiting_one_is_tried_now() -> None:
    over = replace(DELIVERY, status="failed", tries=8, next_attempt_at=None)
    assert (over.again(START).status, over.again(START).tries) == ("pending", 0)
    waiting = replace(DELIVERY, tries=3, next_attempt_at=START + timedelta(hours=1))
    assert (waiting.again(START).tries, waiting.again(START).next_attempt_at) == (3, START)


def test_links_and_charges_are_told_of_by_their_own_events() -> None:
    def names(event: str, kind: str) -> list[str]:
        return [webhook.name for webhook in outgoing(event, {"kind": kind})]

    assert names("invoice.issued", "link") == [
        "payment_link.completed",
        "payment.received",
        "invoice.created",
    ]
    assert names("invoice.issued", "charge") == ["payment.received", "invoice.created"]
    assert names("payment.failed", "link") == ["payment_link.failed"]
    assert names("payment.failed", "charge") == ["payment.failed"]
    for silent in ("payment.succeeded", "payment.processing", "payment.received_twice"):
        assert names(silent, "link") == []


def test_every_event_of_the_contract_has_one_source() -> None:
    assert len(NAMES) == len(set(NAMES)) == len(RULES) == 13


def test_a_delivery_is_its_endpoints_and_carries_the_event() -> None:
    endpoint = replace(NEW, id="wh_9", organization_id="org_9", mode="live")
    later = START + timedelta(seconds=3)
    event = Outgoing("payment.received", {"amount": 1200})
    made = delivery_of(event, "evt_9", START, endpoint, later)
    assert made == Delivery(
        id=made.id,
        organization_id="org_9",
        mode="live",
        endpoint_id="wh_9",
        event_id=made.event_id,
        event="payment.received",
        body=made.body,
        created_at=later,
        updated_at=later,
        expires_at=later + timedelta(days=30),
        next_attempt_at=later,
        test=False,
    )
    assert delivery_of(event, "evt_9", START, endpoint, later, test=True) == replace(
        made, test=True
    )


def test_for_an_endpoint_that_is_switched_off_it_is_kept_as_failed_but_a_test_is_sent() -> None:
    off, later = replace(ENDPOINT, is_active=False), START + timedelta(seconds=3)
    event = Outgoing("payment.received", {"amount": 1200})
    waiting = delivery_of(event, "evt_9", START, ENDPOINT, later)
    assert delivery_of(event, "evt_9", START, off, later) == replace(
        waiting, status="failed", error="endpoint_disabled", next_attempt_at=None
    )
    assert delivery_of(event, "evt_9", START, off, later, test=True).status == "pending"
