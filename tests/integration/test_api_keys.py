"""API keys through the API: made within the creator's rights, listed without secrets, ended."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from paylink.domain.api_key import RESOURCES
from tests.integration.world import Answer, World, http_event


def call(
    world: World,
    route: str,
    key: str,
    body: Any = None,
    parameters: dict[str, str] | None = None,
    query: dict[str, str] | None = None,
    idempotency_key: str | None = None,
) -> Answer:
    headers = {"x-api-key": key}
    if idempotency_key is not None:
        headers["idempotency-key"] = idempotency_key
    event = http_event("get_payment", route=route, headers=headers, parameters=parameters or {})
    event["body"] = None if body is None else json.dumps(body)
    event["queryStringParameters"] = query or {}
    return world.http("api_keys", event)


def create(world: World, body: Any, key: str | None = None, **how: Any) -> Answer:
    return call(world, "POST /api-keys", key or world.seller.api_key, body, **how)


def test_a_key_is_shown_once_works_and_is_kept_as_a_hash_only(world: World) -> None:
    answer = create(world, {"name": "shop"})
    assert answer.status == 201
    plain = answer.data["apiKey"]
    assert plain.startswith("ck_sandbox_")
    assert answer.data["prefix"] == plain[: len(answer.data["prefix"])]
    assert (answer.data["object"], answer.data["livemode"]) == ("api_key", False)
    assert plain not in str(world.aws.items())
    listed = call(world, "GET /api-keys", plain)
    assert plain not in listed.text
    found = {key["id"]: key for key in listed.json["data"]}
    assert found[answer.data["id"]]["name"] == "shop"
    assert found[answer.data["id"]]["lastUsedAt"] is not None


def test_a_deleted_key_is_over_in_a_new_container(world: World) -> None:
    made = create(world, {"name": "short"}).data
    assert call(world, "GET /api-keys", made["apiKey"]).status == 200
    parameters = {"apiKeyId": made["id"]}
    route = "DELETE /api-keys/{apiKeyId}"
    gone = call(world, route, world.seller.api_key, parameters=parameters)
    assert gone.data == {
        "object": "api_key",
        "id": made["id"],
        "livemode": False,
        "deleted": True,
    }
    again = call(world, route, world.seller.api_key, parameters=parameters)
    assert again.refused() == (404, "not_found_error", "api_key_not_found")
    world.new_container()
    assert call(world, "GET /api-keys", made["apiKey"]).status == 401


def test_a_deleted_key_does_not_come_back_by_the_request_that_made_it(world: World) -> None:
    made = create(world, {"name": "once"}, idempotency_key="k").data
    parameters = {"apiKeyId": made["id"]}
    call(world, "DELETE /api-keys/{apiKeyId}", world.seller.api_key, parameters=parameters)
    for hours in (0, 1, 22):
        world.pass_time(hours=hours)
        again = create(world, {"name": "once"}, idempotency_key="k")
        assert again.refused() == (404, "not_found_error", "api_key_not_found")
        world.new_container()
        assert call(world, "GET /api-keys", made["apiKey"]).status == 401
    listed = call(world, "GET /api-keys", world.seller.api_key).json["data"]
    assert made["id"] not in {key["id"] for key in listed}
    left = world.aws.item(f"API_KEY#{made['id']}")
    assert left["ttl"] > datetime.now(UTC).timestamp() + 24 * 3600
    assert not {"secret_hash", "name", "list_key"} & left.keys()


def test_after_its_day_an_idempotency_key_brings_no_old_api_key_back(world: World) -> None:
    first = create(world, {"name": "old"}, idempotency_key="k").data
    parameters = {"apiKeyId": first["id"]}
    call(world, "DELETE /api-keys/{apiKeyId}", world.seller.api_key, parameters=parameters)
    world.pass_time(hours=25)
    second = create(world, {"name": "new"}, idempotency_key="k").data
    assert (second["name"], second["id"] == first["id"]) == ("new", False)
    assert second["apiKey"] != first["apiKey"]
    world.new_container()
    assert call(world, "GET /api-keys", first["apiKey"]).status == 401
    assert call(world, "GET /api-keys", second["apiKey"]).status == 200


def test_keys_of_another_organization_or_mode_are_neither_seen_nor_ended(world: World) -> None:
    other = world.new_seller("Other Ltd", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    mine = create(world, {"name": "mine"}).data
    for stranger in (other, live):
        listed = call(world, "GET /api-keys", stranger.api_key)
        assert mine["id"] not in listed.text
        refused = call(
            world,
            "DELETE /api-keys/{apiKeyId}",
            stranger.api_key,
            parameters={"apiKeyId": mine["id"]},
        )
        assert refused.status == 404


def test_a_restricted_key_does_what_it_may_and_nothing_else(world: World) -> None:
    made = create(world, {"name": "reader", "permissions": {"payment": ["read"]}}).data
    assert made["apiKey"].startswith("rk_sandbox_")
    assert made["permissions"] == {"payment": ["read"]}
    payment = world.create()
    event = http_event(
        "get_payment",
        headers={"x-api-key": made["apiKey"]},
        parameters={"paymentId": payment["id"]},
    )
    assert world.http("payments", event).status == 200
    event = http_event("create_payment", headers={"x-api-key": made["apiKey"]})
    refused = world.http("create_payment", event)
    assert refused.refused() == (403, "authentication_error", "forbidden")
    assert call(world, "GET /api-keys", made["apiKey"]).status == 403


@pytest.mark.parametrize(
    ("permissions", "status"),
    [
        ({"api_key": ["write"]}, 201),
        ({}, 201),
        ({"api_key": ["read", "write"]}, 403),
        ({"payment": ["read"]}, 403),
        (None, 403),
    ],
)
def test_no_key_permits_more_than_its_maker(
    world: World, permissions: dict[str, list[str]] | None, status: int
) -> None:
    maker = create(world, {"name": "maker", "permissions": {"api_key": ["write"]}}).data["apiKey"]
    body: dict[str, Any] = {"name": "child"}
    if permissions is not None:
        body["permissions"] = permissions
    assert create(world, body, maker).status == status


def test_the_same_request_gets_the_same_key_and_no_secret_is_kept_for_it(world: World) -> None:
    first = create(world, {"name": "once"}, idempotency_key="k")
    world.new_container()
    again = create(world, {"name": "once"}, idempotency_key="k")
    assert (again.status, again.data) == (201, first.data)
    assert again.headers["idempotent-replayed"] == "true"
    assert first.data["apiKey"] not in str(world.aws.items())
    other = create(world, {"name": "twice"}, idempotency_key="k")
    assert other.refused() == (409, "conflict_error", "idempotency_key_mismatch")
    assert create(world, {"name": "once"}, idempotency_key="l").data["id"] != first.data["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": 1}, "name"),
        ({"name": "x", "expiresInDays": 0}, "expiresInDays"),
        ({"name": "x", "expiresInDays": "7"}, "expiresInDays"),
        ({"name": "x", "permissions": {"everything": ["read"]}}, "permissions"),
        ({"name": "x", "permissions": {"payment": ["own"]}}, "permissions.payment.0"),
        ({"name": "x", "permissions": ["payment"]}, "permissions"),
    ],
)
def test_what_is_wrong_is_named(world: World, body: Any, field: str) -> None:
    answer = create(world, body)
    assert answer.refused() == (400, "validation_error", "validation_error")
    assert answer.error["param"] == field


def test_who_permits_what_there_is_not_is_told_what_there_is(world: World) -> None:
    answer = create(world, {"name": "x", "permissions": {"payments": ["read"]}})
    assert answer.refused() == (400, "validation_error", "validation_error")
    assert "'payments'" in answer.error["message"]
    for resource in RESOURCES:
        assert resource in answer.error["message"]


def test_an_expiring_key_says_when_and_ends_then(world: World) -> None:
    made = create(world, {"name": "week", "expiresInDays": 7}).data
    assert made["expiresAt"] > made["createdAt"]
    world.pass_time(days=6, hours=23)
    assert call(world, "GET /api-keys", made["apiKey"]).status == 200
    world.pass_time(hours=2)
    assert call(world, "GET /api-keys", made["apiKey"]).status == 401


def test_lists_go_on_by_their_cursor_and_by_no_other(world: World) -> None:
    made = [create(world, {"name": f"key {n}"}).data["id"] for n in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = call(world, "GET /api-keys", world.seller.api_key, query=query).json
        seen += [key["id"] for key in page["data"]]
        cursor = page["nextCursor"]
        assert page["hasMore"] == (cursor is not None)
        if cursor is None:
            break
        last = cursor
    assert [key for key in seen if key in made] == made[::-1]
    assert len(set(seen)) == len(seen)
    other = world.new_seller("Other Ltd", "other")
    changed = last[:-1] + ("A" if last[-1] != "A" else "B")
    for key, wrong in [
        (world.seller.api_key, "0"),
        (world.seller.api_key, "%%%"),
        (world.seller.api_key, ""),
        (world.seller.api_key, changed),
        (other.api_key, last),
    ]:
        answer = call(world, "GET /api-keys", key, query={"cursor": wrong})
        assert answer.refused() == (400, "validation_error", "validation_error")
    event = http_event("get_payment", route="GET /payments", headers={"x-api-key": other.api_key})
    event["queryStringParameters"] = {"cursor": last}
    assert world.http("payments", event).status == 400


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.5", "", "ten", "1e1", "٣"])
def test_a_limit_is_1_to_100(world: World, limit: str) -> None:
    answer = call(world, "GET /api-keys", world.seller.api_key, query={"limit": limit})
    assert answer.error["param"] == "limit"


def test_no_key_ends_one_that_permits_more(world: World) -> None:
    limited = create(world, {"name": "limited", "permissions": {"api_key": ["write"]}}).data
    full = create(world, {"name": "full"}).data
    peer = create(world, {"name": "peer", "permissions": {"api_key": ["write"]}}).data
    route = "DELETE /api-keys/{apiKeyId}"
    refused = call(world, route, limited["apiKey"], parameters={"apiKeyId": full["id"]})
    assert refused.refused() == (403, "authentication_error", "forbidden")
    assert call(world, route, limited["apiKey"], parameters={"apiKeyId": peer["id"]}).status == 200


@pytest.mark.parametrize("key_id", ["a" * 3000, "\U0001f600" * 600, "key_\ud800", ""])
def test_an_id_that_no_key_can_have_is_just_unknown(world: World, key_id: str) -> None:
    route = "DELETE /api-keys/{apiKeyId}"
    refused = call(world, route, world.seller.api_key, parameters={"apiKeyId": key_id})
    assert refused.refused() == (404, "not_found_error", "api_key_not_found")
