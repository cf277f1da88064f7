"""Customers through the API: made, found by either id, changed, listed, and kept at Stripe."""

from __future__ import annotations

import json
from typing import Any

import pytest

from paylink.adapters.dynamodb.table import encode
from tests.integration.aws import TABLE_NAME
from tests.integration.stripe_driver import Buyer
from tests.integration.world import Answer, World, http_event

ADDRESS = {"line1": "12 rue de la Paix", "city": "Paris", "postalCode": "75002", "country": "FR"}


def call(
    world: World,
    route: str,
    body: Any = None,
    *,
    api_key: str | None = None,
    key: str | None = None,
    query: dict[str, str] | None = None,
    **parameters: str,
) -> Answer:
    headers = {"x-api-key": api_key or world.seller.api_key}
    if key is not None:
        headers["idempotency-key"] = key
    event = http_event("create_customer", route=route, headers=headers, parameters=parameters)
    event["body"] = None if body is None else json.dumps(body)
    event["queryStringParameters"] = query or {}
    function = "payment_methods" if "payment-methods" in route else "customers"
    return world.http(function, event)


def create(world: World, body: dict[str, Any] | None = None, **how: Any) -> Answer:
    return call(world, "POST /customers", {"email": "ap@customer.example", **(body or {})}, **how)


def get(world: World, reference: str, **how: Any) -> Answer:
    return call(world, "GET /customers/{customerId}", customerId=reference, **how)


def change(world: World, reference: str, body: dict[str, Any], **how: Any) -> Answer:
    return call(world, "PATCH /customers/{customerId}", body, customerId=reference, **how)


def methods(world: World, reference: str) -> list[dict[str, Any]]:
    answer = call(world, "GET /customers/{customerId}/payment-methods", customerId=reference)
    assert answer.status == 200, answer.text
    found: list[dict[str, Any]] = answer.json["data"]
    return found


def remove(world: World, reference: str, method_id: str) -> Answer:
    route = "DELETE /customers/{customerId}/payment-methods/{paymentMethodId}"
    return call(world, route, customerId=reference, paymentMethodId=method_id)


def customer_item(world: World) -> dict[str, Any]:
    """Of the only customer."""
    (item,) = (item for item in world.aws.items("CUSTOMER#") if item["sk"] == "CUSTOMER")
    return item


