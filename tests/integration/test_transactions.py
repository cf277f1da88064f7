"""Attempts to pay, as callers read them."""

from __future__ import annotations

from tests.integration.aws import TABLE_NAME
from tests.integration.stripe_driver import DECLINED, Buyer
from tests.integration.world import World

MEMBERS = set(
    "id invoiceId grossAmount subtotal taxAmount presentmentAmount currency provider paymentMethod "
    "subPaymentMethod status customerEmail customerName paidAt createdAt updatedAt availableAt "
    "paymentContext object livemode paymentId failureCode failureMessage".split()
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
