"""`GET /payments/{paymentId}`: one's own payments, and nobody else's."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.world import World, http_event


def test_another_organizations_payment_does_not_exist(world: World) -> None:
    payment = world.create()
    other = world.new_seller("Other Ltd", "other")
    missing = world.get_payment("pay_unknown", other)
    found = world.get_payment(payment["id"], other)
    assert found.refused() == (404, "not_found_error", "payment_not_found")
    assert found.text == missing.text


def test_the_other_modes_payment_does_not_exist(world: World) -> None:
    sandbox = world.create()
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    assert world.get_payment(sandbox["id"], live).status == 404
    made = world.create(seller=live)
    assert world.get_payment(made["id"], live).status == 200
    assert world.get_payment(made["id"], world.seller).status == 404


def test_the_twin_under_api_v1_answers_the_same(world: World) -> None:
    payment = world.create()
    event = http_event(
        "get_payment",
        route="GET /api/v1/payments/{paymentId}",
        headers={"x-api-key": world.seller.api_key},
        parameters={"paymentId": payment["id"]},
    )
    answer = world.http("payments", event)
    assert (answer.status, answer.data) == (200, payment)


HOSTILE_IDS: list[Any] = [
    "",
    "pay_",
    "x" * 1500,
    "PAYMENT#pay_x",
    "../../etc",
    "pay_\ud800",
    "0",
    "pay_ü",
]


def test_hostile_ids_are_just_unknown(world: World, subtests: pytest.Subtests) -> None:
    for payment_id in HOSTILE_IDS:
        with subtests.test(case=repr(payment_id)[:60]):
            answer = world.get_payment(payment_id)
            assert answer.refused() == (404, "not_found_error", "payment_not_found")


def test_no_item_of_another_kind_is_read_as_a_payment(world: World) -> None:
    """An API key's or an organization's partition isn't reached by any id."""
    for item in world.aws.items():
        assert world.get_payment(item["pk"]).status == 404


def test_reading_needs_a_key(world: World) -> None:
    payment = world.create()
    event = http_event("get_payment", parameters={"paymentId": payment["id"]})
    answer = world.http("payments", event)
    assert answer.refused() == (401, "authentication_error", "unauthorized")
    assert payment["id"] not in answer.text
    assert answer.headers["x-request-id"] == "JKJaXmPLvHcESHA="


def test_a_deleted_key_works_no_more_in_a_new_container(world: World) -> None:
    created = world.operator(
        "keys", "create", world.seller.organization_id, "--mode", "sandbox", "--name", "spare"
    )
    payment = world.create()
    event = http_event(
        "get_payment",
        headers={"x-api-key": created["apiKey"]},
        parameters={"paymentId": payment["id"]},
    )
    assert world.http("payments", event).status == 200
    world.operator("keys", "delete", created["id"])
    world.new_container()
    assert world.http("payments", event).status == 401


def test_a_route_of_another_function_is_not_found(world: World) -> None:
    event = http_event("get_payment", parameters={"paymentId": "x"})
    event["routeKey"] = "DELETE /payments/{paymentId}"
    raw = world.invoke("payments", event)
    assert raw["statusCode"] == 404
    for broken in (
        {},
        {"version": "1.0"},
        {"version": "2.0"},
        {"version": "2.0", "routeKey": "$default"},
    ):
        assert world.invoke("payments", broken)["statusCode"] == 404