def at_stripe(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.stripe.api(
        world.seller.stripe_key, "GET", "/v1/customers", limit=100
    )["data"]
    return found


def tax_ids(world: World, stripe_id: str) -> list[tuple[str, str]]:
    found = world.stripe.api(
        world.seller.stripe_key, "GET", f"/v1/customers/{stripe_id}/tax_ids", limit=100
    )
    return [(tax_id["type"], tax_id["value"]) for tax_id in found["data"]]


def pay(world: World, reference: str, **how: Any) -> dict[str, Any]:
    """A link of the customer's that was paid."""
    payment = world.create({"customerId": reference})
    assert world.stripe.pay(world.checkout_url(payment["id"]), **how).status_code == 200
    world.deliver_everything()
    return world.payment(payment["id"])


# -- made and read


def test_a_customer_is_made_from_the_sample_and_found_by_either_id(world: World) -> None:
    event = http_event("create_customer", headers={"x-api-key": world.seller.api_key})
    made = world.http("customers", event)
    assert made.status == 201
    customer = made.data
    assert customer["id"].startswith("cus_")
    assert customer == {
        "object": "customer",
        "id": customer["id"],
        "livemode": False,
        "externalId": "crm-1017",
        "email": "ap@customer.example",
        "fullName": "Chez Claire SARL",
        "taxDocument": "FR12345678901",
        "documentType": None,
        "timezone": "Europe/Paris",
        "address": {**ADDRESS, "line2": None, "state": None},
        "metadata": {"plan": "gold"},
        "createdAt": customer["createdAt"],
        "updatedAt": customer["createdAt"],
    }
    assert get(world, customer["id"]).data == get(world, "crm-1017").data == customer
    (event,) = world.dispatch()
    assert (event["detail-type"], event["detail"]["data"]) == ("customer.created", customer)
    assert world.stripe.requests() == []


def test_the_callers_own_id_is_idempotent_and_changes_nothing(world: World) -> None:
    first = create(world, {"id": "crm/1 ü?"})
    again = create(world, {"externalId": "crm/1 ü?", "email": "other@customer.example"})
    assert (first.status, again.status) == (201, 200)
    assert again.data == first.data == get(world, "crm/1 ü?").data
    assert len(world.aws.items("CUSTOMER#")) == 1
    assert len(world.dispatch()) == 1


def test_the_same_request_makes_one_customer_even_after_a_crash(world: World) -> None:
    # The customer is written, the answer isn't.
    world.aws.fail_once(
        "PutItem", matching=lambda given: "response" in str(given.get("Item", {}).keys())
    )
    first = create(world, key="k")
    assert first.status == 500
    world.pass_time(seconds=60)
    again = create(world, key="k")
    assert again.status == 201
    (item,) = world.aws.items("CUSTOMER#")
    assert item["id"] == again.data["id"]
    replay = create(world, key="k")
    assert (replay.data, replay.headers["idempotent-replayed"]) == (again.data, "true")
    assert create(world, key="l").data["id"] != again.data["id"]


def test_after_its_day_an_idempotency_key_makes_another_customer(world: World) -> None:
    first = create(world, {"email": "first@customer.example"}, key="k")
    world.pass_time(hours=25)
    second = create(world, {"email": "second@customer.example"}, key="k")
    assert (second.status, second.data["email"]) == (201, "second@customer.example")
    assert second.data["id"] != first.data["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"email": None}, "email"),
        ({"email": "nobody"}, "email"),
        ({"email": "a b@c.de"}, "email"),
        ({"email": "a@b.c\n"}, "email"),
        ({"email": "\ud800@b.de"}, "email"),
        ({"email": "a@" + "b" * 252 + ".de"}, "email"),
        ({"id": "cus_1"}, "id"),
        ({"externalId": "cus_1"}, "externalId"),
        ({"externalId": ""}, "externalId"),
        ({"externalId": "x" * 256}, "externalId"),
        ({"externalId": 7}, "externalId"),
        ({"id": "a", "externalId": "b"}, "externalId"),
        ({"fullName": ""}, "fullName"),
        ({"fullName": "x" * 151}, "fullName"),
        ({"taxDocument": 7}, "taxDocument"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"address": {}}, "address.country"),
        ({"address": {"country": "ZZ"}}, "address.country"),
        ({"address": {"country": "DEU"}}, "address.country"),
        ({"address": "Berlin"}, "address"),
        ({"address": {"country": "DE", "postalCode": 10115}}, "address.postalCode"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"k" * 41: "v"}}, "metadata"),
        ({"metadata": {"": "v"}}, "metadata"),
        ({"metadata": {"k": "v" * 501}}, "metadata"),
        ({"metadata": {str(n): "v" for n in range(51)}}, "metadata"),
        ({"metadata": {"k": {"k": "\udfff"}}}, "metadata"),
        ({"metadata": {"k": [[[[[[[[[[[[]]]]]]]]]]]]}}, "metadata"),
        ({"metadata": {"k": ["v" * 500] * 40}}, "metadata"),
    ],
)
def test_what_is_wrong_is_named(world: World, body: dict[str, Any], field: str) -> None:
    answer = create(world, body)
    assert answer.refused() == (400, "validation_error", "validation_error")
    assert answer.error["param"] == field
    assert world.aws.items("CUSTOMER#") == []


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN"])
def test_numbers_that_json_does_not_know_are_refused(world: World, number: str) -> None:
    event = http_event("create_customer", headers={"x-api-key": world.seller.api_key})
    event["body"] = f'{{"email": "a@b.de", "metadata": {{"n": {number}}}}}'
    assert world.http("customers", event).status == 400


def test_exact_limits_other_members_and_any_json_are_taken(world: World) -> None:
    metadata = {
        "k" * 40: "v" * 500,
        "deep": {"a": [1, 1.5, True, None, {"b": "é 😀"}]},
        "long": 10**39,
        **{f"n{n}": "" for n in range(47)},
    }
    body = {
        "externalId": "x" * 255,
        "metadata": metadata,
        "addressId": "addr_1",
        "apiVersion": "2026-01-01",
        "timezone": "US/Eastern",
        "address": {"country": "de", "region": "EU", "line1": ""},
    }
    made = create(world, body)
    assert made.status == 201, made.text
    assert get(world, "x" * 255).data == made.data
    assert made.data["metadata"] == metadata
    assert made.data["address"]["country"] == "DE"


