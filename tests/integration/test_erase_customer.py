"""A customer is forgotten: what goes, what stays, and that an interruption loses neither."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.integration.aws import TABLE_NAME
from tests.integration.stripe_driver import DECLINED
from tests.integration.test_customers import create, get, methods
from tests.integration.world import Answer, World, http_event

PERSON = {
    "email": "grace.hopper@navy.example",
    "fullName": "Grace Brewster Hopper",
    "externalId": "rear-admiral-1",
    "taxDocument": "FR61954506077",
    "address": {"line1": "12 rue de la Paix", "city": "Paris", "country": "FR"},
    "metadata": {"nickname": "Amazing Grace"},
}
PERSONAL = ("grace.hopper", "Brewster", "rear-admiral", "61954506077", "rue de la Paix", "Amazing")


def erase(world: World, reference: str = "rear-admiral-1", **how: Any) -> Answer:
    event = http_event(
        "erase_customer",
        headers={"x-api-key": how.pop("api_key", world.seller.api_key)},
        parameters={"customerId": reference},
    )
    return world.http("erase_customer", event, **how)


def personal_items(world: World) -> set[str]:
    """Families of the items that still tell who the customer was."""
    return {
        item["pk"].split("#")[0]
        for item in world.aws.items()
        if any(word in json.dumps(item, default=str) for word in PERSONAL)
    }


@pytest.fixture
def customer(world: World) -> dict[str, Any]:
    """Declined once, paid once by a link with an invoice, charged once."""
    made = create(world, PERSON).data
    body = {"customerId": "rear-admiral-1"}
    declined = world.create(body)
    world.stripe.pay(world.checkout_url(declined["id"]), DECLINED)
    world.deliver_everything()
    assert world.payment(declined["id"])["status"] == "failed"
    world.paid(body)
    assert world.charge("rear-admiral-1").status == 201
    world.deliver_everything()
    world.dispatch()
    world.issue_invoices()
    return made


def test_nothing_personal_is_left_but_on_the_invoices(
    world: World, customer: dict[str, Any]
) -> None:
    assert {"CUSTOMER", "PAYMENT", "TRANSACTION", "INVOICE", "EXTERNAL"} <= personal_items(world)

    answer = erase(world)

    assert (answer.status, answer.data["deleted"]) == (200, True)
    assert answer.data["id"].startswith("cus_")
    # Answers that are kept for retries go with their 24 hours.
    assert personal_items(world) == {"INVOICE", "IDEMPOTENCY"} & personal_items(world)
    assert "INVOICE" in personal_items(world)
    assert get(world, "rear-admiral-1").status == 404
    assert get(world, answer.data["id"]).status == 404
    assert erase(world).refused() == (404, "not_found_error", "customer_not_found")


def test_the_provider_forgets_too(world: World, customer: dict[str, Any]) -> None:
    [known] = world.stripe.api(world.seller.stripe_key, "GET", "/v1/customers")["data"]
    path = f"/v1/customers/{known['id']}"
    saved = world.stripe.api(world.seller.stripe_key, "GET", f"{path}/payment_methods")["data"]
    assert saved

    assert erase(world).status == 200

    assert world.stripe.api(world.seller.stripe_key, "GET", path)["deleted"] is True
    for method in saved:
        found = world.stripe.api(
            world.seller.stripe_key, "GET", f"/v1/payment_methods/{method['id']}"
        )
        assert found["customer"] is None


def test_amounts_and_states_stay(world: World, customer: dict[str, Any]) -> None:
    before = [world.payment(item["id"]) for item in world.aws.items("PAYMENT#")]

    assert erase(world).status == 200

    for old in before:
        new = world.payment(old["id"])
        assert new["customerId"].startswith("cus_")
        if old["status"] == "failed":  # a link that could still be paid
            assert (new["status"], new["cancellationReason"]) in {
                ("canceled", "requested"),
                ("failed", None),
            }
        else:
            assert new | {"customerId": None} == old | {"customerId": None}
    for transaction in world.transactions().json["data"]:
        assert (transaction["customerEmail"], transaction["customerName"]) == (None, None)
        assert transaction["grossAmount"] > 0


def test_links_that_wait_for_them_can_not_be_paid_any_more(world: World) -> None:
    create(world, PERSON)
    made = world.create({"customerId": "rear-admiral-1"})
    checkout = world.checkout_url(made["id"])

    assert erase(world).status == 200

    assert world.payment(made["id"])["status"] == "canceled"
    world.stripe.pay(checkout)
    assert world.stripe.api(world.seller.stripe_key, "GET", "/v1/payment_intents")["data"] == []
    assert world.post_payment({"customerId": "rear-admiral-1"}).status == 404


def test_a_payment_on_its_way_comes_first(world: World) -> None:
    create(world, PERSON)
    made = world.create({"customerId": "rear-admiral-1"})
    world.stripe.pay_by_debit(world.checkout_url(made["id"]))
    world.deliver_everything()

    assert erase(world).refused() == (409, "conflict_error", "payment_not_cancelable")

    [session] = world.stripe.sessions(world.seller.stripe_key)
    world.stripe.settle_debit(session["payment_intent"])
    world.deliver_everything()
    assert erase(world).status == 503  # its invoice isn't issued yet
    world.dispatch()
    world.issue_invoices()
    assert erase(world).status == 200
    assert "CUSTOMER" not in personal_items(world)


def test_an_interrupted_erasure_goes_on_with_the_same_request(
    world: World, customer: dict[str, Any]
) -> None:
    world.stripe.fault("error", method="DELETE", path="/v1/customers/[^/]+$", count=2)

    assert erase(world).status == 502
    assert get(world, "rear-admiral-1").status == 404
    assert world.charge("rear-admiral-1").status == 404

    assert erase(world).status == 200
    assert "CUSTOMER" not in personal_items(world)
    assert erase(world).status == 404


def test_money_that_comes_late_does_not_bring_the_person_back(world: World) -> None:
    create(world, PERSON)
    made = world.create({"customerId": "rear-admiral-1"})
    # Paid, and nobody was told yet: the list of the customer's payments doesn't know it either.
    world.stripe.pay(world.checkout_url(made["id"]))
    item = world.aws.item(f"PAYMENT#{made['id']}")
    world.aws.dynamodb.update_item(
        TableName=TABLE_NAME,
        Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
        UpdateExpression="REMOVE customer_key",
    )
    assert erase(world).status == 200

    world.deliver_everything()

    assert world.payment(made["id"])["status"] == "succeeded"
    assert "CUSTOMER" not in personal_items(world)
    event = http_event(
        "create_customer",
        route="GET /customers",
        headers={"x-api-key": world.seller.api_key},
        parameters={},
    )
    event["body"] = None
    assert world.http("customers", event).json["data"] == []


def test_the_callers_own_id_is_free_again(world: World, customer: dict[str, Any]) -> None:
    assert erase(world).status == 200

    again = create(world, PERSON)

    assert again.status == 201
    assert methods(world, "rear-admiral-1") == []


def test_nobody_elses_customer_is_erased(world: World) -> None:
    create(world, PERSON)
    other = world.new_seller("Other", "acct_other")

    assert erase(world, api_key=other.api_key).status == 404
    assert get(world, "rear-admiral-1").status == 200
