"""What a delivery is signed with, in both styles, and which secrets sign while one is changed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta

from standardwebhooks import Webhook

from paylink.domain.webhook import (
    KEPT_FOR,
    Attempt,
    Delivery,
    delivery_of,
    resent,
    secret_of,
    signed_headers,
)
from paylink.domain.webhook_events import Outgoing, outgoing
from tests.unit.fakes import START
from tests.unit.test_webhook_rules import DELIVERY, ENDPOINT, after
from tests.unit.test_webhook_rules import NEW as NEW_ENDPOINT

NEW = secret_of(ENDPOINT, 2, "signing_1")
OLD = secret_of(ENDPOINT, 1, "signing_1")


def test_a_secret_follows_from_key_endpoint_and_generation() -> None:
    derived = hmac.digest(b"signing_1", b"webhook\0wh_1\0002", "sha256")
    assert f"whsec_{base64.b64encode(derived).decode()}" == NEW
    others = {
        OLD,
        secret_of(ENDPOINT, 2, "signing_2"),
        secret_of(replace(ENDPOINT, id="wh_2"), 2, "signing_1"),
    }
    assert len(others) == 3
    assert NEW not in others


def test_the_headers_say_what_when_and_by_whom() -> None:
    headers = signed_headers(DELIVERY, [NEW], START)
    seconds = str(int(START.timestamp()))
    body_signature = hmac.new(NEW.encode(), DELIVERY.body.encode(), hashlib.sha256).hexdigest()
    standard = Webhook(NEW).sign(DELIVERY.event_id, START, DELIVERY.body)
    assert headers == {
        "content-type": "application/json",
        "user-agent": "paylink-webhooks/1",
        "x-commet-signature": body_signature,
        "x-commet-event": "customer.created",
        "x-commet-event-id": DELIVERY.event_id,
        "x-commet-timestamp": seconds,
        "webhook-id": DELIVERY.event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": standard,
    }


def test_while_a_secret_changes_both_sign_and_the_older_style_keeps_the_old_one() -> None:
    headers = signed_headers(DELIVERY, [NEW, OLD], START)
    new, old = (Webhook(s).sign(DELIVERY.event_id, START, DELIVERY.body) for s in (NEW, OLD))
    assert headers["webhook-signature"] == f"{new} {old}"
    by_old = hmac.new(OLD.encode(), DELIVERY.body.encode(), hashlib.sha256).hexdigest()
    assert headers["x-commet-signature"] == by_old


def test_the_old_secret_signs_until_its_time_is_over() -> None:
    until = START + timedelta(hours=24)
    rotated = ENDPOINT.rotated(until, "request_1")
    assert (rotated.generation, rotated.rotated_by) == (2, "request_1")
    assert ENDPOINT.generations(START) == (1,)
    assert rotated.generations(START) == (2, 1)
    assert rotated.generations(until - timedelta(microseconds=1)) == (2, 1)
    assert rotated.generations(until) == (2,)


def test_the_body_has_the_contracts_members_and_any_script_as_it_is() -> None:
    delivery = delivery_of(
        Outgoing("customer.created", {"fullName": "請求書 Ωμέγα"}), "evt_1", START, ENDPOINT, START
    )
    assert json.loads(delivery.body) == {
        "id": delivery.event_id,
        "event": "customer.created",
        "timestamp": "2026-11-25T12:00:00.000Z",
        "organizationId": "org_1",
        "mode": "sandbox",
        "apiVersion": "2026-07-11",
        "data": {"fullName": "請求書 Ωμέγα"},
    }
    assert "請求書 Ωμέγα" in delivery.body
    assert '", "' not in delivery.body


def test_an_endpoint_is_told_of_what_it_asked_for_while_it_may_still_want_to_know() -> None:
    picky = replace(ENDPOINT, events=("invoice.created",))
    assert picky.wants("invoice.created")
    assert not picky.wants("customer.created")
    assert not replace(picky, is_active=False).wants("invoice.created")
    assert replace(picky, is_active=False, disabled_reason="failing").wants("invoice.created")


def test_switched_on_again_it_starts_with_a_clean_slate() -> None:
    off = replace(
        ENDPOINT,
        is_active=False,
        disabled_reason="gone",
        failed_in_row=3,
        lane="slow",
        lane_until=START,
    )
    assert off.switched_on() == NEW_ENDPOINT


def test_what_an_endpoint_missed_while_off_has_failed_and_can_be_asked_for() -> None:
    off = replace(ENDPOINT, is_active=False, disabled_reason="failing")
    missed = delivery_of(Outgoing("customer.created", {}), "evt_1", START, off, START)
    assert (missed.status, missed.error, missed.next_attempt_at) == (
        "failed",
        "endpoint_disabled",
        None,
    )
    tested = delivery_of(Outgoing("customer.created", {}), "evt_1", START, off, START, test=True)
    assert (tested.status, tested.next_attempt_at) == ("pending", START)


def test_a_delivery_that_is_over_is_kept_as_long_again_when_it_is_sent_again() -> None:
    later = START + timedelta(days=29)
    over: Delivery = DELIVERY.given_up("endpoint_deleted", START + timedelta(days=1))
    assert (over.error, over.updated_at) == ("endpoint_deleted", START + timedelta(days=1))
    again = over.again(later)
    assert (again.error, again.updated_at, again.expires_at) == (None, later, later + KEPT_FOR)
    assert DELIVERY.again(later).expires_at == START + KEPT_FOR


def test_that_it_is_sent_again_names_delivery_and_endpoint() -> None:
    told = resent(DELIVERY, START)
    assert (told.type, told.time) == ("webhook_delivery.resent", START)
    assert (told.organization_id, told.mode) == ("org_1", "sandbox")
    assert told.data == {"deliveryId": DELIVERY.id, "endpointId": "wh_1"}


def test_the_log_keeps_the_newest_attempts() -> None:
    earlier = tuple(Attempt(START, number, 500) for number in range(30))
    tried = after(Attempt(START, 99, 500), replace(DELIVERY, attempts=earlier)).delivery
    assert [attempt.milliseconds for attempt in tried.attempts] == [*range(1, 30), 99]
    assert tried.updated_at == START + timedelta(milliseconds=99)


def test_a_successful_test_says_nothing_of_how_the_endpoint_is() -> None:
    endpoint = replace(ENDPOINT, failed_in_row=2)
    concluded = after(Attempt(START, 20, 200), replace(DELIVERY, test=True), endpoint)
    assert concluded.endpoint is None


def test_what_an_owner_is_told_of_an_endpoint_that_was_switched_off() -> None:
    endpoint = replace(ENDPOINT, failed_in_row=2, description="Orders")
    concluded = after(Attempt(START, 1000, 503), replace(DELIVERY, tries=7), endpoint)
    ended = START + timedelta(seconds=1)
    assert concluded.endpoint is not None
    assert concluded.endpoint.updated_at == ended
    (event,) = concluded.events
    assert (event.type, event.time) == ("webhook_endpoint.disabled", ended)
    assert (event.organization_id, event.mode) == ("org_1", "sandbox")
    assert event.data == {
        "endpointId": "wh_1",
        "url": "https://hooks.example.com/",
        "description": "Orders",
        "reason": "failing",
        "failedEvents": 3,
        "responseCode": 503,
    }


def test_what_every_event_about_money_has_besides() -> None:
    (link,) = (o for o in outgoing("payment.failed", {"kind": "link", "paymentId": "pay_1"}))
    assert link.name == "payment_link.failed"
    assert link.data == {
        "paymentId": "pay_1",
        "status": None,
        "amount": None,
        "currency": None,
        "description": None,
        "customerId": None,
        "failureCode": "",
        "failureMessage": "",
        "paymentMethod": None,
        "subPaymentMethod": None,
        "paymentContext": {
            "reason": "one_time_payment",
            "paymentLinkId": "pay_1",
            "recovery": None,
        },
    }
    received = next(
        o
        for o in outgoing("invoice.issued", {"kind": "charge", "paymentId": "pay_1"})
        if o.name == "payment.received"
    )
    assert received.data["provider"] == "stripe"
    assert outgoing("payment.refunded", {"kind": "charge"})[0].data["paymentLinkId"] is None
