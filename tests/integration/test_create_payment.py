"""`POST /payments`: what the caller gets, what is stored, and what Stripe is asked for."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.integration.world import BASE_URL, PAYMENT, World, http_event

MEMBERS = {
    "object", "id", "livemode", "kind", "status", "provider", "customerId", "amountSubtotal",
    "taxAmount", "amountTotal", "taxStatus", "amountRefunded", "amountLost", "disputeStatus",
    "currency", "description", "metadata", "url", "expiresAt", "cancellationReason", "invoiceId",
    "failureCode", "failureMessage", "paidAt", "createdAt", "updatedAt",
}  # fmt: skip
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def test_the_answer_is_a_payment_with_every_member_of_the_contract(world: World) -> None:
    answer = world.post_payment()

    assert answer.status == 201
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"] == "JKJaXmPLvHcESHA="
    assert "idempotent-replayed" not in answer.headers
    payment = answer.data
    assert set(payment) == MEMBERS
    assert re.fullmatch(r"pay_[0-9A-Za-z]{26}", payment["id"])
    assert {
        name: payment[name]
        for name in MEMBERS - {"id", "url", "expiresAt", "createdAt", "updatedAt"}
    } == {
        "object": "payment",
        "livemode": False,
        "kind": "link",
        "status": "pending",
        "provider": "stripe",
        "customerId": None,
        "amountSubtotal": 4900,
        "taxAmount": 0,
        "amountTotal": 4900,
        "taxStatus": "pending",
        "amountRefunded": 0,
        "amountLost": 0,
        "disputeStatus": None,
        "currency": "eur",
        "description": "Consulting, one hour",
        "metadata": {"order": "2026-118"},
        "cancellationReason": None,
        "invoiceId": None,
        "failureCode": None,
        "failureMessage": None,
        "paidAt": None,
    }
    assert payment["url"] == f"{BASE_URL}/pay/{payment['id']}"
    for name in ("expiresAt", "createdAt", "updatedAt"):
        assert TIME.fullmatch(payment[name])
    lifetime = datetime.fromisoformat(payment["expiresAt"]) - datetime.fromisoformat(
        payment["createdAt"]
    )
    assert lifetime == timedelta(
        days=int(world.template.variables("payments")["LINK_LIFETIME_DAYS"])
    )


def test_a_payment_can_be_read_right_after_it_was_made(world: World) -> None:
    made = world.create()
    read = world.get_payment(made["id"])
    assert (read.status, read.data) == (200, made)


def test_the_item_says_whose_it_is_and_who_made_it(world: World) -> None:
    payment = world.create()
    item = world.aws.item("PAYMENT#")
    key_id = world.seller.api_key.removeprefix("ck_sandbox_")[:12]
    assert item["pk"] == f"PAYMENT#{payment['id']}"
    assert item["organization_id"] == world.seller.organization_id
    assert item["mode"] == "sandbox"
    assert item["schema"] == 1
    assert item["created_by"] == key_id
    assert item["amount_subtotal"] == 4900
    assert item["due_shard"].startswith("DUE#")
    made_at = datetime.fromisoformat(payment["createdAt"])
    due_in = datetime.fromisoformat(item["due_at"]) - made_at
    assert timedelta(minutes=15) <= due_in < timedelta(minutes=15, seconds=1)
    assert [event["type"] for event in json.loads(item["outbox"])] == ["payment.created"]


def test_one_session_is_made_with_exactly_what_is_meant(world: World) -> None:
    payment = world.create()
    (request,) = world.stripe.session_creations()
    expires_at = int(request["params"].pop("expires_at"))
    marks = {
        "payment_id": payment["id"],
        "organization_id": world.seller.organization_id,
        "mode": "sandbox",
        "deployment_id": "paylink-test-0a1b2c3d",
    }
    assert request["params"] == {
        "mode": "payment",
        "client_reference_id": payment["id"],
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "4900",
        "line_items[0][price_data][tax_behavior]": "exclusive",
        "line_items[0][price_data][product_data][name]": "Consulting, one hour",
        "adaptive_pricing[enabled]": "false",
        "automatic_tax[enabled]": "true",
        "tax_id_collection[enabled]": "true",
        "customer_creation": "always",
        "payment_intent_data[description]": "Consulting, one hour",
        "payment_intent_data[setup_future_usage]": "off_session",
        "success_url": f"{payment['url']}?session_id={{CHECKOUT_SESSION_ID}}",
        **{f"metadata[{name}]": value for name, value in marks.items()},
        **{f"payment_intent_data[metadata][{name}]": value for name, value in marks.items()},
    }
    assert request["idempotency_key"] == f"{payment['id']}:1"
    lives = expires_at - request["time"]
    assert 23 * 3600 < lives < 24 * 3600 - 60


@pytest.mark.parametrize(
    ("minutes", "least", "most"),
    [(30.5, 30, 32), (12 * 60, 719, 721), (365 * 1440 - 1, 1380, 1440)],
)
def test_a_session_lives_as_long_as_the_link_within_the_providers_bounds(
    world: World, minutes: float, least: int, most: int
) -> None:
    until = world.clock() + timedelta(minutes=minutes)
    payment = world.create({"expiresAt": until.isoformat()})
    (request,) = world.stripe.session_creations()
    lives = (int(request["params"]["expires_at"]) - request["time"]) / 60
    assert least <= lives <= most
    assert abs(datetime.fromisoformat(payment["expiresAt"]) - until) < timedelta(milliseconds=1)


def test_the_callers_metadata_stays_with_us(world: World) -> None:
    metadata = {f"k[{n}]": "v" * 500 for n in range(50)}
    assert world.create({"metadata": metadata})["metadata"] == metadata
    (request,) = world.stripe.session_creations()
    assert not [name for name in request["params"] if "k[" in name or "k%5B" in name]


def test_a_long_description_is_shortened_where_the_provider_has_no_room(world: World) -> None:
    text = "請求書 🧾 " * 62
    payment = world.create({"description": text})
    assert payment["description"] == text
    (request,) = world.stripe.session_creations()
    product = "line_items[0][price_data][product_data]"
    assert len(request["params"][f"{product}[name]"]) == 250
    assert request["params"][f"{product}[description]"] == text


def test_the_callers_success_url_arrives_byte_for_byte(world: World) -> None:
    url = "https://shop.example/thanks?a=1&b=%2F&session={CHECKOUT_SESSION_ID}#part=2"
    world.create({"successUrl": url})
    (request,) = world.stripe.session_creations()
    assert request["params"]["success_url"] == url


@pytest.mark.parametrize("route", ["POST /payments", "POST /api/v1/payments"])
@pytest.mark.parametrize("header", ["x-api-key", "X-Api-Key", "X-API-KEY"])
def test_both_routes_answer_and_header_names_have_no_case(
    world: World, route: str, header: str
) -> None:
    event = http_event(
        "create_payment", route=route, headers={header: world.seller.api_key, "commet-version": "x"}
    )
    answer = world.http("create_payment", event)
    assert answer.status == 201
    assert answer.data["url"] == f"{BASE_URL}/pay/{answer.data['id']}"


def test_a_stage_is_part_of_the_links_address(world: World) -> None:
    event = http_event("create_payment", headers={"x-api-key": world.seller.api_key})
    event["requestContext"]["stage"] = "prod"
    event["rawPath"] = "/prod/payments"
    answer = world.http("create_payment", event)
    assert answer.status == 201
    assert answer.data["url"].startswith(f"{BASE_URL}/prod/pay/pay_")


def test_a_base64_body_is_the_same_body(world: World) -> None:
    event = http_event(
        "create_payment",
        body=json.dumps({**PAYMENT, "description": "Ωμέγα"}, ensure_ascii=False),
        base64_body=True,
        headers={"x-api-key": world.seller.api_key},
    )
    answer = world.http("create_payment", event)
    assert (answer.status, answer.data["description"]) == (201, "Ωμέγα")


def test_a_sane_request_id_of_the_caller_is_kept(world: World) -> None:
    assert world.post_payment(headers={"X-Request-Id": "abc-1.2:3_4"}).headers["x-request-id"] == (
        "abc-1.2:3_4"
    )
    for hostile in ("a b", "x" * 129, "a\r\nset-cookie: b", "ü", ""):
        answer = world.post_payment(headers={"X-Request-Id": hostile})
        assert answer.headers["x-request-id"] == "JKJaXmPLvHcESHA="


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("JPY", 500), ("kwd", 18600), ("UGX", 500000), ("usd", 99999999), ("isk", 150000)],
)
def test_amounts_reach_the_provider_as_they_came(world: World, currency: str, amount: int) -> None:
    payment = world.create({"currency": currency, "amount": amount})
    assert (payment["currency"], payment["amountTotal"]) == (currency.lower(), amount)
    (request,) = world.stripe.session_creations()
    assert request["params"]["line_items[0][price_data][unit_amount]"] == str(amount)


BAD_AMOUNTS: list[Any] = [
    True,
    "1000",
    10.5,
    None,
    [1000],
    {},
    -1,
    0,
    49,
    100000000,
    2**53 + 1,
    10**60,
]


def test_what_is_no_amount_is_refused_by_name(world: World, subtests: pytest.Subtests) -> None:
    for amount in BAD_AMOUNTS:
        with subtests.test(case=repr(amount)[:60]):
            answer = world.post_payment({"amount": amount, "currency": "usd"})
            if amount == 10**60:
                assert answer.refused() == (400, "validation_error", "invalid_json")
            else:
                assert answer.refused() == (400, "validation_error", "validation_error")
                assert answer.error["param"] == "amount"
                assert [problem["field"] for problem in answer.error["details"]] == ["amount"]
            assert_nothing_was_made(world)


WRITTEN_WRONG: list[Any] = ["NaN", "1e3", "1000.0", '1000, "amount": 2000', "Infinity", "01"]


def test_amounts_that_are_written_wrong_are_refused(
    world: World, subtests: pytest.Subtests
) -> None:
    for written in WRITTEN_WRONG:
        with subtests.test(case=repr(written)[:60]):
            body = f'{{"amount": {written}, "currency": "usd", "description": "x"}}'
            answer = world.post_payment(body)
            assert answer.status == 400
            assert answer.error["type"] == "validation_error"
            assert_nothing_was_made(world)


BROKEN_RULES: list[Any] = [
    ("currency", "xxx", "currency"),
    ("currency", "ＥＵＲ", "currency"),
    ("description", "", "description"),
    ("description", " \n ", "description"),
    ("description", "x" * 501, "description"),
    ("description", "\ud800", "description"),
    ("customerId", "", "customerId"),
    ("metadata", {"w": 1.5}, "metadata.w"),
    ("metadata", {"note": "x" * 501}, "metadata.note"),
    ("metadata", {"k" * 41: "x"}, f"metadata.{'k' * 41}"),
    ("metadata", {str(n): "x" for n in range(51)}, "metadata"),
    ("metadata", {"a": {"b": "c"}}, "metadata.a"),
    ("successUrl", "javascript:alert(1)", "successUrl"),
    ("successUrl", "data:text/html,x", "successUrl"),
    ("successUrl", "//evil.example", "successUrl"),
    ("successUrl", "https://shop.example@evil.example/", "successUrl"),
    ("successUrl", "https://shop.example\\@evil.example/", "successUrl"),
    ("successUrl", "http://shop.example/", "successUrl"),
    ("successUrl", "https://shop.example/" + "x" * 2048, "successUrl"),
    ("expiresAt", "2027-01-01T00:00:00", "expiresAt"),
    ("expiresAt", "tomorrow", "expiresAt"),
    ("expiresAt", "2020-01-01T00:00:00Z", "expiresAt"),
    ("expiresAt", "2099-01-01T00:00:00Z", "expiresAt"),
    ("expiresAt", 1795608000, "expiresAt"),
    ("succesUrl", "https://shop.example/", "succesUrl"),
]


def test_what_breaks_a_rule_is_refused_by_name(world: World, subtests: pytest.Subtests) -> None:
    for member, value, param in BROKEN_RULES:
        with subtests.test(case=repr(param)[:60]):
            answer = world.post_payment({member: value})
            assert answer.refused() == (400, "validation_error", "validation_error")
            assert answer.error["param"] == param
            assert param in [problem["field"] for problem in answer.error["details"]]
            assert_nothing_was_made(world)


NO_OBJECTS: list[Any] = ["", "[]", "{", "null", "1", '"x"', "[" * 100_000, "{'a': 1}", "\ufeff{}"]


def test_what_is_no_json_object_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for text in NO_OBJECTS:
        with subtests.test(case=repr(text)[:60]):
            answer = world.post_payment(text)
            assert answer.refused() == (400, "validation_error", "invalid_json")
            assert_nothing_was_made(world)


def test_bodies_that_are_no_text_are_refused(world: World) -> None:
    headers = {"x-api-key": world.seller.api_key}
    event = http_event("create_payment", body=b"\xff\xfe{}", base64_body=True, headers=headers)
    assert world.http("create_payment", event).refused()[2] == "invalid_json"
    event["body"] = "not base64!"
    assert world.http("create_payment", event).refused()[2] == "invalid_json"
    del event["body"]
    assert world.http("create_payment", event).refused()[2] == "invalid_json"
    event["body"] = None
    assert world.http("create_payment", event).refused()[2] == "invalid_json"


WRONG_KEYS: list[Any] = [
    None,
    "",
    "ck_sandbox_example",
    "ck_sandbox_",
    "x" * 10_000,
    "ck_sandbox_ " + "a" * 49,
    "ck_live_" + "a" * 50,
    "ключ",
]


def test_wrong_keys_are_all_answered_alike(world: World, subtests: pytest.Subtests) -> None:
    for key in WRONG_KEYS:
        with subtests.test(case=repr(key)[:60]):
            event = http_event("create_payment", headers={"x-api-key": key or ""})
            if key is None:
                del event["headers"]["x-api-key"]
            answer = world.http("create_payment", event)
            assert answer.refused() == (401, "authentication_error", "unauthorized")
            other = world.post_payment(headers={"x-api-key": world.seller.api_key[:-1] + "!"})
            assert answer.text == other.text
            assert_nothing_was_made(world)


def test_a_key_with_one_character_changed_is_none(world: World) -> None:
    good = world.seller.api_key
    for position in (11, 30, len(good) - 1):
        other = "b" if good[position] != "b" else "c"
        wrong = good[:position] + other + good[position + 1 :]
        assert world.post_payment(headers={"x-api-key": wrong}).status == 401
    swapped = good.replace("ck_sandbox_", "ck_live_")
    assert world.post_payment(headers={"x-api-key": swapped}).status == 401


def test_an_expired_key_is_none(world: World) -> None:
    key = world.operator(
        *("keys", "create", world.seller.organization_id, "--mode", "sandbox"),
        *("--expires-in-days", "2"),
    )["apiKey"]
    assert world.post_payment(headers={"x-api-key": key}).status == 201
    world.clock.offset += timedelta(days=2, seconds=1)
    assert world.post_payment(headers={"x-api-key": key}).status == 401


def test_an_unknown_customer_is_said_by_name(world: World) -> None:
    for reference in ("cus_unknown", "their-own-id"):
        answer = world.post_payment({"customerId": reference})
        assert answer.refused() == (404, "not_found_error", "customer_not_found")
        assert answer.error["param"] == "customerId"
    assert_nothing_was_made(world)


def test_a_customer_who_paid_before_can_be_named(world: World) -> None:
    first = world.paid()
    second = world.create({"customerId": first["customerId"]})
    assert second["customerId"] == first["customerId"]
    request = world.stripe.session_creations()[-1]["params"]
    assert request["customer"].startswith("cus_")
    assert request["customer_update[address]"] == "auto"
    assert request["customer_update[name]"] == "auto"
    assert "customer_creation" not in request
    assert "customer_email" not in request


def test_a_customer_of_another_organization_is_unknown(world: World) -> None:
    customer = world.paid()["customerId"]
    other = world.new_seller("Other Ltd", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    for seller in (other, live):
        answer = world.post_payment({"customerId": customer}, seller=seller)
        assert answer.refused() == (404, "not_found_error", "customer_not_found")


def test_a_live_key_makes_live_payments(world: World) -> None:
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    payment = world.create(seller=live)
    assert payment["livemode"] is True
    assert world.stripe.sessions(live.stripe_key)[0]["livemode"] is True
    assert world.stripe.sessions(world.seller.stripe_key) == []


def test_without_stripes_secrets_nothing_is_kept(world: World) -> None:
    key = world.operator("keys", "create", world.seller.organization_id, "--mode", "live")["apiKey"]
    answer = world.post_payment(headers={"x-api-key": key})
    assert answer.refused() == (502, "internal_error", "provider_unavailable")
    assert_nothing_was_made(world)


def test_an_unexpected_failure_gives_nothing_away(world: World) -> None:
    world.aws.fail_once("write", "AccessDeniedException")
    answer = world.post_payment()
    assert answer.refused() == (500, "internal_error", "internal_error")
    assert "AccessDenied" not in answer.text
    assert "asked for by a test" not in answer.text
    assert answer.headers["x-request-id"]


def assert_nothing_was_made(world: World) -> None:
    assert world.aws.items("PAYMENT#") == []
    assert world.aws.items("IDEMPOTENCY#") == []
    assert world.stripe.session_creations() == []


def no_stripe_tax(world: World, status: str = "pending") -> None:
    world.stripe.control("POST", "accounts/acct_studio", {"tax_settings": {"status": status}})


def test_where_stripe_tax_is_not_set_up_the_answer_says_what_to_do(world: World) -> None:
    no_stripe_tax(world)
    answer = world.post_payment(key="K")
    assert answer.refused() == (402, "billing_error", "payment_failed")
    assert "https://dashboard.stripe.com/settings/tax" in answer.error["message"]
    assert answer.error["details"] == {"code": "stripe_tax_inactive"}
    assert world.aws.items("PAYMENT#") == []
    again = world.post_payment(key="K")
    assert (again.status, again.json) == (402, answer.json)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(world.stripe.session_creations()) == 1
    no_stripe_tax(world, "active")
    assert world.post_payment(key="K2").status == 201


def test_a_link_that_was_made_before_gets_no_checkout_without_tax(world: World) -> None:
    payment = world.create()
    world.pass_time(hours=25)
    no_stripe_tax(world)
    assert world.press_continue(payment["id"]).status == 402
    no_stripe_tax(world, "active")
    assert world.press_continue(payment["id"]).status == 303
