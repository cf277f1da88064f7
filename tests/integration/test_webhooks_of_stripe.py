"""The webhook: what is believed, what is ignored, and what one payment's events lead to."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from paylink import bootstrap
from paylink.domain.payment import cancel, paying_transaction_id
from paylink.operator.stripe_account import STRIPE_SECRET_KEY, STRIPE_WEBHOOK_SECRETS
from paylink.ports import Commit
from tests.integration.stripe_driver import (
    ASKS_3DS,
    CARD,
    DECLINED,
    INSUFFICIENT,
    Buyer,
    signature,
    webhook_body,
)
from tests.integration.world import World, altered, http_event

COMPLETED = "checkout.session.completed"


def bought(world: World, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A payment whose buyer has paid, no webhook delivered yet; and the event that says so."""
    payment = world.create()
    assert world.stripe.pay(world.checkout_url(payment["id"]), **how).status_code == 200
    return payment, world.provider_event(COMPLETED)


def status_of(world: World, payment: dict[str, Any]) -> str:
    return str(world.payment(payment["id"])["status"])


# -- the signature


def test_a_success_is_settled_with_everything_that_belongs_to_it(world: World) -> None:
    payment, event = bought(world, buyer=Buyer(vat=""))
    assert world.dispatch()[-1]["detail-type"] == "payment.created"
    answer = world.deliver(event)
    assert (answer.status, answer.json) == (200, {"received": True, "outcome": "succeeded"})

    found = world.payment(payment["id"])
    assert (found["amountSubtotal"], found["taxAmount"], found["amountTotal"]) == (4900, 931, 5831)
    assert (found["status"], found["taxStatus"]) == ("succeeded", "final")
    assert found["paidAt"]
    assert found["failureCode"] is None
    assert found["invoiceId"] is None
    assert found["customerId"].startswith("cus_")

    item = world.aws.item("PAYMENT#")
    assert "due_shard" not in item
    assert "due_at" not in item
    assert [entry["status"] for entry in item["history"]] == ["pending", "succeeded"]

    transaction = world.aws.item("TRANSACTION#")
    assert transaction["payment_id"] == payment["id"]
    assert (transaction["status"], transaction["amount_subtotal"], transaction["tax_amount"]) == (
        "succeeded",
        4900,
        931,
    )
    assert transaction["customer_email"] == "buyer@customer.example"
    assert transaction["customer_name"] == "Bärbel Buyer"

    customer, method = world.aws.items("CUSTOMER#")
    partition = f"CUSTOMER#{world.seller.organization_id}#sandbox#{found['customerId']}"
    assert (customer["pk"], customer["sk"], method["pk"]) == (partition, "CUSTOMER", partition)
    assert customer["email"] == "buyer@customer.example"
    assert customer["address"] == {"country": "DE", "postal_code": "10115"}
    assert customer["provider_customer_id"].startswith("cus_")
    assert customer["default_payment_method"] == method["key"]
    assert (method["brand"], method["last4"], method["exp_month"], method["exp_year"]) == (
        "visa",
        "4242",
        12,
        2034,
    )
    assert "4242424242424242" not in json.dumps(world.aws.items(), default=str)

    intent = world.provider_event("payment_intent.succeeded")["data"]["object"]["id"]
    assert transaction["id"] == paying_transaction_id(
        world.seller.organization_id, "sandbox", intent
    )

    announced, attached = world.dispatch()
    assert announced["detail-type"] == "payment.succeeded"
    assert attached["detail-type"] == "payment_method.attached"
    assert attached["detail"]["data"] == {
        "customerId": found["customerId"],
        "type": "card",
        "card": {"brand": "visa", "last4": "4242", "expMonth": 12, "expYear": 2034},
    }
    data = announced["detail"]["data"]
    assert (data["paymentId"], data["amount"], data["customerId"]) == (
        payment["id"],
        5831,
        found["customerId"],
    )
    assert data["paymentTransactionId"] == transaction["id"]
    assert (data["paymentMethod"], data["subPaymentMethod"]) == ("card", "visa")


