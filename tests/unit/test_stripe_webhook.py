"""Stripe's webhooks: only what Stripe signed for us, now; and nothing in them that can hurt."""

from __future__ import annotations

import hashlib
import hmac
import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.adapters.stripe.webhook import (
    EVENT_TYPES,
    TOLERANCE_SECONDS,
    receive_webhook,
    translate_event,
    verify_webhook,
)
from paylink.domain.errors import InvalidWebhookError, NotFoundError
from paylink.domain.organization import ProviderCredentials
from paylink.domain.provider_event import ProviderEvent
from paylink.metrics import Metrics, unmeasured
from tests.unit.fakes import START, FakeCredentials

SECRET = "whsec_test_secret"
NOW = int(START.timestamp())
BODY = b'{ "id" : "evt_1",\n  "note":"\\u00e9 \xc3\xa9" , "type":"x"}\n'


def signature(body: bytes, secret: str = SECRET, instant: int = NOW) -> str:
    return hmac.new(secret.encode(), f"{instant}.".encode() + body, hashlib.sha256).hexdigest()


def header(body: bytes, secret: str = SECRET, instant: int = NOW) -> str:
    return f"t={instant},v1={signature(body, secret, instant)}"


def verified(body: bytes, signed: str | None, *secrets: str) -> dict[str, Any]:
    return verify_webhook(body, signed, secrets or (SECRET,), START)


def test_the_signature_is_over_the_very_bytes() -> None:
    assert verified(BODY, header(BODY)) == json.loads(BODY)


def test_the_same_value_in_other_bytes_is_another_body() -> None:
    dumped = json.dumps(json.loads(BODY)).encode()
    assert json.loads(dumped) == json.loads(BODY)
    for body in (dumped, BODY.rstrip(), BODY + b" "):
        with pytest.raises(InvalidWebhookError):
            verified(body, header(BODY))


@pytest.mark.parametrize(
    "form",
    [
        "t={t},v1={s}",
        "t={t},v1={s},v0=abc",
        "t={t},v0=abc,v1={s}",
        "t={t},v1=0000,v1={s}",
        "v1={s},t={t}",
        "t={t},v1={s},v1=",
    ],
)
def test_every_form_of_header_that_stripe_sends_is_understood(form: str) -> None:
    assert verified(BODY, form.format(t=NOW, s=signature(BODY)))


def test_each_secret_in_rotation_is_good_and_no_other() -> None:
    for secret in ("whsec_old", "whsec_new"):
        assert verified(BODY, header(BODY, secret), "whsec_old", "whsec_new")
    with pytest.raises(InvalidWebhookError):
        verified(BODY, header(BODY, "whsec_other"), "whsec_old", "whsec_new")
    with pytest.raises(InvalidWebhookError):
        verify_webhook(BODY, header(BODY), (), START)


def test_an_empty_secret_opens_nothing() -> None:
    with pytest.raises(InvalidWebhookError):
        verified(BODY, header(BODY, ""), "")


@pytest.mark.parametrize("seconds", [TOLERANCE_SECONDS, -TOLERANCE_SECONDS, 0])
def test_a_time_stamp_near_enough_is_accepted(seconds: int) -> None:
    assert verified(BODY, header(BODY, instant=NOW + seconds))


@pytest.mark.parametrize("seconds", [TOLERANCE_SECONDS + 1, -TOLERANCE_SECONDS - 1, 10**9, -NOW])
def test_one_too_old_or_from_the_future_is_not(seconds: int) -> None:
    with pytest.raises(InvalidWebhookError):
        verified(BODY, header(BODY, instant=NOW + seconds))


