"""The same thing many times at once."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
from playwright.sync_api import Page

from tests.local.checkout import PAID, pay
from tests.local.stack import Stack, wait_for


def test_fifty_posts_with_one_key_make_one_payment_and_one_session(stack: Stack) -> None:
    since = stack.control("GET", "health")["time"]
    key = f"fifty-{uuid.uuid4()}"
    body = {"amount": 1234, "currency": "usd", "description": key}

    def post(_: int) -> httpx.Response:
        return stack.post_payment(body, Idempotency_Key=key)

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(post, range(50)))
    created = [a for a in answers if a.status_code == 201]
    waiting = [a for a in answers if a.status_code == 409]
    assert len(created) + len(waiting) == 50, {a.status_code for a in answers}
    assert {a.json()["error"]["code"] for a in waiting} <= {"idempotency_in_progress"}
    assert len({a.json()["data"]["id"] for a in created}) == 1
    again = stack.post_payment(body, Idempotency_Key=key)
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json() == created[0].json()
    payment = created[0].json()["data"]
    sessions = stack.requests("POST", "/v1/checkout/sessions", since)
    assert len({request["idempotency_key"] for request in sessions}) == 1
    made = stack.items("PAYMENT#")
    same = [p for p in made if p["line_items"][0]["description"] == key]
    assert [p["id"] for p in same] == [payment["id"]]
    assert len(same[0]["sessions"]) == 1


def test_twenty_copies_of_the_success_at_once_make_one_invoice(stack: Stack, page: Page) -> None:
    payment = stack.create()
    session = stack.session_of(payment)
    stack.control("POST", "webhooks/hold", {})
    pay(page, payment["url"], PAID)
    page.wait_for_url(f"**session_id={session}")
    (completed,) = stack.events("checkout.session.completed", payment["id"])
    sent = stack.control("POST", "webhooks/resend", {"event": completed["id"], "copies": 20})
    assert len(sent["deliveries"]) == 20
    stack.control("POST", "clear", {})
    paid = stack.await_payment(payment["id"], status="succeeded", invoiceId=...)

    def all_answered() -> bool:
        deliveries = stack.control("GET", f"deliveries?event={completed['id']}")["deliveries"]
        statuses = [a["status"] for d in deliveries if d["copy"] for a in d["attempts"]]
        return statuses == [200] * 20

    wait_for(all_answered, "every copy answered with 200 at the first try", 60)
    invoices = [i for i in stack.items("INVOICE#") if i["payment_id"] == payment["id"]]
    assert [i["id"] for i in invoices] == [paid["invoiceId"]]
    # Every seller has a series of their own.
    numbers = [(i["organization_id"], i["mode"], i["number"]) for i in stack.items("INVOICE#")]
    assert len(set(numbers)) == len(numbers)
    transactions = [t for t in stack.items("TRANSACTION#") if t["payment_id"] == payment["id"]]
    assert [t["status"] for t in transactions] == ["succeeded"]
    customer = f"CUSTOMER#{stack.about['organizationId']}#sandbox#{paid['customerId']}"
    methods = [i for i in stack.items(customer) if str(i["sk"]).startswith("PAYMENT_METHOD#")]
    assert len(methods) == 1