def test_every_item_says_whose_it_is_and_in_which_shape(world: World) -> None:
    world.paid()
    world.issue_invoices()
    world.create(key="k")
    for item in world.aws.items():
        assert item["schema"] == 1, item["pk"]
        if not item["pk"].startswith(("ORGANIZATION#",)):
            assert item["organization_id"] == world.seller.organization_id, item["pk"]
            assert item["mode"] == "sandbox", item["pk"]


def test_w6_the_raw_bytes_are_what_is_signed(world: World) -> None:
    payment, event = bought(world)
    odd = json.dumps(event, indent=7, separators=(" ,", " :  "), ensure_ascii=True) + "\n"
    assert "\\u00e4" in odd
    body = odd.encode()
    header = signature(body, world.seller.webhook_secret, int(world.clock().timestamp()))
    redumped = json.dumps(json.loads(odd)).encode()
    assert world.deliver(redumped, header=header).status == 400
    assert status_of(world, payment) == "pending"
    assert world.deliver(body, header=header).status == 200
    assert world.deliver(body, header=header, base64_body=True).status == 200
    assert status_of(world, payment) == "succeeded"


def test_w6_a_base64_body_alone_is_enough(world: World) -> None:
    payment, event = bought(world)
    assert world.deliver(webhook_body(event) + b"\n", base64_body=True).status == 200
    assert status_of(world, payment) == "succeeded"


@pytest.mark.parametrize("age", [-290, 0, 290])
def test_a_signature_near_now_is_taken(world: World, age: float) -> None:
    _, event = bought(world)
    assert world.deliver(event, age=age).json["outcome"] == "succeeded"


OTHER_TIMES: list[Any] = [-310, 310, 86400, -86400 * 365]


def test_a_signature_of_another_time_is_refused(world: World, subtests: pytest.Subtests) -> None:
    payment, event = bought(world)
    for age in OTHER_TIMES:
        with subtests.test(case=repr(age)[:60]):
            answer = world.deliver(event, age=age)
            assert answer.refused() == (400, "validation_error", "validation_error")
            assert status_of(world, payment) == "pending"


HEADERS = [
    "",
    "garbage",
    "t=,v1=",
    "t=abc,v1=00",
    "v1=" + "0" * 64,
    "t={now}",
    "t={now},v0={good}",
    "t={now},v1=" + "0" * 64,
    "t={now},v1={good}0",
    "t={now},v1=ÿ",
    "t={now}, v1={good}",
    "t=" + "9" * 30 + ",v1={good}",
    "t=-{now},v1={good}",
    "t=0,t={now},v1={good}",
    "t={now}," + "v1=0," * 3000 + "v1={good}",
    "t={now},v1={good}\n",
]


def test_hostile_signatures_are_refused(world: World, subtests: pytest.Subtests) -> None:
    payment, event = bought(world)
    body = webhook_body(event)
    now = int(world.clock().timestamp())
    good = signature(body, world.seller.webhook_secret, now).partition("v1=")[2]
    for pattern in HEADERS:
        with subtests.test(case=repr(pattern)[:60]):
            header = pattern.replace("{now}", str(now)).replace("{good}", good)
            answer = world.deliver(body, header=header)
            assert answer.refused() == (400, "validation_error", "validation_error")
            assert status_of(world, payment) == "pending"


def test_without_a_signature_nothing_is_believed(world: World) -> None:
    payment, event = bought(world)
    raw = http_event(
        "stripe_webhook",
        body=webhook_body(event),
        parameters={"organizationId": world.seller.organization_id, "mode": "sandbox"},
    )
    del raw["headers"]["stripe-signature"]
    assert world.http("stripe_webhook", raw).status == 400
    assert status_of(world, payment) == "pending"