def test_the_time_stamp_that_is_judged_is_the_one_that_was_signed() -> None:
    old = NOW - 10_000
    for form in ("t={new},t={old},v1={s}", "t={old},t={new},v1={s}", "t=x,t={new},t={old},v1={s}"):
        with pytest.raises(InvalidWebhookError):
            verified(BODY, form.format(new=NOW, old=old, s=signature(BODY, instant=old)))


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "",
        " ",
        "t",
        "t=",
        "v1",
        "=",
        ",",
        "t=,v1=",
        f"t={NOW}",
        f"t={NOW},v1=",
        f"t={NOW},v1={'0' * 64}",
        f"t={NOW},v1=é",
        f"t={NOW},v1={'0' * 64}\n",
        f"t={NOW}.0,v1={'0' * 64}",
        "t=" + "9" * 12 + ",v1=00",
        "t=" + "9" * 4000 + ",v1=00",
        "t=1_000,v1=00",
        "t=１,v1=00",
        "t=-1,v1=00",
        "t==1,v1=00",
        "x" * 100_000,
        "\x00",
        "\ud800",
    ],
)
def test_a_hostile_header_is_an_invalid_webhook(bad: str | None) -> None:
    with pytest.raises(InvalidWebhookError) as refused:
        verified(BODY, bad)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b'"x"',
        b"{",
        b"\xff",
        b"\xed\xa0\x80",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"a": ' + b"9" * 5000 + b"}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_a_signed_body_that_is_no_event_is_an_invalid_webhook(body: bytes) -> None:
    with pytest.raises(InvalidWebhookError):
        verified(body, header(body))


@given(
    body=st.binary(max_size=100),
    signed=st.text(max_size=120)
    | st.from_regex(r"t=[0-9]{1,13}(,(v1|v0|t|)=?[0-9a-fé]{0,64}){0,4}", fullmatch=True),
)
def test_no_header_and_body_lead_to_any_other_error(body: bytes, signed: str) -> None:
    with pytest.raises(InvalidWebhookError):
        verified(body, signed)


@given(body=st.binary(max_size=100) | st.text(max_size=100).map(lambda t: t.encode()))
def test_a_signed_body_of_any_bytes_is_an_event_or_an_invalid_webhook(body: bytes) -> None:
    with suppress(InvalidWebhookError):
        assert isinstance(verified(body, header(body)), dict)


def test_an_event_of_half_a_megabyte_is_taken() -> None:
    body = json.dumps({"id": "evt_1", "x": "y" * 500_000}).encode()
    assert verified(body, header(body))["id"] == "evt_1"


def a_webhook(event_type: str = "checkout.session.completed", **subject: Any) -> dict[str, Any]:
    marks = {"payment_id": "pay_1", "organization_id": "org_1", "deployment_id": "deployment_1"}
    return {
        "id": "evt_1",
        "type": event_type,
        "created": int(START.timestamp()),
        "livemode": False,
        "data": {
            "object": {"id": "cs_1", "payment_intent": "pi_1", "metadata": marks} | subject,
        },
    }


EXPECTED = ProviderEvent(
    id="evt_1",
    type="checkout.session.completed",
    at=START,
    mode="sandbox",
    session_id="cs_1",
    payment_intent_id="pi_1",
    payment_id="pay_1",
    organization_id="org_1",
    deployment_id="deployment_1",
)


def test_a_checkouts_event_names_session_and_payment() -> None:
    assert translate_event(a_webhook()) == EXPECTED


@pytest.mark.parametrize(
    ("intent", "found"), [(None, None), ("pi_1", "pi_1"), ({"id": "pi_1"}, "pi_1"), ("", None)]
)
def test_a_payment_intent_may_be_absent_named_or_expanded(intent: Any, found: str | None) -> None:
    event = translate_event(a_webhook(payment_intent=intent))
    assert event is not None
    assert event.payment_intent_id == found
    assert event.session_id == "cs_1"


def test_a_payment_intents_event_names_the_intent_and_no_session() -> None:
    event = translate_event(a_webhook("payment_intent.succeeded", id="pi_9"))
    assert event is not None
    assert (event.session_id, event.payment_intent_id) == (None, "pi_9")


@pytest.mark.parametrize("live", [True, False])
def test_the_mode_is_the_events_own(live: bool) -> None:
    event = translate_event(a_webhook() | {"livemode": live})
    assert event is not None
    assert event.mode == ("live" if live else "sandbox")


