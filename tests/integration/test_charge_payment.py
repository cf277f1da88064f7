"""`POST /payments/charge` with Stripe's sandbox behind it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import stripe as sdk

from tests.integration.stripe_driver import Buyer
from tests.integration.world import Answer, World

INTENTS = "/v1/payment_intents"
PROVIDER_DOWN = (502, "internal_error", "provider_unavailable")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk._http_client.HTTPClient, "INITIAL_DELAY", 0.01)
    monkeypatch.setattr(sdk._http_client.HTTPClient, "MAX_DELAY", 0.02)


def customer_with_card(world: World, buyer: Buyer | None = None) -> str:
    """Our id of a guest who paid a link by card."""
    made = world.create()
    assert world.stripe.pay(world.checkout_url(made["id"]), buyer=buyer).status_code == 200
    world.deliver_everything()
    world.dispatch()
    return str(world.payment(made["id"])["customerId"])


def item_of(world: World, customer: str) -> dict[str, Any]:
    (found,) = (i for i in world.aws.items("CUSTOMER#") if i["sk"] == "CUSTOMER"
                and i["id"] == customer)  # fmt: skip
    return found


def the_method(world: World, customer: str) -> dict[str, Any]:
    (found,) = (i for i in world.aws.items("CUSTOMER#") if i["sk"].startswith("PAYMENT_METHOD#")
                and i["pk"].endswith(customer))  # fmt: skip
    return found


def saved_card(world: World, customer: str, card: str) -> None:
    """Puts another test card in place of the vaulted one, as if it had been saved by a link."""
    key, provider_customer = world.seller.stripe_key, item_of(world, customer)
    attached = world.stripe.api(
        key,
        "POST",
        f"/v1/payment_methods/pm_card_{card}/attach",
        customer=provider_customer["provider_customer_id"],
    )
    item = the_method(world, customer)
    world.aws.dynamodb.update_item(
        TableName="paylink-test-table",
        Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
        UpdateExpression="SET provider_id = :id",
        ExpressionAttributeValues={":id": {"S": attached["id"]}},
    )


def intents(world: World, payment_id: str | None = None) -> list[dict[str, Any]]:
    """Payment intents of charges, by the mark on them."""
    charges = {i["id"] for i in world.aws.items("PAYMENT#") if i["kind"] == "charge"}
    listed = world.stripe.api(world.seller.stripe_key, "GET", INTENTS, limit=100)["data"]
    wanted = charges if payment_id is None else {payment_id}
    return [i for i in listed if i["metadata"].get("payment_id") in wanted]


def the_charge(world: World) -> dict[str, Any]:
    (found,) = (i for i in world.aws.items("PAYMENT#") if i["kind"] == "charge")
    return found


def assert_charged_once(world: World, answer: Answer) -> None:
    assert answer.status == 201, answer.text
    assert answer.data["status"] == "succeeded"
    (intent,) = intents(world)
    assert (intent["status"], intent["amount"]) == ("succeeded", answer.data["amountTotal"])
    assert world.events_of(answer.data["id"]) == ["payment.succeeded"]


def test_a_saved_card_is_charged_with_tax(world: World) -> None:
    customer = customer_with_card(world)
    answer = world.charge(customer)
    assert answer.status == 201, answer.text
    data = answer.data
    assert data == world.payment(data["id"])
    assert (data["object"], data["kind"], data["status"]) == ("payment", "charge", "succeeded")
    assert (data["url"], data["expiresAt"], data["customerId"]) == (None, None, customer)
    assert (data["amountSubtotal"], data["taxAmount"], data["amountTotal"]) == (1500, 285, 1785)
    assert data["taxStatus"] == "final"
    assert data["paidAt"] is not None
    (intent,) = intents(world, data["id"])
    assert (intent["status"], intent["amount"]) == ("succeeded", 1785)
    assert set(intent["metadata"]) == {"payment_id", "organization_id", "mode", "deployment_id"}
    assert intent["hooks"]["inputs"]["tax"]["calculation"].startswith("taxcalc_")
    transaction = next(t for t in world.aws.items("TRANSACTION#") if t["payment_id"] == data["id"])
    assert (transaction["status"], transaction["tax_amount"]) == ("succeeded", 285)
    assert not [i for i in world.aws.items("CUSTOMER#") if i["sk"] == "CHARGE"]
    listed = world.aws.items("PAYMENT#")
    assert {i["id"] for i in listed if i["kind"] == "charge"} == {data["id"]}


def test_its_invoice_has_the_same_three_numbers(world: World) -> None:
    customer = customer_with_card(world)
    data = world.charge(customer).data
    world.issue_invoices()
    invoice = next(i for i in world.aws.items("INVOICE#") if i["payment_id"] == data["id"])
    subtotal, tax = invoice["amount_subtotal"], invoice["tax_amount"]
    assert (subtotal, tax, subtotal + tax) == (1500, 285, 1785)
    assert invoice["buyer"]["email"] == "buyer@customer.example"
    assert invoice["buyer"]["address"]["country"] == "DE"
    (line,) = invoice["tax_lines"]
    assert (line["label"], line["percentage"], line["amount"]) == ("VAT", "19", 285)
    assert world.payment(data["id"])["invoiceId"] == invoice["id"]
    (key,) = (key for key in world.aws.objects() if invoice["id"] in key)
    assert key.startswith(f"{world.seller.organization_id}/sandbox/")


def test_webhooks_of_a_charge_that_was_answered_change_nothing(world: World) -> None:
    customer = customer_with_card(world)
    data = world.charge(customer).data
    world.dispatch()
    world.deliver_everything()
    assert world.payment(data["id"]) == data
    assert world.events_of(data["id"]) == []


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("authenticationRequired", "authentication_required"),
        ("chargeCustomerFail", "card_declined"),
    ],
)
def test_a_card_that_does_not_pay_leaves_nothing_open(world: World, card: str, code: str) -> None:
    customer = customer_with_card(world)
    saved_card(world, customer, card)
    answer = world.charge(customer, key="k")
    assert answer.refused() == (402, "billing_error", "payment_failed")
    payment_id = answer.error["details"]["paymentId"]
    assert answer.error["details"]["code"] == code
    assert answer.error["details"]["declineCode"] in {"generic_decline", "authentication_required"}
    found = world.payment(payment_id)
    assert (found["status"], found["failureCode"]) == ("failed", code)
    assert found["failureMessage"] == answer.error["message"]
    assert [i["status"] for i in intents(world, payment_id)] == ["canceled"]
    replayed = world.charge(customer, key="k")
    assert json.loads(replayed.text) == json.loads(answer.text)
    assert replayed.headers["idempotent-replayed"] == "true"
    assert world.events_of(payment_id) == ["payment.failed"]
    world.deliver_everything()
    assert world.payment(payment_id) == found
    assert world.events_of(payment_id) == []
    assert len(intents(world)) == 1


def test_a_customer_whom_stripe_has_no_more_has_no_payment_method(world: World) -> None:
    customer = customer_with_card(world)
    gone = item_of(world, customer)["provider_customer_id"]
    world.stripe.api(world.seller.stripe_key, "DELETE", f"/v1/customers/{gone}")
    answer = world.charge(customer, key="k")
    assert answer.refused() == (409, "conflict_error", "no_payment_method")
    assert world.charge(customer, key="k").headers["idempotent-replayed"] == "true"
    assert [i for i in world.aws.items("PAYMENT#") if i["kind"] == "charge"] == []
    assert "provider_customer_id" not in item_of(world, customer)


def test_a_card_that_was_detached_at_stripe_is_none(world: World) -> None:
    customer = customer_with_card(world)
    method = the_method(world, customer)["provider_id"]
    world.stripe.api(world.seller.stripe_key, "POST", f"/v1/payment_methods/{method}/detach")
    answer = world.charge(customer)
    assert answer.refused() == (409, "conflict_error", "no_payment_method")
    assert intents(world) == []


def test_nobody_elses_customer_can_be_charged(world: World) -> None:
    customer = customer_with_card(world)
    other = world.new_seller("Other", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    for seller in (other, live):
        answer = world.charge(customer, seller=seller)
        assert answer.refused() == (404, "not_found_error", "customer_not_found")
        assert answer.error["param"] == "customerId"


BAD: list[dict[str, Any]] = [
    {"customerId": ""},
    {"customerId": None},
    {"amount": 0},
    {"amount": "10"},
    {"amount": 10.5},
    {"amount": 1},
    {"currency": "xxx"},
    {"description": ""},
    {"description": "\ud800"},
    {"metadata": {"a": 1}},
    {"successUrl": "https://shop.example"},
    {"expiresAt": "2027-01-01T00:00:00Z"},
    {"paymentMethod": "pm_1"},
]


def test_what_is_malformed_is_refused(world: World, subtests: pytest.Subtests) -> None:
    for body in BAD:
        with subtests.test(body=repr(body)):
            answer = world.charge("cus_x", body)
            assert answer.refused()[0:2] == (400, "validation_error")
    assert world.stripe.requests() == []


@pytest.mark.parametrize("kind", ["error", "error_after"])
@pytest.mark.parametrize("stored", ["answer", "nothing"])
def test_i4_a_failing_provider_is_a_502_and_the_retry_charges_once(
    world: World, kind: str, stored: str
) -> None:
    customer = customer_with_card(world)
    world.stripe.fault(kind, path=f"{INTENTS}$", method="POST", stored=stored)
    assert world.charge(customer, key="k").refused() == PROVIDER_DOWN
    payment_id = the_charge(world)["id"]
    answer = world.charge(customer, key="k")
    assert_charged_once(world, answer)
    assert answer.data["id"] == payment_id
    assert "idempotent-replayed" not in answer.headers
    replayed = world.charge(customer, key="k")
    assert replayed.headers["idempotent-replayed"] == "true"
    assert replayed.data == answer.data


def test_a_connection_that_is_lost_after_the_charge_is_asked_again(world: World) -> None:
    customer = customer_with_card(world)
    world.stripe.fault("drop", path=f"{INTENTS}$", method="POST")
    assert world.charge(customer, key="k").refused() == PROVIDER_DOWN
    assert_charged_once(world, world.charge(customer, key="k"))


@pytest.mark.parametrize("skip", [1, 2])
def test_a_crash_is_finished_by_the_retry(world: World, skip: int) -> None:
    customer = customer_with_card(world)
    world.aws.fail_once("write", skip=skip)
    assert world.charge(customer, key="k").status == 500
    world.pass_time(seconds=40)
    assert_charged_once(world, world.charge(customer, key="k"))


def test_a_crash_without_a_key_is_finished_by_stripes_webhook(world: World) -> None:
    customer = customer_with_card(world)
    world.aws.fail_once("write", skip=2)
    assert world.charge(customer).status == 500
    assert the_charge(world)["status"] == "pending"
    world.deliver(world.provider_event("payment_intent.succeeded"))
    data = world.payment(the_charge(world)["id"])
    assert (data["status"], data["amountTotal"]) == ("succeeded", 1785)
    world.issue_invoices()
    assert world.payment(data["id"])["invoiceId"] is not None
    assert world.events_of(data["id"]) == []


def test_a_charge_that_was_never_asked_for_ends_with_the_sweep(world: World) -> None:
    customer = customer_with_card(world)
    world.aws.fail_once("write", skip=1)
    assert world.charge(customer).status == 500
    charged = the_charge(world)
    world.sweep(datetime.fromisoformat(charged["created_at"]) + timedelta(hours=24))
    assert world.payment(charged["id"])["status"] == "pending"
    world.sweep(datetime.fromisoformat(charged["created_at"]) + timedelta(hours=26))
    found = world.payment(charged["id"])
    assert (found["status"], found["failureCode"]) == ("failed", "charge_not_completed")
    assert "due_shard" not in the_charge(world)
    assert intents(world) == []


def test_a_second_charge_while_one_runs_is_a_conflict(world: World) -> None:
    customer = customer_with_card(world)
    running: list[bool] = []
    refused: list[tuple[int, str, str]] = []

    def meanwhile(parameters: dict[str, Any]) -> bool:
        if not running and "taxcalc_" in str(parameters):
            running.append(True)
            refused.append(world.charge(customer, key="l").refused())
        return False

    world.aws.fail_once("write", matching=meanwhile)
    answer = world.charge(customer, key="k")
    world.aws.failures.clear()
    assert refused == [(409, "conflict_error", "charge_in_progress")]
    assert_charged_once(world, answer)
    assert world.charge(customer, key="m").status == 201


def test_without_an_address_tax_cannot_be_calculated_and_nothing_is_charged(world: World) -> None:
    customer = customer_with_card(world)
    item = item_of(world, customer)
    world.stripe.api(
        world.seller.stripe_key,
        "POST",
        f"/v1/customers/{item['provider_customer_id']}",
        address="",
    )
    world.aws.dynamodb.update_item(
        TableName="paylink-test-table",
        Key={"pk": {"S": item["pk"]}, "sk": {"S": "CUSTOMER"}},
        UpdateExpression="REMOVE address",
    )
    answer = world.charge(customer)
    assert answer.refused() == (402, "billing_error", "payment_failed")
    assert answer.error["details"]["code"] == "customer_tax_location_invalid"
    assert "tax" in answer.error["message"]
    assert world.payment(answer.error["details"]["paymentId"])["status"] == "failed"
    assert intents(world) == []


def test_an_address_that_only_we_know_is_enough(world: World) -> None:
    customer = customer_with_card(world)
    item = item_of(world, customer)
    world.stripe.api(
        world.seller.stripe_key,
        "POST",
        f"/v1/customers/{item['provider_customer_id']}",
        address="",
    )
    assert world.charge(customer).data["amountTotal"] == 1785


def test_t5_a_business_elsewhere_in_the_eu_is_charged_without_tax(world: World) -> None:
    world.stripe.control(
        "POST",
        "accounts/acct_studio",
        {"tax_settings": {"head_office": {"country": "DE", "postal_code": "10969"}}},
    )
    buyer = Buyer(country="FR", postal="69001", vat="FR12345678901")
    customer = customer_with_card(world, buyer)
    data = world.charge(customer).data
    assert (data["taxAmount"], data["taxStatus"]) == (0, "final")
    world.issue_invoices()
    invoice = next(i for i in world.aws.items("INVOICE#") if i["payment_id"] == data["id"])
    assert [line["reason"] for line in invoice["tax_lines"]] == ["reverse_charge"]
    assert invoice["buyer"]["tax_ids"] == ["FR12345678901"]


def test_a_bank_debit_is_processing_until_the_bank_answers(world: World) -> None:
    first = world.create()
    world.stripe.pay_by_debit(world.checkout_url(first["id"]))
    world.deliver_everything()
    session = world.stripe.sessions(world.seller.stripe_key)[0]
    world.stripe.settle_debit(session["payment_intent"])
    world.deliver_everything()
    customer = str(world.payment(first["id"])["customerId"])
    settles, bounces = (world.charge(customer).data for _ in range(2))
    assert (settles["status"], settles["paidAt"]) == ("processing", None)
    (one,), (two,) = intents(world, settles["id"]), intents(world, bounces["id"])
    world.stripe.settle_debit(one["id"])
    world.stripe.bounce_debit(two["id"])
    world.deliver_everything()
    assert world.payment(settles["id"])["status"] == "succeeded"
    found = world.payment(bounces["id"])
    assert (found["status"], found["failureCode"] is not None) == ("failed", True)
    assert [i["status"] for i in intents(world, bounces["id"])] == ["canceled"]
    world.deliver_everything()
    world.issue_invoices()
    assert world.payment(settles["id"])["invoiceId"] is not None
    assert world.payment(bounces["id"])["status"] == "failed"


def test_a_charge_cannot_be_canceled(world: World) -> None:
    data = world.charge(customer_with_card(world)).data
    refused = (409, "conflict_error", "payment_not_cancelable")
    assert world.cancel(data["id"]).refused() == refused