def test_both_secrets_of_a_rotation_are_good_and_no_other(world: World) -> None:
    payment, event = bought(world)
    assert world.deliver(event, secret="whsec_unknown").status == 400
    assert world.deliver(event, secret="").status == 400
    assert status_of(world, payment) == "pending"
    assert world.deliver(event, secret="whsec_oldstudio").status == 200
    assert status_of(world, payment) == "succeeded"


def test_a_header_of_a_rotation_has_both_signatures(world: World) -> None:
    _, event = bought(world)
    body, now = webhook_body(event), int(world.clock().timestamp())
    right = signature(body, world.seller.webhook_secret, now).partition(",")[2]
    assert world.deliver(body, header=f"t={now},v1={'0' * 64},{right}").status == 200


RUBBISH: list[Any] = ["", "null", "[]", "1", "{", "\xff", "[" * 50_000, '{"id": 1}', "{}"]


def test_signed_rubbish_is_no_server_error(world: World, subtests: pytest.Subtests) -> None:
    for text in RUBBISH:
        with subtests.test(case=repr(text)[:60]):
            body = text.encode("latin-1")
            answer = world.deliver(body, base64_body=True)
            assert answer.status in {200, 400}
            if text in {'{"id": 1}', "{}"}:
                assert answer.json["outcome"].startswith("ignored")


ODD_SHAPES: list[Any] = [
    {"data": None},
    {"data": {"object": None}},
    {"data": {"object": {"metadata": [], "id": 7}}},
    {"data": {"object": {"metadata": None, "payment_intent": {"id": None}}}},
    {"type": None},
    {"type": ["x"]},
    {"id": None},
    {"livemode": "false"},
    {"api_version": "2015-01-01"},
]


def test_events_of_odd_shapes_are_no_server_error(world: World, subtests: pytest.Subtests) -> None:
    _, event = bought(world)
    for change in ODD_SHAPES:
        with subtests.test(case=repr(change)[:60]):
            answer = world.deliver({**event, **change})
            assert answer.status == 200


# -- whose event it is


HOSTILE_PATHS: list[Any] = [
    ("org_unknown", "sandbox"),
    ("{own}", "live"),
    ("{own}", "test"),
    ("{own}", "SANDBOX"),
    ("{own}", ""),
    ("", "sandbox"),
    ("../{own}", "sandbox"),
    ("{own}/sandbox/..", "sandbox"),
    ("org_\u0660", "sandbox"),
    ("org_" + "x" * 5000, "sandbox"),
    ("{own}\n", "sandbox"),
    ("*", "*"),
]


def test_hostile_paths_are_not_found(world: World, subtests: pytest.Subtests) -> None:
    payment, event = bought(world)
    for path in HOSTILE_PATHS:
        with subtests.test(case=repr(path)[:60]):
            real = (path[0].replace("{own}", world.seller.organization_id), path[1])
            answer = world.deliver(event, path=real)
            assert answer.refused() == (404, "not_found_error", "not_found")
            assert status_of(world, payment) == "pending"


def test_w10_an_organizations_event_cannot_move_anothers_payment(world: World) -> None:
    payment, event = bought(world)
    other = world.new_seller("Other Ltd", "other")
    answer = world.deliver(event, seller=other)
    assert answer.status == 200
    assert answer.json["outcome"].startswith("ignored")
    forged = altered(
        event,
        metadata={**event["data"]["object"]["metadata"], "organization_id": other.organization_id},
    )
    answer = world.deliver(forged, seller=other)
    assert answer.status == 200
    assert answer.json["outcome"].startswith("ignored")
    assert status_of(world, payment) == "pending"


def test_w10_a_forged_payment_id_settles_nothing(world: World) -> None:
    """Somebody with the account's key marks a cheap checkout with the id of a dear payment."""
    dear = world.create({"amount": 99_000})
    cheap, event = bought(world)
    marks = {**event["data"]["object"]["metadata"], "payment_id": dear["id"]}
    answer = world.deliver(altered(event, metadata=marks))
    assert answer.status == 200
    assert answer.json["outcome"].startswith("refused")
    assert status_of(world, dear) == "pending"
    assert status_of(world, cheap) == "pending"