@pytest.mark.parametrize("metadata", [None, {}, [], "x", {"payment_id": 5}, {"payment_id": ""}])
def test_what_has_no_marks_of_ours_is_nobodys(metadata: Any) -> None:
    event = translate_event(a_webhook(metadata=metadata))
    assert event is not None
    assert (event.payment_id, event.organization_id, event.deployment_id) == (None, None, None)


@pytest.mark.parametrize(
    "other",
    [
        {},
        {"id": "evt_1"},
        {"id": "evt_1", "type": "invoice.paid", "data": {"object": {}}},
        {"id": "evt_1", "type": "checkout.session.completed"},
        {"id": "evt_1", "type": "checkout.session.completed", "data": None},
        {"id": "evt_1", "type": "checkout.session.completed", "data": {"object": "cs_1"}},
        {"id": None, "type": "checkout.session.completed", "data": {"object": {}}},
        {"id": "evt_1", "type": ["checkout.session.completed"], "data": {"object": {}}},
        {"id": "evt_1", "object": "v2.core.event", "type": "v1.billing.meter.no_meter_found"},
    ],
)
def test_an_event_that_says_nothing_about_money_is_none_of_ours(other: dict[str, Any]) -> None:
    assert translate_event(other) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=5), v, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from(["id", "type", "data", "livemode", "object", "metadata", "payment_intent"])
OBJECTS = st.dictionaries(NAMES | st.text(max_size=5), JSON, max_size=6)


@given(event=OBJECTS)
def test_arbitrary_json_is_translated_or_ignored(event: dict[str, Any]) -> None:
    translate_event(event)


@given(event_type=st.sampled_from(sorted(EVENT_TYPES)), subject=OBJECTS, around=OBJECTS)
def test_arbitrary_subjects_of_known_events_are_too(
    event_type: str, subject: dict[str, Any], around: dict[str, Any]
) -> None:
    event = translate_event(
        around | {"id": "evt", "type": event_type, "created": NOW, "data": {"object": subject}}
    )
    assert event is not None
    for value in (event.session_id, event.payment_intent_id, event.payment_id):
        assert value is None or (isinstance(value, str) and 0 < len(value) <= 255)


def receive(organization_id: str, mode: str, secret: str, metrics: Metrics | None = None) -> Any:
    credentials = FakeCredentials(
        {
            ("org_1", "live"): ProviderCredentials("sk", ("whsec_1_live",), "key"),
            ("org_1", "sandbox"): ProviderCredentials("sk", ("whsec_1_test",), "key"),
            ("org_2", "live"): ProviderCredentials("sk", ("whsec_2_live",), "key"),
        }
    )
    body = json.dumps(a_webhook()).encode()
    return receive_webhook(
        body,
        header(body, secret),
        organization_id,
        mode,
        credentials=credentials,
        metrics=unmeasured if metrics is None else metrics,
        now=START,
    )


def test_a_secret_is_good_for_its_own_organization_and_mode_only() -> None:
    delivery = receive("org_1", "sandbox", "whsec_1_test")
    assert (delivery.organization_id, delivery.mode) == ("org_1", "sandbox")
    assert delivery.event == EXPECTED
    for path, secret in (
        (("org_1", "live"), "whsec_1_test"),
        (("org_1", "sandbox"), "whsec_1_live"),
        (("org_1", "live"), "whsec_2_live"),
        (("org_2", "live"), "whsec_1_live"),
    ):
        with pytest.raises(InvalidWebhookError):
            receive(*path, secret)


@pytest.mark.parametrize(
    "path",
    [("org_2", "sandbox"), ("org_3", "live"), ("org_1", "test"), ("org_1", "LIVE"), ("", "live")],
)
def test_an_endpoint_that_nobody_set_up_is_not_found(path: tuple[str, str]) -> None:
    with pytest.raises(NotFoundError):
        receive(*path, "whsec_1_live")
