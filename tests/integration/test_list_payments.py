"""`GET /payments`: pages, filters, cursors, and the headers of a limited key."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.world import Answer, Seller, World, http_event


def list_payments(world: World, seller: Seller | None = None, **query: str) -> Answer:
    headers = {"x-api-key": (seller or world.seller).api_key}
    event = http_event("get_payment", route="GET /payments", headers=headers, query=query)
    event["pathParameters"] = None
    return world.http("payments", event)


def all_pages(world: World, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = list_payments(world, **query, **({"cursor": cursor} if cursor else {})).json
        assert page["success"] is True
        found += page["data"]
        cursor = page["nextCursor"]
        assert page["hasMore"] == (cursor is not None)
        if cursor is None:
            return found


def test_pages_are_newest_first_whole_and_without_repetition(world: World) -> None:
    made = []
    for _ in range(7):
        made.append(world.create()["id"])
        world.pass_time(seconds=1)
    for limit in ("1", "2", "3", "7", "100"):
        assert [p["id"] for p in all_pages(world, limit=limit)] == made[::-1]
    assert [p["id"] for p in list_payments(world).json["data"]] == made[::-1]


def test_a_list_shows_the_present_state(world: World) -> None:
    payment = world.paid()
    (listed,) = list_payments(world).json["data"]
    assert listed == world.payment(payment["id"])
    assert listed["status"] == "succeeded"


def test_nothing_of_another_organization_or_mode_is_listed(world: World) -> None:
    other = world.new_seller("Other Ltd", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    payment = world.create()
    for stranger in (other, live):
        assert list_payments(world, stranger).json["data"] == []
        assert list_payments(world, stranger, customerId="cus_x").json["data"] == []
    assert [p["id"] for p in list_payments(world).json["data"]] == [payment["id"]]


def test_a_status_narrows_the_list_though_pages_may_be_short(world: World) -> None:
    paid = world.paid()["id"]
    world.pass_time(seconds=1)
    for _ in range(6):
        world.create()
        world.pass_time(seconds=1)
    assert [p["id"] for p in all_pages(world, status="succeeded", limit="1")] == [paid]
    assert len(all_pages(world, status="pending", limit="2")) == 6
    wrong = list_payments(world, status="paid")
    assert wrong.error["param"] == "status"


def test_a_customer_narrows_the_list_and_a_guest_is_one_too(world: World) -> None:
    paid = world.paid()
    customer = world.payment(paid["id"])["customerId"]
    world.create()
    linked = world.create({"customerId": customer})
    world.pass_time(seconds=1)
    found = [p["id"] for p in all_pages(world, customerId=customer, limit="1")]
    assert sorted(found) == sorted([paid["id"], linked["id"]])
    for unknown in ("cus_unknown", "nobody", ""):
        assert list_payments(world, customerId=unknown).json["data"] == []


def test_a_cursor_fits_no_other_filter(world: World) -> None:
    for _ in range(3):
        world.create()
        world.pass_time(seconds=1)
    cursor = list_payments(world, limit="1").json["nextCursor"]
    assert list_payments(world, limit="2", cursor=cursor).status == 200
    for query in ({"status": "pending"}, {"customerId": "cus_x", "status": "pending"}):
        refused = list_payments(world, cursor=cursor, **query)
        if refused.status == 200:  # nobody's list is empty, whatever the cursor
            assert refused.json["data"] == []
        else:
            assert refused.refused() == (400, "validation_error", "validation_error")


def test_a_key_that_asks_too_often_is_told_when_to_come_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(world.template._values, "RateLimitPerMinute", "5")
    answers = [list_payments(world) for _ in range(8)]
    assert [a.status for a in answers] == [200] * 5 + [429] * 3
    assert answers[0].headers["ratelimit-remaining"] == "4"
    refused = answers[-1]
    assert refused.refused() == (429, "rate_limit_error", "rate_limited")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-remaining"] == "0"
    world.pass_time(seconds=60)
    assert list_payments(world).status == 200