def test_w10_a_paid_checkout_of_the_same_amount_pays_no_other_payment(world: World) -> None:
    """Amount and currency agree, yet it isn't a session that was made for this payment."""
    other = world.create()
    mine, event = bought(world)
    before = world.aws.items()
    marks = {**event["data"]["object"]["metadata"], "payment_id": other["id"]}
    answer = world.deliver(altered(event, metadata=marks))
    assert answer.status == 200
    assert answer.json["outcome"].startswith("refused")
    assert world.aws.items() == before
    assert (status_of(world, other), status_of(world, mine)) == ("pending", "pending")


def test_the_provider_is_asked_and_not_the_event_believed(world: World) -> None:
    """Even a correctly signed event can't make an unpaid session paid."""
    payment, _ = bought(world)
    unpaid = world.create()
    event = world.provider_event(COMPLETED)
    (session,) = [
        s
        for s in world.stripe.sessions(world.seller.stripe_key)
        if s["client_reference_id"] == unpaid["id"]
    ]
    forged = {
        **event,
        "data": {"object": {**session, "payment_status": "paid", "status": "complete"}},
    }
    assert world.deliver(forged).json["outcome"] == "pending"
    assert status_of(world, unpaid) == "pending"
    assert status_of(world, payment) == "pending"


def test_w10_another_deployments_event_is_ignored(world: World) -> None:
    payment, event = bought(world)
    marks = {**event["data"]["object"]["metadata"], "deployment_id": "paylink-other-00000000"}
    world.stripe.forget_requests()
    answer = world.deliver(altered(event, metadata=marks))
    assert answer.status == 200
    assert answer.json["outcome"].startswith("ignored")
    assert status_of(world, payment) == "pending"
    assert world.stripe.requests() == []


def test_w10_a_strangers_checkout_on_the_account_is_ignored(world: World) -> None:
    _, event = bought(world)
    before = world.aws.items()
    for metadata in ({}, {"payment_id": "their own"}, {"order": "7"}):
        stranger = altered(
            event, id="cs_test_theirs", metadata=metadata, payment_intent="pi_theirs"
        )
        answer = world.deliver(stranger)
        assert answer.status == 200
        assert answer.json["outcome"].startswith("ignored")
    assert world.aws.items() == before


def test_w10_an_event_of_ours_before_our_write_must_come_again(world: World) -> None:
    payment, event = bought(world)
    marks = {**event["data"]["object"]["metadata"], "payment_id": "pay_notyetvisible"}
    assert world.deliver(altered(event, metadata=marks)).status == 503
    assert world.deliver(event).status == 200
    assert status_of(world, payment) == "succeeded"


def test_w10_a_payment_whose_session_is_not_yet_recorded_must_come_again(world: World) -> None:
    """The buyer was faster than our own second write, or that write crashed."""
    world.aws.fail_once("write", skip=1)
    assert world.post_payment(key="k").status == 500
    (session,) = world.stripe.sessions(world.seller.stripe_key)
    assert world.stripe.pay(session["url"]).status_code == 200
    event = world.provider_event(COMPLETED)
    assert world.deliver(event).status == 503
    assert world.aws.items("PAYMENT#") == []
    world.pass_time(seconds=40)
    made = world.post_payment(key="k")
    assert world.deliver(event).status == 200
    assert status_of(world, made.data) == "succeeded"


def test_a_session_whose_link_was_never_made_ends_without_a_word(world: World) -> None:
    """Its maker crashed and nobody asked again: that is no reason for Stripe to tell for days."""
    world.aws.fail_once("write", skip=1)
    assert world.post_payment(key="k").status == 500
    world.pass_time(hours=25)
    ended = world.deliver(world.provider_event("checkout.session.expired"))
    assert (ended.status, ended.json["outcome"]) == (200, "ignored: its link was never made")