@pytest.mark.parametrize(
    "reference",
    [
        "cus_none",
        "none",
        "",
        "x" * 5000,
        "é" * 2000,
        "\ud800",
        "#",
        "../x",
        "a%2Fb",
        "\x00",
        "cus_",
    ],
)
def test_a_strange_id_is_unknown_and_never_a_failure(world: World, reference: str) -> None:
    for answer in (
        get(world, reference),
        change(world, reference, {"fullName": "X"}),
        remove(world, reference, reference),
    ):
        assert answer.refused() == (404, "not_found_error", "customer_not_found")


@pytest.mark.parametrize("sent", ["50%", "50%25"])
def test_a_percent_sign_may_come_decoded_or_not(world: World, sent: str) -> None:
    made = create(world, {"id": "50%"}).data
    assert get(world, sent).data == made
    assert get(world, "50%2525").status == 404


def test_another_organization_or_mode_sees_nobody(world: World) -> None:
    customer = create(world, {"id": "crm-1"}).data
    other = world.new_seller("Other Ltd", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    for stranger in (other, live):
        for reference in (customer["id"], "crm-1"):
            assert get(world, reference, api_key=stranger.api_key).status == 404
            answer = change(world, reference, {"fullName": "X"}, api_key=stranger.api_key)
            assert answer.status == 404
        listed = call(world, "GET /customers", api_key=stranger.api_key)
        assert listed.json["data"] == []
        assert create(world, {"id": "crm-1"}, api_key=stranger.api_key).status == 201


def test_customers_are_listed_newest_first_over_pages_guests_among_them(world: World) -> None:
    made = [create(world, {"id": f"crm-{n}"}).data["id"] for n in range(3)]
    guest = world.paid()["customerId"]
    seen: list[str] = []
    query = {"limit": "2"}
    while True:
        page = call(world, "GET /customers", query=query).json
        seen += [customer["id"] for customer in page["data"]]
        if not page["hasMore"]:
            break
        query = {"limit": "2", "cursor": page["nextCursor"]}
    assert seen == [guest, *made[::-1]]
    assert get(world, guest).data["email"] == "buyer@customer.example"
    named = call(world, "GET /customers", query={"externalId": "crm-1"}).json
    assert [customer["id"] for customer in named["data"]] == [made[1]]
    for nobody in ("crm-9", "", made[0]):
        assert call(world, "GET /customers", query={"externalId": nobody}).json["data"] == []
    cursor = query["cursor"]
    wrong = call(world, "GET /customers", query={"externalId": "crm-1", "cursor": cursor})
    assert wrong.error["param"] == "cursor"


# -- changed


def test_only_what_is_given_changes_and_null_clears(world: World) -> None:
    body = {
        "id": "crm-1",
        "fullName": "Claire",
        "taxDocument": "FR12345678901",
        "timezone": "Europe/Paris",
        "address": ADDRESS,
        "metadata": {"a": 1},
    }
    before = create(world, body).data
    world.dispatch()
    world.pass_time(seconds=2)
    after = change(world, "crm-1", {"fullName": "Claire B.", "email": "new@customer.example"}).data
    assert after == {
        **before,
        "fullName": "Claire B.",
        "email": "new@customer.example",
        "updatedAt": after["updatedAt"],
    }
    assert after["updatedAt"] > before["updatedAt"]
    (event,) = world.dispatch()
    assert (event["detail-type"], event["detail"]["data"]) == ("customer.updated", after)
    cleared = dict.fromkeys(
        ("fullName", "taxDocument", "timezone", "address", "metadata", "externalId")
    )
    bare = call(world, "PUT /customers/{customerId}", cleared, customerId=before["id"]).data
    assert {name: bare[name] for name in cleared} == cleared
    assert bare["email"] == "new@customer.example"
    assert get(world, "crm-1").status == 404
    assert change(world, before["id"], {"email": None}).error["param"] == "email"
    world.dispatch()
    assert change(world, before["id"], {"fullName": None}).data == bare
    assert world.dispatch() == []


def test_an_external_id_moves_whole_or_not_at_all(world: World) -> None:
    first = create(world, {"id": "crm-1"}).data
    second = create(world, {"id": "crm-2"}).data
    taken = change(world, "crm-1", {"externalId": "crm-2", "fullName": "X"})
    assert taken.refused() == (409, "conflict_error", "duplicate")
    assert taken.error["param"] == "externalId"
    assert get(world, "crm-1").data == first
    moved = change(world, "crm-1", {"externalId": "crm-3"}).data
    assert moved["externalId"] == "crm-3"
    assert get(world, "crm-3").data["id"] == first["id"]
    assert get(world, "crm-1").status == 404
    assert change(world, "crm-2", {"externalId": "crm-1"}).data["id"] == second["id"]
    assert create(world, {"id": "crm-2"}).status == 201
    assert len(world.aws.items("EXTERNAL#")) == 3


def test_one_key_for_two_customers_is_a_conflict(world: World) -> None:
    create(world, {"id": "crm-1"})
    create(world, {"id": "crm-2"})
    assert change(world, "crm-1", {"fullName": "X"}, key="k").status == 200
    other = change(world, "crm-2", {"fullName": "X"}, key="k")
    assert other.refused() == (409, "conflict_error", "idempotency_key_mismatch")


# -- at Stripe


def test_links_share_one_customer_at_stripe_that_knows_what_is_known(world: World) -> None:
    body = {"id": "crm-1", "fullName": "Claire", "taxDocument": "FR 12 345678901"}
    customer = create(world, {**body, "address": ADDRESS}).data
    first, second = (world.create({"customerId": "crm-1"}) for _ in range(2))
    (known,) = at_stripe(world)
    sessions = world.stripe.sessions(world.seller.stripe_key)
    assert {session["customer"] for session in sessions} == {known["id"]}
    assert {session["client_reference_id"] for session in sessions} == {first["id"], second["id"]}
    assert (known["email"], known["name"]) == ("ap@customer.example", "Claire")
    assert known["address"]["country"] == "FR"
    assert known["metadata"]["customer_id"] == customer["id"]
    assert known["metadata"]["organization_id"] == world.seller.organization_id
    assert tax_ids(world, known["id"]) == [("eu_vat", "FR12345678901")]


def test_a_retry_makes_no_second_customer_at_stripe(world: World) -> None:
    create(world, {"id": "crm-1"})
    # It is made, and the first answer lost on the way; then it is made and not written down.
    world.stripe.fault("error_after", method="POST", path="/v1/customers", stored="result")
    world.aws.fail_once(
        "PutItem", matching=lambda given: "provider_customer_id" in given.get("Item", {})
    )
    assert world.post_payment({"customerId": "crm-1"}, key="k").status == 500
    assert "provider_customer_id" not in customer_item(world)
    world.pass_time(seconds=60)
    again = world.post_payment({"customerId": "crm-1"}, key="k")
    assert again.status == 201, again.text
    assert len(at_stripe(world)) == 1
    assert len(world.aws.items("PAYMENT#")) == 1


def test_a_failure_that_stripe_replays_does_not_last(world: World) -> None:
    create(world, {"id": "crm-1"})
    world.stripe.fault("error", method="POST", path="/v1/customers", stored="answer")
    assert world.post_payment({"customerId": "crm-1"}, key="k").status == 502
    assert world.post_payment({"customerId": "crm-1"}, key="k").status == 201
    assert len(at_stripe(world)) == 1


def test_a_customer_deleted_at_stripe_is_made_again_for_the_next_link(world: World) -> None:
    create(world, {"id": "crm-1", "fullName": "Claire"})
    paid = pay(world, "crm-1")
    assert paid["status"] == "succeeded"
    assert len(methods(world, "crm-1")) == 1
    (gone,) = at_stripe(world)
    world.stripe.api(world.seller.stripe_key, "DELETE", f"/v1/customers/{gone['id']}")
    answer = world.post_payment({"customerId": "crm-1"}, key="k")
    assert answer.status == 201, answer.text
    (known,) = at_stripe(world)
    assert known["id"] != gone["id"]
    assert known["name"] == "Claire"
    payment = world.aws.item(f"PAYMENT#{answer.data['id']}")
    session = world.stripe.session(world.seller.stripe_key, payment["sessions"][-1]["id"])
    assert session["customer"] == known["id"]
    # What was vaulted went with the old one.
    assert methods(world, "crm-1") == []
    assert "default_payment_method" not in customer_item(world)
    world.create({"customerId": "crm-1"})
    assert len(at_stripe(world)) == 1
    assert world.stripe.pay(world.checkout_url(answer.data["id"])).status_code == 200
    world.deliver_everything()
    (method,) = methods(world, "crm-1")
    assert method["default"] is True


def test_a_change_reaches_stripe_and_a_deleted_customer_does_not_stop_it(world: World) -> None:
    create(world, {"id": "crm-1", "fullName": "Claire", "address": ADDRESS})
    world.create({"customerId": "crm-1"})
    (known,) = at_stripe(world)
    changed = change(
        world,
        "crm-1",
        {
            "email": "new@customer.example",
            "fullName": None,
            "taxDocument": "DE123456789",
            "address": {"country": "DE", "postalCode": "10115"},
        },
    )
    assert changed.status == 200, changed.text
    (known,) = at_stripe(world)
    assert (known["email"], known["name"]) == ("new@customer.example", None)
    assert known["address"]["country"] == "DE"
    assert known["address"]["line1"] in {None, ""}
    assert tax_ids(world, known["id"]) == [("eu_vat", "DE123456789")]
    change(world, "crm-1", {"taxDocument": "DE999999999", "address": {"country": "DE"}})
    assert tax_ids(world, known["id"]) == [("eu_vat", "DE999999999")]
    world.stripe.forget_requests()
    change(world, "crm-1", {"metadata": {"a": "b"}, "timezone": "Europe/Berlin"})
    assert world.stripe.requests() == []
    world.stripe.api(world.seller.stripe_key, "DELETE", f"/v1/customers/{known['id']}")
    assert change(world, "crm-1", {"fullName": "Claire C."}).data["fullName"] == "Claire C."
    assert at_stripe(world) == []
    world.create({"customerId": "crm-1"})
    assert [customer["name"] for customer in at_stripe(world)] == ["Claire C."]


def test_a_change_that_stripe_did_not_take_is_no_change_and_a_retry_makes_it_whole(
    world: World,
) -> None:
    before = create(world, {"id": "crm-1", "fullName": "Claire", "address": ADDRESS}).data
    world.create({"customerId": "crm-1"})
    world.dispatch()
    # The address is told, the tax id isn't.
    path = "/v1/customers/[^/]+/tax_ids"
    world.stripe.fault("error", method="POST", path=path, stored="nothing", count=2)
    body = {"fullName": "Other", "taxDocument": "FR12345678901"}
    failed = change(world, "crm-1", body, key="k")
    assert failed.refused() == (502, "internal_error", "provider_unavailable")
    assert get(world, "crm-1").data == before
    assert world.dispatch() == []
    # Nobody retries: the next link tells Stripe how things stand here.
    world.create({"customerId": "crm-1"})
    (known,) = at_stripe(world)
    assert (known["name"], tax_ids(world, known["id"])) == ("Claire", [])
    again = change(world, "crm-1", body, key="k")
    assert again.data["fullName"] == "Other"
    (known,) = at_stripe(world)
    assert known["name"] == "Other"
    assert tax_ids(world, known["id"]) == [("eu_vat", "FR12345678901")]
    announced = [event["detail-type"] for event in world.dispatch()]
    assert announced == ["payment.created", "customer.updated"]


def test_a_refused_change_is_said_plainly_and_nothing_is_kept(world: World) -> None:
    before = create(world, {"id": "crm-1"}).data
    world.create({"customerId": "crm-1"})
    world.stripe.fault("error", method="POST", path="/v1/customers/", status=400)
    answer = change(world, "crm-1", {"fullName": "X"})
    assert answer.status == 400
    assert get(world, "crm-1").data == before


def test_tax_follows_the_customers_address_and_vat_id(world: World) -> None:
    company = {"address": ADDRESS, "fullName": "Chez Claire", "taxDocument": "FR12345678901"}
    create(world, {"id": "company", **company})
    create(world, {"id": "consumer", "address": ADDRESS})
    world.stripe.control(
        "POST",
        "accounts/acct_studio",
        {
            "tax_settings": {"head_office": {"country": "DE", "postal_code": "10969"}},
            "country": "DE",
        },
    )
    buyer = Buyer(country="FR", postal="75002", name="Claire")
    reverse = pay(world, "company", buyer=buyer)
    taxed = pay(world, "consumer", buyer=buyer)
    assert reverse["taxAmount"] == 0
    assert taxed["taxAmount"] == 980  # 20 % of 49.00
    settlement = world.aws.item(f"PAYMENT#{reverse['id']}")["settlement"]
    assert settlement["tax_lines"][0]["reason"] == "reverse_charge"
    assert settlement["buyer"]["tax_ids"] == ["FR12345678901"]


# -- payment methods


def test_payment_methods_are_listed_and_removed_at_stripe_too(world: World) -> None:
    create(world, {"id": "crm-1"})
    pay(world, "crm-1")
    pay(world, "crm-1")
    pay(world, "crm-1", card="5555 5555 5555 4444")
    mastercard, visa = methods(world, "crm-1")
    assert mastercard == {
        "object": "payment_method",
        "id": mastercard["id"],
        "livemode": False,
        "type": "card",
        "brand": "mastercard",
        "last4": "4444",
        "expMonth": 12,
        "expYear": 2034,
        "default": True,
    }
    assert (visa["last4"], visa["default"]) == ("4242", False)
    (known,) = at_stripe(world)
    assert len(attached(world, known["id"])) == 3
    gone = remove(world, "crm-1", mastercard["id"])
    assert gone.data == {
        "object": "payment_method",
        "id": mastercard["id"],
        "livemode": False,
        "deleted": True,
    }
    assert methods(world, "crm-1") == [{**visa, "default": True}]
    assert len(attached(world, known["id"])) == 2
    again = remove(world, "crm-1", mastercard["id"])
    assert again.refused() == (404, "not_found_error", "not_found")
    # One of the two ids was detached elsewhere.
    detached = attached(world, known["id"])[0]["id"]
    world.stripe.api(world.seller.stripe_key, "POST", f"/v1/payment_methods/{detached}/detach")
    assert remove(world, "crm-1", visa["id"]).status == 200
    assert attached(world, known["id"]) == []
    assert methods(world, "crm-1") == []
    assert "default_payment_method" not in customer_item(world)


def test_a_removal_that_stripe_did_not_take_is_none_and_can_be_repeated(world: World) -> None:
    create(world, {"id": "crm-1"})
    pay(world, "crm-1")
    (method,) = methods(world, "crm-1")
    world.stripe.fault(
        "error", method="POST", path="/v1/payment_methods/", stored="nothing", count=2
    )
    failed = remove(world, "crm-1", method["id"])
    assert failed.refused() == (502, "internal_error", "provider_unavailable")
    assert methods(world, "crm-1") == [method]
    assert remove(world, "crm-1", method["id"]).status == 200


def attached(world: World, stripe_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.stripe.api(
        world.seller.stripe_key, "GET", f"/v1/customers/{stripe_id}/payment_methods", limit=100
    )["data"]
    return found


def test_the_payment_methods_of_somebody_without_any_are_an_empty_list(world: World) -> None:
    create(world, {"id": "crm-1"})
    answer = call(world, "GET /customers/{customerId}/payment-methods", customerId="crm-1")
    assert answer.json == {"success": True, "data": [], "hasMore": False, "nextCursor": None}


def test_customers_kept_before_there_were_versions_can_still_be_changed(world: World) -> None:
    guest = world.paid()["customerId"]
    item = customer_item(world)
    for name in ("version", "list_key", "list_sort"):
        item.pop(name)
    world.aws.dynamodb.put_item(TableName=TABLE_NAME, Item=encode(item))
    assert change(world, guest, {"externalId": "crm-1"}).status == 200
    assert get(world, "crm-1").data["id"] == guest
