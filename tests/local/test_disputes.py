"""A buyer pays and their bank wants the money back; Stripe tells of it as it does by itself."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.local.checkout import DISPUTED, expect_receipt, pay
from tests.local.stack import Stack


@pytest.mark.parametrize(
    ("outcome", "status", "lost"), [("won", "succeeded", 0), ("lost", "disputed", 5831)]
)
def test_a_card_that_is_disputed_shows_how_that_stands_and_ends(
    stack: Stack, page: Page, outcome: str, status: str, lost: int
) -> None:
    payment = stack.create()
    pay(page, payment["url"], DISPUTED)
    stack.await_payment(payment["id"], status="succeeded", disputeStatus="open", invoiceId=...)
    expect_receipt(page)
    transactions = stack.call("GET", "/transactions?status=disputed")
    (found,) = (t for t in transactions if t["paymentId"] == payment["id"])
    answer = stack.http.post(
        f"/transactions/{found['id']}/refund", headers={"x-api-key": stack.about["apiKey"]}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "provider_unsupported")
    intent = stack.stored(f"TRANSACTION#{found['id']}", "TRANSACTION")["payment_intent_id"]
    (dispute,) = stack.stripe(f"disputes?payment_intent={intent}")["data"]
    stack.control("POST", f"disputes/{dispute['id']}/close", {"outcome": outcome})
    ended = stack.await_payment(payment["id"], disputeStatus=outcome)
    assert (ended["status"], ended["amountLost"], ended["amountRefunded"]) == ("succeeded", lost, 0)
    found = stack.call("GET", f"/transactions/{found['id']}")
    assert (found["status"], found["disputeStatus"], found["amountLost"]) == (status, outcome, lost)