@pytest.mark.parametrize("livemode", [True, False])
def test_w11_the_other_modes_event_changes_nothing(world: World, livemode: bool) -> None:
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    seller = world.seller if livemode else live
    payment, event = bought(world)
    answer = world.deliver({**event, "livemode": livemode}, seller=seller)
    assert answer.status == 200
    assert answer.json["outcome"].startswith("ignored")
    assert status_of(world, payment) == "pending"


def test_d4_a_very_large_event_is_read(world: World) -> None:
    payment, event = bought(world)
    body = webhook_body({**event, "padding": ["x" * 1000] * 500})
    assert len(body) > 500_000
    assert world.deliver(body).status == 200
    assert status_of(world, payment) == "succeeded"


def test_events_that_are_not_about_money_are_ignored(world: World) -> None:
    bought(world)
    before = world.aws.items()
    for event in world.stripe.events(world.seller.stripe_key):
        if event["type"] not in {COMPLETED, "payment_intent.succeeded"}:
            assert world.deliver(event).json["outcome"].startswith("ignored")
    assert world.aws.items() == before


# -- repeated, out of order, interrupted


def test_w1_ten_copies_and_a_second_type_are_one_of_everything(world: World) -> None:
    payment, event = bought(world)
    for _ in range(5):
        assert world.deliver(event).status == 200
        assert world.deliver(world.provider_event("payment_intent.succeeded")).status == 200
    assert world.deliver({**event, "id": "evt_another_of_the_same"}).status == 200
    assert status_of(world, payment) == "succeeded"
    assert world.events_of(payment["id"]) == ["payment.created", "payment.succeeded"]
    assert len(world.aws.items("TRANSACTION#")) == 1
    assert len([i for i in world.aws.items("CUSTOMER#") if i["sk"] != "CUSTOMER"]) == 1
    assert len(world.aws.items("CUSTOMER#")) == 2


def test_w9_an_intents_event_alone_is_enough(world: World) -> None:
    """It has neither session nor tax nor card; what is missing is fetched."""
    payment, _ = bought(world)
    assert world.deliver(world.provider_event("payment_intent.succeeded")).status == 200
    found = world.payment(payment["id"])
    assert (found["status"], found["taxAmount"]) == ("succeeded", 931)


@pytest.mark.parametrize("form", ["null", "expanded"])
def test_w9_the_session_event_in_any_form(world: World, form: str) -> None:
    payment, event = bought(world)
    intent = event["data"]["object"]["payment_intent"]
    expanded = world.stripe.api(world.seller.stripe_key, "GET", f"/v1/payment_intents/{intent}")
    other = altered(event, payment_intent=None if form == "null" else expanded)
    assert world.deliver({**other, "api_version": "2020-08-27"}).status == 200
    assert status_of(world, payment) == "succeeded"


CRASHES = [
    ("GetItem", False),
    ("TransactWriteItems", False),
    ("TransactWriteItems", True),
    ("GetParameter", False),
]


@pytest.mark.parametrize(("operation", "after"), CRASHES)
def test_w2_a_crash_is_made_good_by_the_next_delivery(
    world: World, operation: str, after: bool
) -> None:
    payment, event = bought(world)
    world.dispatch()
    world.new_container()
    world.aws.fail_once(operation, after=after)
    assert world.deliver(event).status >= 500
    assert world.aws.failures == []
    assert (status_of(world, payment) == "succeeded") is after
    assert world.deliver(event).status == 200
    assert status_of(world, payment) == "succeeded"
    assert world.events_of(payment["id"]) == ["payment.succeeded"]
    assert len(world.aws.items("TRANSACTION#")) == 1
    assert len(world.aws.items("CUSTOMER#")) == 2


def test_w2_a_provider_that_does_not_answer_is_no_200(world: World) -> None:
    payment, event = bought(world)
    world.stripe.fault(
        "error", path="/v1/checkout/sessions/", status=500, count=3, stored="nothing"
    )
    assert world.deliver(event).status >= 500
    world.stripe.control("DELETE", "faults")
    assert world.deliver(event).status == 200
    assert status_of(world, payment) == "succeeded"


