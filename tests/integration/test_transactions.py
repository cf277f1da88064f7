"""Attempts to pay, as callers read them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.aws import TABLE_NAME
from tests.integration.stripe_driver import DECLINED, Buyer
from tests.integration.world import World, sample_event

MEMBERS = set(
    "id invoiceId grossAmount subtotal taxAmount presentmentAmount currency provider paymentMethod "
    "subPaymentMethod status customerEmail customerName paidAt createdAt updatedAt availableAt "
    "paymentContext object livemode paymentId failureCode failureMessage "
    "disputeStatus amountLost".split()
)


def test_a_paid_link_is_a_transaction(world: World) -> None:
    payment = world.paid()
    (listed,) = world.transactions().json["data"]
    found = world.get_transaction(listed["id"]).data
    assert found == listed
    assert set(found) == MEMBERS
    world.issue_invoices()
    assert found["invoiceId"] == world.payment(payment["id"])["invoiceId"]
    assert (found["subtotal"], found["taxAmount"], found["grossAmount"]) == (4900, 931, 5831)
    assert (found["status"], found["object"], found["livemode"]) == (
        "succeeded",
        "transaction",
        False,
    )
    assert (found["paymentMethod"], found["subPaymentMethod"]) == ("card", "visa")
    assert found["paidAt"] == payment["paidAt"]
    assert found["paymentContext"] == {
        "reason": "one_time_payment",
        "paymentLinkId": payment["id"],
        "recovery": None,
    }


def test_failed_attempts_are_listed_beside_the_one_that_paid(world: World) -> None:
    made = world.create()
    url = world.checkout_url(made["id"])
    world.stripe.pay(url, DECLINED)
    world.deliver_everything()
    world.stripe.pay(url)
    world.deliver_everything()
    newest, first = world.transactions().json["data"]
    assert (first["status"], newest["status"]) == ("failed", "succeeded")
    assert first["failureCode"] == "card_declined"
    assert first["invoiceId"] is None


def test_lists_are_filtered_and_paged(world: World) -> None:
    world.paid()
    made = world.create()
    world.stripe.pay(world.checkout_url(made["id"]), buyer=Buyer(email="Other@customer.example"))
    world.deliver_everything()
    emails = {"customerEmail": "other@CUSTOMER.example"}
    (found,) = world.transactions(emails).json["data"]
    assert found["customerEmail"] == "Other@customer.example"
    assert world.transactions({"status": "failed"}).json["data"] == []
    assert world.transactions({"status": "paid"}).refused()[0] == 400
    page = world.transactions({"limit": "1"}).json
    assert page["hasMore"]
    rest = world.transactions({"limit": "1", "cursor": page["nextCursor"]}).json
    assert {page["data"][0]["id"], rest["data"][0]["id"]} == {
        item["id"] for item in world.transactions().json["data"]
    }
    other = {"limit": "1", "cursor": page["nextCursor"], **emails}
    assert world.transactions(other).error["param"] == "cursor"


def test_what_is_another_modes_or_nobodys_is_not_found(world: World) -> None:
    world.paid()
    (found,) = world.transactions().json["data"]
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    not_found = (404, "not_found_error", "transaction_not_found")
    assert world.get_transaction(found["id"], live).refused() == not_found
    assert world.transactions(seller=live).json["data"] == []
    assert world.get_transaction("x" * 3000).refused() == not_found


def test_a_transaction_of_before_there_were_lists_is_still_read(world: World) -> None:
    world.paid()
    item = world.aws.item("TRANSACTION#")
    world.aws.dynamodb.update_item(
        TableName=TABLE_NAME,
        Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
        UpdateExpression="REMOVE list_key, list_sort",
    )
    assert world.get_transaction(item["id"]).data["status"] == "succeeded"
    assert world.transactions().json["data"] == []


def paid_transaction(world: World) -> tuple[str, str]:
    """The ids of a paid payment and of its transaction."""
    payment = world.paid()
    (found,) = world.transactions().json["data"]
    return payment["id"], found["id"]


def refunds_at_stripe(world: World) -> list[dict[str, Any]]:
    found = world.stripe.api(world.seller.stripe_key, "GET", "/v1/refunds", limit=100)
    refunds: list[dict[str, Any]] = found["data"]
    return refunds


def test_a_refund_is_made_once_per_key(world: World) -> None:
    payment_id, transaction_id = paid_transaction(world)
    body = {"amount": 1500, "reason": "requested_by_customer", "apiVersion": "ignored"}
    answer = world.refund(transaction_id, body, key="R")
    assert answer.status == 201, answer.text
    (made,) = refunds_at_stripe(world)
    assert set("id transactionId amount currency chargeId status reason".split()) <= set(
        answer.data
    )
    assert answer.data["transactionId"] == transaction_id
    assert (answer.data["amount"], answer.data["currency"]) == (1500, "eur")
    assert (answer.data["status"], answer.data["reason"]) == ("succeeded", body["reason"])
    assert answer.data["chargeId"] == made["charge"]
    assert made["metadata"]["refund_id"] == answer.data["id"]
    again = world.refund(transaction_id, body, key="R")
    assert (again.status, again.data) == (201, answer.data)
    assert again.headers["idempotent-replayed"] == "true"
    assert len(refunds_at_stripe(world)) == 1
    assert world.payment(payment_id)["amountRefunded"] == 1500
    assert world.get_transaction(transaction_id).data["status"] == "succeeded"
    assert world.events_of(payment_id)[-1] == "payment.refunded"
    assert world.refund(transaction_id, {"amount": 2}, key="R").refused()[2] == (
        "idempotency_key_mismatch"
    )
    world.pass_time(hours=25)
    assert world.refund(transaction_id, body, key="R").data["id"] == answer.data["id"]
    assert len(refunds_at_stripe(world)) == 1


def test_the_rest_goes_back_and_then_nothing_more(world: World) -> None:
    payment_id, transaction_id = paid_transaction(world)
    world.refund(transaction_id, {"amount": 831})
    too_much = world.refund(transaction_id, {"amount": 5001})
    assert too_much.refused() == (400, "validation_error", "validation_error")
    assert "5000" in too_much.error["message"]
    assert too_much.error["param"] == "amount"
    for amount in (0, -1, "10", True, 10.0, 1e3):
        assert world.refund(transaction_id, {"amount": amount}).status == 400
    assert world.refund(transaction_id).data["amount"] == 5000
    assert world.refund(transaction_id, {}).refused() == (409, "conflict_error", "duplicate")
    assert world.get_transaction(transaction_id).data["status"] == "refunded"
    assert world.payment(payment_id)["status"] == "succeeded"
    (listed,) = world.transactions({"status": "refunded"}).json["data"]
    assert listed["id"] == transaction_id


@pytest.mark.parametrize("kind", ["error", "error_after"])
@pytest.mark.parametrize("stored", ["answer", "result", "nothing"])
def test_a_refund_that_got_no_answer_is_not_made_twice(
    world: World, kind: str, stored: str
) -> None:
    payment_id, transaction_id = paid_transaction(world)
    world.stripe.fault(kind, path="/v1/refunds", method="POST", stored=stored)
    assert world.refund(transaction_id, {"amount": 500}, key="R").refused() == (
        502,
        "internal_error",
        "provider_unavailable",
    )
    world.stripe.control("DELETE", "faults")
    answer = world.refund(transaction_id, {"amount": 500}, key="R")
    assert answer.status == 201, answer.text
    assert [refund["amount"] for refund in refunds_at_stripe(world)] == [500]
    assert world.payment(payment_id)["amountRefunded"] == 500


def test_others_money_is_not_sent_back(world: World) -> None:
    _, transaction_id = paid_transaction(world)
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    assert world.refund(transaction_id, seller=live).refused()[2] == "transaction_not_found"
    assert refunds_at_stripe(world) == []


def refund_in_the_dashboard(world: World, amount: int, **members: Any) -> dict[str, Any]:
    (intent,) = {r["payment_intent_id"] for r in world.aws.items("TRANSACTION#")}
    made: dict[str, Any] = world.stripe.control(
        "POST",
        "refunds",
        {"account": "acct_studio", "payment_intent": intent, "amount": amount, **members},
    )
    return made


def refund_events(world: World) -> list[dict[str, Any]]:
    return world.provider_events(
        "refund.created", "refund.updated", "refund.failed", "charge.refunded"
    )


def deliver(world: World, *events: dict[str, Any]) -> None:
    for event in events:
        answer = world.deliver(event)
        assert answer.status == 200, answer.text


def test_r1_late_and_repeated_news_of_refunds(world: World) -> None:
    payment_id, transaction_id = paid_transaction(world)
    seen = []
    late: list[dict[str, Any]] = []
    for amount in (300, 200, 0, 500):
        if amount:
            refund_in_the_dashboard(world, amount)
        news = refund_events(world)
        # The third time it is the first refund's news once more.
        deliver(world, *(late if not amount else reversed(news)))
        late = late or news
        seen.append(world.payment(payment_id)["amountRefunded"])
    assert seen == [300, 500, 500, 1000]
    announced = [kind for kind in world.events_of(payment_id) if kind == "payment.refunded"]
    assert len(announced) == 3
    deliver(world, *refund_events(world))
    assert world.events_of(payment_id) == []
    assert world.get_transaction(transaction_id).data["status"] == "succeeded"


def test_a_refund_that_fails_later_lowers_what_was_refunded(world: World) -> None:
    payment_id, transaction_id = paid_transaction(world)
    made = world.refund(transaction_id).data
    deliver(world, *refund_events(world))
    assert world.get_transaction(transaction_id).data["status"] == "refunded"
    (at_stripe,) = refunds_at_stripe(world)
    world.stripe.control("POST", f"refunds/{at_stripe['id']}/fail", {})
    deliver(world, *reversed(refund_events(world)))
    assert world.payment(payment_id)["amountRefunded"] == 0
    assert world.get_transaction(transaction_id).data["status"] == "succeeded"
    assert made["status"] == "succeeded"
    again = world.refund(transaction_id, {"amount": 100})
    assert again.status == 201, again.text
    assert world.payment(payment_id)["amountRefunded"] == 100


def test_a_refund_is_heard_of_before_the_payment(world: World) -> None:
    made = world.create()
    world.stripe.pay(world.checkout_url(made["id"]))
    (intent,) = world.stripe.api(world.seller.stripe_key, "GET", "/v1/payment_intents")["data"]
    world.stripe.api(
        world.seller.stripe_key, "POST", "/v1/refunds", payment_intent=intent["id"], amount=700
    )
    deliver(world, *refund_events(world))
    world.deliver_everything()
    found = world.payment(made["id"])
    assert (found["status"], found["amountRefunded"]) == ("succeeded", 700)


def test_h5_two_paid_sessions_are_one_payment_and_one_refund(world: World) -> None:
    made = world.create()
    first = world.checkout_url(made["id"])
    # Two tabs, each with a session of its own: we only ever lead to one at a time.
    item = world.aws.item("PAYMENT#")
    world.aws.dynamodb.update_item(
        TableName=TABLE_NAME,
        Key={"pk": {"S": item["pk"]}, "sk": {"S": item["sk"]}},
        UpdateExpression="SET sessions[0].ended = :yes",
        ExpressionAttributeValues={":yes": {"BOOL": True}},
    )
    second = world.press_continue(made["id"]).headers["location"]
    assert second != first
    for url in (second, first):
        answer = world.stripe.pay(url)
        assert answer.status_code == 200, answer.text
    world.deliver_everything()
    world.issue_invoices()
    event = world.surplus_event()
    assert len(event["Records"]) == 1
    world.stripe.fault("error_after", path="/v1/refunds", method="POST")
    with pytest.raises(Exception, match="failed"):  # all that the batch held
        world.invoke("return_surplus", event)
    for _ in range(2):
        assert world.invoke("return_surplus", event) == {"batchItemFailures": []}
    deliver(world, *refund_events(world))
    (refund,) = refunds_at_stripe(world)
    assert refund["amount"] == 5831
    found = world.payment(made["id"])
    assert (found["status"], found["amountRefunded"]) == ("succeeded", 0)
    listed = world.transactions().json["data"]
    assert sorted(t["status"] for t in listed) == ["refunded", "succeeded"]
    (surplus,) = (t for t in listed if t["status"] == "refunded")
    assert surplus["invoiceId"] is None
    world.issue_invoices()
    assert len(world.aws.items("INVOICE#")) == 1


def test_the_sample_event_of_surplus_is_about_nothing_known(world: World) -> None:
    event = sample_event("return_surplus")
    with pytest.raises(Exception, match="failed"):
        world.invoke("return_surplus", event)
