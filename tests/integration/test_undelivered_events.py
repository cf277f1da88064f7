"""News that never reach the webhook: the sweep's looks, and the list of undelivered events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from paylink.adapters.dynamodb.organizations import DynamoOrganizations
from paylink.adapters.dynamodb.table import Table
from paylink.adapters.stripe.webhook import EVENT_TYPES
from paylink.domain.organization import MODES
from tests.integration.aws import TABLE_NAME
from tests.integration.world import Seller, World, sample_event

NOW = datetime.fromisoformat("2026-11-25T12:00:00.123456+00:00")


def counts(**given: int) -> dict[str, int]:
    names = ("accounts", "handled", "ignored", "waiting", "given_up", "failed")
    return dict.fromkeys(names, 0) | given


def hear(world: World) -> dict[str, int]:
    heard: dict[str, int] = world.invoke("hear_undelivered", sample_event("hear_undelivered"))
    return heard


@pytest.fixture
def lost(world: World) -> World:
    """A world whose webhooks are never sent."""
    lose_webhooks(world, world.seller)
    return world


def lose_webhooks(world: World, seller: Seller) -> None:
    endpoint = {"url": "https://nobody.example/", "enabled_events[]": "*"}
    world.stripe.api(seller.stripe_key, "POST", "/v1/webhook_endpoints", **endpoint)
    world.stripe.control("POST", "webhooks/drop", {})


def refund_in_the_dashboard(world: World, payment: dict[str, Any], amount: int) -> None:
    item = world.aws.item(f"PAYMENT#{payment['id']}")
    intent = item["settlement"]["payment_intent_id"]
    world.stripe.control("POST", "refunds", {"payment_intent": intent, "amount": amount})


def requests(world: World) -> list[str]:
    return [f"{r['method']} {r['path']}" for r in world.stripe.requests()]


def test_a_paid_link_that_we_were_not_told_of_is_found_within_minutes(lost: World) -> None:
    payment = lost.create()
    assert lost.stripe.pay(lost.checkout_url(payment["id"])).status_code == 200
    lost.pass_time(minutes=16)
    assert lost.sweep(lost.clock())["settled"] == 1
    assert lost.payment(payment["id"])["status"] == "succeeded"
    lost.issue_invoices()
    assert lost.payment(payment["id"])["invoiceId"]
    assert "due_shard" not in lost.aws.item("PAYMENT#")


def test_w5_a_debit_whose_end_we_were_not_told_of_is_found(lost: World) -> None:
    payment = lost.create()
    lost.stripe.pay_by_debit(lost.checkout_url(payment["id"]))
    lost.pass_time(minutes=16)
    assert lost.sweep(lost.clock())["settled"] == 1
    assert lost.payment(payment["id"])["status"] == "processing"
    intent = lost.provider_event("payment_intent.processing")["data"]["object"]["id"]
    lost.stripe.settle_debit(intent)
    lost.pass_time(hours=25)
    assert lost.sweep(lost.clock())["settled"] == 1
    assert lost.payment(payment["id"])["status"] == "succeeded"


def test_nothing_is_asked_of_stripe_before_a_look_is_due_nor_once_it_is_paid(world: World) -> None:
    world.paid()
    world.create()
    world.stripe.forget_requests()
    world.pass_time(minutes=14)
    world.sweep(world.clock())
    assert requests(world) == []
    world.pass_time(minutes=2)
    assert world.sweep(world.clock())["checked"] == 1
    assert len(requests(world)) == 1


def test_a_refund_of_the_dashboard_that_we_were_not_told_of_is_recorded(world: World) -> None:
    payment = world.paid()
    lose_webhooks(world, world.seller)
    refund_in_the_dashboard(world, payment, 100)
    refund_in_the_dashboard(world, payment, 200)
    heard = hear(world)
    assert (heard["accounts"], heard["handled"] > 0, heard["waiting"]) == (1, True, 0)
    assert world.payment(payment["id"])["amountRefunded"] == 300
    assert world.events_of(payment["id"]).count("payment.refunded") == 2
    world.pass_time(minutes=30)
    hear(world)
    world.pass_time(minutes=30)
    world.stripe.forget_requests()
    assert hear(world) == counts(accounts=1)
    assert requests(world) == ["GET /v1/events"]


def test_a_payment_is_settled_by_its_undelivered_events(lost: World) -> None:
    payment = lost.create()
    lost.stripe.pay(lost.checkout_url(payment["id"]))
    assert hear(lost)["handled"] > 0
    assert lost.payment(payment["id"])["status"] == "succeeded"
    assert lost.events_of(payment["id"]) == ["payment.created", "payment.succeeded"]


def test_events_that_were_delivered_are_not_asked_about(world: World) -> None:
    world.paid()  # nobody is subscribed, so nothing is undelivered
    assert hear(world) == counts(accounts=1)


def test_many_pages_of_events_are_heard_and_others_sales_ignored(world: World) -> None:
    payment = world.paid()
    lose_webhooks(world, world.seller)
    refund_in_the_dashboard(world, payment, 1)
    sale = {"amount": "100", "currency": "eur", "payment_method": "pm_card_visa", "confirm": "true"}
    sale |= {"automatic_payment_methods[enabled]": "true"}
    sale |= {"automatic_payment_methods[allow_redirects]": "never"}
    for _ in range(101):
        world.stripe.api(world.seller.stripe_key, "POST", "/v1/payment_intents", **sale)
    world.stripe.forget_requests()
    assert hear(world) == counts(accounts=1, handled=2, ignored=101)
    assert requests(world).count("GET /v1/events") == 2
    assert world.payment(payment["id"])["amountRefunded"] == 1


def test_while_stripe_fails_nothing_is_taken_for_heard(lost: World) -> None:
    payment = lost.create()
    lost.stripe.pay(lost.checkout_url(payment["id"]))
    lost.stripe.fault("error", path="/v1/events", status=500, count=2)
    assert hear(lost) == counts(failed=1)
    lost.stripe.fault("error", path="/v1/checkout/sessions/.*", status=500, count=20)
    waited = hear(lost)
    assert (waited["handled"], waited["waiting"] > 0) == (0, True)
    lost.stripe.control("DELETE", "faults")
    assert hear(lost)["waiting"] == 0
    assert lost.payment(payment["id"])["status"] == "succeeded"


def test_sandbox_and_live_are_heard_apart(lost: World) -> None:
    live = lost.add_mode(lost.seller.organization_id, "studio", "live")
    lose_webhooks(lost, live)
    sandbox_link, live_link = lost.create(), lost.create(seller=live)
    for seller, link in ((lost.seller, sandbox_link), (live, live_link)):
        session = lost.stripe.sessions(seller.stripe_key)[0]
        assert session["client_reference_id"] == link["id"]
        lost.stripe.pay(session["url"])
    assert hear(lost)["accounts"] == 2
    assert lost.payment(sandbox_link["id"])["status"] == "succeeded"
    assert lost.payment(live_link["id"], live)["status"] == "succeeded"
    assert lost.get_payment(live_link["id"]).status == 404
    modes = {t["mode"] for t in lost.aws.items("TRANSACTION#")}
    assert modes == {"sandbox", "live"}


def test_an_account_is_heard_from_when_its_secrets_were_set(world: World) -> None:
    organizations = DynamoOrganizations(Table(world.aws.dynamodb, TABLE_NAME))
    owner = (world.seller.organization_id, "sandbox")
    ((since, known),) = organizations.accounts()
    assert known == owner
    world.operator("organizations", "create", "--name", "Without Stripe")
    world.add_mode(world.seller.organization_id, "studio", "sandbox")  # secrets are rotated
    assert organizations.accounts() == [(since, owner)]
    world.add_mode(world.seller.organization_id, "studio", "live")
    assert [account for _, account in organizations.accounts()] == [
        (world.seller.organization_id, "live"),
        owner,
    ]


def test_how_far_an_account_was_heard_belongs_to_its_mode(world: World) -> None:
    organizations = DynamoOrganizations(Table(world.aws.dynamodb, TABLE_NAME))
    for mode in MODES:
        organizations.add_account(("org_a", mode), NOW)
    organizations.note_heard(("org_a", "live"), NOW + timedelta(hours=1))
    heard = {owner: until for until, owner in organizations.accounts()}
    assert heard["org_a", "live"] == NOW + timedelta(hours=1)
    assert heard["org_a", "sandbox"] == NOW
    assert organizations.get("org_a") is None


def test_stripe_takes_all_our_event_types_in_one_question() -> None:
    assert len(EVENT_TYPES) <= 20


# The operator's command.


def test_the_operator_has_one_payment_looked_into(lost: World) -> None:
    payment = lost.create()
    lost.stripe.pay(lost.checkout_url(payment["id"]))
    found = lost.operator("payments", "reconcile", payment["id"])
    assert found == {
        "id": payment["id"], "statusBefore": "pending", "status": "succeeded", "amountRefunded": 0,
    }  # fmt: skip
    refund_in_the_dashboard(lost, payment, 100)
    assert lost.operator("payments", "reconcile", payment["id"])["amountRefunded"] == 100


def test_the_operator_is_told_what_is_not_there_or_not_known(
    lost: World, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.integration.test_operators_command import refused

    assert "no payment pay_x" in refused(lost, capsys, "payments", "reconcile", "pay_x")
    payment = lost.create()
    lost.stripe.fault("error", path="/v1/checkout/sessions/.*", status=500, count=2)
    assert "provider" in refused(lost, capsys, "payments", "reconcile", payment["id"])
    assert lost.payment(payment["id"])["status"] == "pending"