@pytest.mark.parametrize("conflicts", [1, 4])
def test_d3_conflicts_with_other_writers_are_tried_again(world: World, conflicts: int) -> None:
    payment, event = bought(world)
    for _ in range(conflicts):
        world.aws.fail_once("TransactWriteItems", "TransactionInProgressException")
    assert world.deliver(event).status == 200
    assert status_of(world, payment) == "succeeded"


def test_d3_a_table_that_stays_busy_is_a_5xx(world: World) -> None:
    payment, event = bought(world)
    for _ in range(40):
        world.aws.fail_once("TransactWriteItems", "TransactionInProgressException")
    assert world.deliver(event).status == 503
    world.aws.failures.clear()
    assert world.deliver(event).status == 200
    assert status_of(world, payment) == "succeeded"


def test_w3_a_failure_after_the_success_changes_nothing(world: World) -> None:
    payment = world.create()
    url = world.checkout_url(payment["id"])
    assert world.stripe.pay(url, DECLINED).status_code == 402
    assert world.stripe.pay(url, CARD).status_code == 200
    failed = world.provider_event("payment_intent.payment_failed")
    assert world.deliver(world.provider_event(COMPLETED)).json["outcome"] == "succeeded"
    assert world.deliver(failed).json["outcome"] == "succeeded"
    assert world.deliver(world.provider_event("payment_intent.succeeded")).status == 200
    found = world.payment(payment["id"])
    assert (found["status"], found["failureCode"]) == ("succeeded", None)
    assert world.events_of(payment["id"]) == ["payment.created", "payment.succeeded"]


def test_w4_declined_and_then_paid_on_the_same_link(world: World) -> None:
    payment = world.create()
    url = world.checkout_url(payment["id"])
    assert world.stripe.pay(url, DECLINED).status_code == 402
    world.deliver_everything()
    failed = world.payment(payment["id"])
    assert (failed["status"], failed["failureCode"]) == ("failed", "card_declined")
    assert failed["failureMessage"] == "Your card was declined."
    assert failed["invoiceId"] is None
    assert world.aws.item("PAYMENT#")["due_shard"]
    assert world.stripe.pay(url, INSUFFICIENT).status_code == 402
    world.deliver_everything()
    assert world.stripe.pay(url, CARD).status_code == 200
    world.deliver_everything()
    found = world.payment(payment["id"])
    assert (found["status"], found["failureCode"], found["failureMessage"]) == (
        "succeeded",
        None,
        None,
    )
    statuses = sorted(item["status"] for item in world.aws.items("TRANSACTION#"))
    assert statuses == ["failed", "failed", "succeeded"]
    assert world.events_of(payment["id"]) == [
        "payment.created",
        "payment.failed",
        "payment.failed",
        "payment.succeeded",
    ]


def test_a_decline_told_twice_is_one_failure(world: World) -> None:
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]), DECLINED)
    for _ in range(3):
        world.deliver_everything()
    assert world.events_of(payment["id"]) == ["payment.created", "payment.failed"]
    assert len(world.aws.items("TRANSACTION#")) == 1


def test_a_refused_authentication_is_a_failure_and_an_approved_one_a_success(world: World) -> None:
    payment = world.create()
    url = world.checkout_url(payment["id"])
    world.stripe.pay(url, ASKS_3DS)
    world.deliver_everything()
    assert status_of(world, payment) == "requires_action"
    world.stripe.answer_3ds(url, "refuse")
    world.deliver_everything()
    found = world.payment(payment["id"])
    assert (found["status"], found["failureCode"]) == (
        "failed",
        "payment_intent_authentication_failure",
    )
    world.stripe.pay(url, ASKS_3DS)
    world.deliver_everything()
    assert status_of(world, payment) == "requires_action"
    world.stripe.answer_3ds(url, "approve")
    world.deliver_everything()
    assert status_of(world, payment) == "succeeded"
    assert world.events_of(payment["id"]) == [
        "payment.created",
        "payment.requires_action",
        "payment.failed",
        "payment.requires_action",
        "payment.succeeded",
    ]


def test_w5_a_bank_debit_settles_days_later(world: World) -> None:
    payment = world.create()
    world.stripe.pay_by_debit(world.checkout_url(payment["id"]))
    world.deliver_everything()
    assert status_of(world, payment) == "processing"
    intent = world.provider_event("payment_intent.processing")["data"]["object"]["id"]
    world.pass_time(days=40)
    swept = world.sweep(world.clock())
    assert (swept["canceled"], swept["settled"], swept["checked"]) == (0, 0, 1)
    assert status_of(world, payment) == "processing"
    world.issue_invoices()
    assert world.aws.items("NUMBERS#") == []
    world.stripe.settle_debit(intent)
    world.deliver_everything()
    assert status_of(world, payment) == "succeeded"
    world.issue_invoices()
    assert world.payment(payment["id"])["invoiceId"]
    transaction = world.aws.item("TRANSACTION#")
    assert transaction["payment_method"]["type"] == "sepa_debit"


def test_w5_a_bank_debit_bounces_and_the_link_can_be_paid_otherwise(world: World) -> None:
    payment = world.create()
    world.stripe.pay_by_debit(world.checkout_url(payment["id"]))
    world.deliver_everything()
    intent = world.provider_event("payment_intent.processing")["data"]["object"]["id"]
    world.stripe.bounce_debit(intent)
    world.deliver_everything()
    found = world.payment(payment["id"])
    assert (found["status"], bool(found["failureCode"])) == ("failed", True)
    assert world.open_link(payment["id"]).status == 200
    answer = world.press_continue(payment["id"])
    assert answer.status == 303
    assert world.stripe.pay(answer.headers["location"]).status_code == 200
    world.deliver_everything()
    assert status_of(world, payment) == "succeeded"
    assert world.events_of(payment["id"]) == [
        "payment.created",
        "payment.processing",
        "payment.failed",
        "payment.succeeded",
    ]


def test_w4_the_first_tries_failure_while_the_second_is_processing(world: World) -> None:
    payment = world.create()
    url = world.checkout_url(payment["id"])
    world.stripe.pay(url, DECLINED)
    failed = world.provider_event("payment_intent.payment_failed")
    world.stripe.pay_by_debit(url)
    assert world.deliver(world.provider_event(COMPLETED)).json["outcome"] == "processing"
    assert world.deliver(failed).json["outcome"] == "processing"
    assert status_of(world, payment) == "processing"
    assert world.events_of(payment["id"]) == ["payment.created", "payment.processing"]


def test_events_in_reverse_order_end_the_same(world: World) -> None:
    payment = world.create()
    url = world.checkout_url(payment["id"])
    world.stripe.pay(url, DECLINED)
    world.stripe.pay(url, CARD)
    for event in reversed(world.provider_events()):
        assert world.deliver(event).status == 200
    assert status_of(world, payment) == "succeeded"
    assert world.events_of(payment["id"]) == ["payment.created", "payment.succeeded"]


def test_money_that_comes_after_the_cancellation_wins(world: World) -> None:
    """The sweep asked a moment too early: canceled by our clock, paid at the provider."""
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]))
    event = world.provider_event(COMPLETED)
    # As the sweep leaves it when it has seen the session before the buyer paid.
    found = bootstrap.payments().get(payment["id"])
    assert found is not None
    change = cancel(found, "expired", world.clock(), "sweep")
    bootstrap.payments().commit(Commit(change.after, change.events))
    assert status_of(world, payment) == "canceled"
    assert world.deliver(event).json["outcome"] == "succeeded"
    paid = world.payment(payment["id"])
    assert (paid["status"], paid["cancellationReason"]) == ("succeeded", None)


# -- customers and their cards


def test_r3_one_card_paid_twice_by_a_customer_is_one_item(world: World) -> None:
    first = world.paid()
    second = world.paid({"customerId": first["customerId"]})
    assert second["customerId"] == first["customerId"]
    customer, method = world.aws.items("CUSTOMER#")
    assert len(method["provider_ids"]) == 2
    assert customer["default_payment_method"] == method["key"]
    world.paid({"customerId": first["customerId"]}, card="5555 5555 5555 4444")
    assert len(world.aws.items("CUSTOMER#")) == 3


def test_r3_two_guests_with_one_address_are_two_customers(world: World) -> None:
    first, second = world.paid(), world.paid()
    assert first["customerId"] != second["customerId"]
    customers = [item for item in world.aws.items("CUSTOMER#") if item["sk"] == "CUSTOMER"]
    assert len(customers) == 2
    assert {item["email"] for item in customers} == {"buyer@customer.example"}
    assert len({item["provider_customer_id"] for item in customers}) == 2


def test_a_named_customers_data_are_not_overwritten_by_a_checkout(world: World) -> None:
    customer_id = world.paid()["customerId"]
    made = world.create({"customerId": customer_id})
    buyer = Buyer(
        email="other@customer.example", name="Somebody Else", country="FR", postal="75001"
    )
    world.stripe.pay(world.checkout_url(made["id"]), buyer=buyer)
    world.deliver_everything()
    (customer,) = [item for item in world.aws.items("CUSTOMER#") if item["sk"] == "CUSTOMER"]
    assert customer["email"] == "buyer@customer.example"
    assert customer["full_name"] == "Bärbel Buyer"
    assert customer["address"]["country"] == "DE"


def test_a_debit_is_not_vaulted_before_it_is_paid(world: World) -> None:
    payment = world.create()
    world.stripe.pay_by_debit(world.checkout_url(payment["id"]))
    world.deliver_everything()
    assert world.aws.items("CUSTOMER#") == []


@pytest.mark.parametrize(
    ("country", "postal", "vat", "tax", "status"),
    [
        ("FR", "75001", "", 980, "final"),
        ("FR", "75001", "FR12345678901", 0, "final"),
        ("CH", "8001", "", 0, "not_collecting"),
        ("US", "97201", "", 0, "not_collecting"),
    ],
)
def test_the_providers_tax_is_copied(
    world: World, country: str, postal: str, vat: str, tax: int, status: str
) -> None:
    made = world.create()
    buyer = Buyer(country=country, postal=postal, vat=vat)
    assert world.stripe.pay(world.checkout_url(made["id"]), buyer=buyer).status_code == 200
    world.deliver_everything()
    found = world.payment(made["id"])
    assert (found["taxAmount"], found["taxStatus"]) == (tax, status)
    assert found["amountTotal"] == found["amountSubtotal"] + tax


def test_m1_yen_go_the_whole_way(world: World) -> None:
    made = world.create({"amount": 500, "currency": "JPY"})
    buyer = Buyer(country="JP", postal="100-0001")
    assert world.stripe.pay(world.checkout_url(made["id"]), buyer=buyer).status_code == 200
    world.deliver_everything()
    found = world.payment(made["id"])
    assert (found["amountSubtotal"], found["taxAmount"], found["amountTotal"]) == (500, 50, 550)


def test_rotating_secrets_takes_effect_in_new_containers(world: World) -> None:
    payment, event = bought(world)
    os.environ[STRIPE_SECRET_KEY] = world.seller.stripe_key
    os.environ[STRIPE_WEBHOOK_SECRETS] = "whsec_new"
    world.operator("stripe", "set", world.seller.organization_id, "--mode", "sandbox")
    world.new_container()
    assert world.deliver(event).status == 400
    assert world.deliver(event, secret="whsec_new").status == 200
    assert status_of(world, payment) == "succeeded"


def test_strangers_do_not_make_the_parameter_store_busy(world: World) -> None:
    _, event = bought(world)
    for _ in range(5):
        answer = world.deliver(event, path=("org_nobody", "live"))
        assert answer.status == 404
    asked = [p for operation, p in world.aws.calls if operation == "GetParameter"]
    assert len([p for p in asked if "org_nobody" in p["Name"]]) == 1
