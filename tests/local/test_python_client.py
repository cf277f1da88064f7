"""The Python client ``commet-sdk``, as published, against the local stack.

Nothing of it is changed but the address that it calls.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from commet import AsyncCommet, Commet, CommetAPIError, CommetValidationError
from commet.types import Timezone
from playwright.sync_api import Page

from tests.local.checkout import PAID, expect_receipt, pay
from tests.local.stack import Stack
from tests.receiver import receiver


@pytest.fixture
def address(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commet._http._BASE_URL", stack.about["apiUrl"])
    monkeypatch.setattr("commet._async_http._BASE_URL", stack.about["apiUrl"])
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def client(stack: Stack, address: None) -> Iterator[Commet]:
    with Commet(stack.about["apiKey"]) as made:
        yield made


def own_id() -> str:
    return f"own-{uuid.uuid4()}"


def test_a_link_is_made_paid_and_read(client: Commet, stack: Stack, page: Page) -> None:
    created = client.payments.create(
        amount=4900,
        currency="eur",
        description="Consulting",
        success_url="https://example.com/thanks",
        metadata={"order": "7"},
    )
    assert created.success
    link = created.data
    assert link is not None
    assert link.url is not None
    assert (link.object, link.kind, link.status) == ("payment", "link", "pending")
    assert (link.currency, link.metadata, link.livemode) == ("eur", {"order": "7"}, False)
    assert link.expires_at is not None
    page.route("https://example.com/**", lambda route: route.fulfill(body="Thank you"))
    pay(page, link.url, PAID)
    page.wait_for_url("https://example.com/thanks")
    stack.await_payment(link.id, status="succeeded")
    page.goto(link.url)
    expect_receipt(page)
    paid = client.payments.get(link.id).data
    assert paid is not None
    assert paid.status == "succeeded"
    assert (paid.amount_subtotal, paid.tax_amount, paid.amount_total) == (4900, 931, 5831)
    assert paid.updated_at > paid.created_at


def test_lists_lead_from_page_to_page(client: Commet) -> None:
    made = [
        client.payments.create(amount=100 + i, currency="usd", description="One of many").data
        for i in range(5)
    ]
    listed, cursor = [], None
    for _ in range(3):
        listed_now = client.payments.list(limit=2, cursor=cursor)
        assert listed_now.data is not None
        assert len(listed_now.data) == 2
        assert listed_now.has_more is (listed_now.next_cursor is not None)
        listed += listed_now.data
        cursor = listed_now.next_cursor
    assert len({payment.id for payment in listed}) == 6
    assert listed[:5] == made[::-1]


def test_what_is_refused_comes_as_the_clients_errors(client: Commet, stack: Stack) -> None:
    with pytest.raises(CommetValidationError) as invalid:
        client.payments.create(amount=-1, currency="eur", description="")
    assert set(invalid.value.validation_errors) == {"amount", "description"}
    with pytest.raises(CommetAPIError) as missing:
        client.payments.get("pay_unknown")
    assert (missing.value.status_code, missing.value.code) == (404, "payment_not_found")
    assert missing.value.type == "not_found_error"
    assert missing.value.doc_url == f"{stack.about['apiUrl']}/docs/errors/payment_not_found"
    with Commet(stack.about["apiKey"][:-1]) as stranger, pytest.raises(CommetAPIError) as unknown:
        stranger.payments.list()
    assert (unknown.value.status_code, unknown.value.code) == (401, "unauthorized")
    key = own_id()
    wanted: dict[str, Any] = {
        "currency": "eur",
        "description": "Consulting",
        "idempotency_key": key,
    }
    first = client.payments.create(amount=100, **wanted)
    assert client.payments.create(amount=100, **wanted) == first
    with pytest.raises(CommetAPIError) as mismatch:
        client.payments.create(amount=200, **wanted)
    assert (mismatch.value.status_code, mismatch.value.code) == (409, "idempotency_key_mismatch")


def test_a_retry_of_its_own_ends_with_one_payment_and_one_session(
    client: Commet, stack: Stack
) -> None:
    since = stack.control("GET", "health")["time"]
    stack.answer_502_once()
    description = own_id()
    created = client.payments.create(amount=100, currency="eur", description=description).data
    assert created is not None
    stack.expect_one_payment(created.id, description, since)


def test_a_link_is_canceled_once_and_a_paid_one_never(client: Commet, stack: Stack) -> None:
    wanted: dict[str, Any] = {"amount": 4900, "currency": "eur", "description": "Consulting"}
    link = client.payments.create(**wanted).data
    assert link is not None
    assert link.url is not None
    session = stack.session_of({"url": link.url})
    canceled = client.payments.cancel(link.id).data
    assert canceled is not None
    assert (canceled.id, canceled.status) == (link.id, "canceled")
    assert client.payments.cancel(link.id).data == canceled
    assert client.payments.get(link.id).data == canceled
    assert stack.stripe(f"checkout/sessions/{session}")["status"] == "expired"
    assert stack.http.get(link.url).status_code == 410
    paid = client.payments.create(**wanted).data
    assert paid is not None
    assert paid.url is not None
    stack.pay_by_form(paid.url)
    stack.await_payment(paid.id, status="succeeded")
    with pytest.raises(CommetAPIError) as refused:
        client.payments.cancel(paid.id)
    assert (refused.value.status_code, refused.value.code) == (409, "payment_not_cancelable")
    assert refused.value.type == "conflict_error"


def test_a_customer_has_two_ids(client: Commet) -> None:
    own = own_id()
    address: Any = {
        "line1": "Lindenstraße 12",
        "city": "Berlin",
        "postal_code": "10969",
        "country": "DE",
    }
    made = client.customers.create(
        email="anna@example.com",
        id=own,
        full_name="Anna Example",
        timezone=Timezone.EUROPE_BERLIN,
        address=address,
        metadata={"tier": "gold"},
    ).data
    assert made is not None
    assert made.id.startswith("cus_")
    assert (made.object, made.external_id, made.email) == ("customer", own, "anna@example.com")
    assert (made.full_name, made.timezone) == ("Anna Example", "Europe/Berlin")
    assert (made.metadata, made.livemode) == ({"tier": "gold"}, False)
    again = client.customers.create(email="anna@example.com", id=own).data
    assert again is not None
    assert again.id == made.id
    updated = client.customers.update(own, full_name="Anna Sample").data
    assert updated is not None
    assert (updated.id, updated.full_name, updated.email) == (made.id, "Anna Sample", made.email)
    assert client.customers.get(own).data == client.customers.get(made.id).data == updated
    assert client.customers.list(external_id=own).data == [updated]
    other = client.customers.create(email="ben@example.com").data
    assert other is not None
    assert client.customers.list(limit=2).data == [other, updated]
    with pytest.raises(CommetAPIError) as taken:
        client.customers.update(other.id, external_id=own)
    assert (taken.value.status_code, taken.value.code) == (409, "duplicate")
    with pytest.raises(CommetAPIError) as missing:
        client.customers.get("cus_unknown")
    assert (missing.value.status_code, missing.value.code) == (404, "customer_not_found")
    with pytest.raises(CommetValidationError) as invalid:
        client.customers.create(email="no address")
    assert set(invalid.value.validation_errors) == {"email"}


def test_lists_of_one_customers_payments(client: Commet) -> None:
    own = own_id()
    client.customers.create(email="anna@example.com", external_id=own)
    wanted: dict[str, Any] = {"currency": "usd", "description": "One of many"}
    made = []
    for i in range(5):
        made.append(client.payments.create(amount=100 + i, customer_id=own, **wanted).data)
        client.payments.create(amount=900, **wanted)
    listed, page = [], client.payments.list(customer_id=own, limit=2)
    listed += page.data or []
    while page.has_more:
        page = client.payments.list(customer_id=own, limit=2, cursor=page.next_cursor)
        assert len(page.data or []) <= 2
        listed += page.data or []
    assert page.next_cursor is None
    assert listed == made[::-1]
    assert {payment.customer_id for payment in listed} == {own}
    with pytest.raises(CommetValidationError) as elsewhere:
        client.payments.list(cursor=client.payments.list(customer_id=own, limit=2).next_cursor)
    assert set(elsewhere.value.validation_errors) == {"cursor"}


def test_invoices_are_listed_read_and_downloaded(client: Commet, stack: Stack) -> None:
    own = own_id()
    client.customers.create(email="anna@example.com", id=own)
    link = client.payments.create(
        amount=4900, currency="eur", description="Consulting", customer_id=own, metadata={"n": "7"}
    ).data
    assert link is not None
    assert link.url is not None
    stack.pay_by_form(link.url)
    invoice_id = stack.await_payment(link.id, status="succeeded", invoiceId=...)["invoiceId"]
    invoice = client.invoices.get(invoice_id).data
    assert invoice is not None
    assert (invoice.id, invoice.customer_id, invoice.object) == (invoice_id, own, "invoice")
    assert (invoice.status, invoice.invoice_type) == ("paid", "one_time_payment")
    assert (invoice.subtotal, invoice.tax_amount, invoice.total) == (4900, 931, 5831)
    assert (invoice.metadata, invoice.livemode) == ({"n": "7"}, False)
    (line,) = invoice.line_items or []
    assert (line.line_type, line.description, line.amount) == ("one_time", "Consulting", 4900)
    for listed in (
        client.invoices.list(customer_id=own, status="paid").data,
        client.invoices.list(limit=1).data,
    ):
        assert [(found.id, found.total) for found in listed or []] == [(invoice_id, 5831)]
    assert client.invoices.list(customer_id=own, status="void").data == []
    assert client.invoices.list(subscription_id="sub_1").data == []
    download = client.invoices.get_download_url(invoice_id).data
    assert download is not None
    assert download.url.startswith(f"{stack.about['apiUrl']}/documents/{invoice_id}?token=")
    assert stack.download(download.url).startswith(b"%PDF-")
    sent = client.invoices.send(invoice_id).data
    assert sent is not None
    assert (sent.sent, sent.object, sent.livemode) == (True, "invoice", False)
    assert sent.sent_at > invoice.created_at
    with pytest.raises(CommetAPIError) as missing:
        client.invoices.get("inv_unknown")
    assert (missing.value.status_code, missing.value.code) == (404, "invoice_not_found")


def kept_card(client: Commet, stack: Stack) -> tuple[str, str]:
    """A customer's own id, and the id of the card that they have paid a link with."""
    own = own_id()
    client.customers.create(email="anna@example.com", id=own)
    link = client.payments.create(
        amount=4900, currency="eur", description="Consulting", customer_id=own
    ).data
    assert link is not None
    assert link.url is not None
    card = stack.card_that_paid(stack.pay_by_form(link.url))
    stack.await_payment(link.id, status="succeeded")
    return own, card


def test_a_kept_card_is_charged(client: Commet, stack: Stack) -> None:
    own, card = kept_card(client, stack)
    wanted: dict[str, Any] = {"amount": 2500, "currency": "eur", "description": "Hours"}
    charged = client.payments.charge(customer_id=own, metadata={"order": "8"}, **wanted).data
    assert charged is not None
    assert (charged.kind, charged.status, charged.url) == ("charge", "succeeded", None)
    assert (charged.customer_id, charged.metadata) == (own, {"order": "8"})
    assert (charged.amount_subtotal, charged.tax_amount, charged.amount_total) == (2500, 475, 2975)
    stack.await_payment(charged.id, status="succeeded", invoiceId=...)
    with pytest.raises(CommetAPIError) as final:
        client.payments.cancel(charged.id)
    assert (final.value.status_code, final.value.code) == (409, "payment_not_cancelable")
    stack.control("POST", f"payment_methods/{card}", {"off_session": "authentication_required"})
    with pytest.raises(CommetAPIError) as refused:
        client.payments.charge(customer_id=own, **wanted)
    assert (refused.value.status_code, refused.value.code) == (402, "payment_failed")
    assert refused.value.type == "billing_error"
    (failed,) = client.payments.list(customer_id=own, limit=1).data or []
    assert (failed.kind, failed.status) == ("charge", "failed")
    assert isinstance(refused.value.details, dict)
    assert refused.value.details["paymentId"] == failed.id
    assert refused.value.details["code"] == "authentication_required"
    cardless = client.customers.create(email="ben@example.com").data
    assert cardless is not None
    with pytest.raises(CommetAPIError) as nothing:
        client.payments.charge(customer_id=cardless.id, **wanted)
    assert (nothing.value.status_code, nothing.value.code) == (409, "no_payment_method")


def test_a_charge_that_is_retried_takes_the_money_once(client: Commet, stack: Stack) -> None:
    own, card = kept_card(client, stack)
    since = stack.control("GET", "health")["time"]
    stack.answer_502_once("/v1/payment_intents")
    charged = client.payments.charge(
        customer_id=own, amount=700, currency="eur", description="Hours"
    ).data
    assert charged is not None
    assert charged.status == "succeeded"
    listed = client.payments.list(customer_id=own).data or []
    assert [payment.amount_subtotal for payment in listed] == [700, 4900]
    assert len(stack.requests("POST", "/v1/payment_intents", since)) == 3
    assert stack.taken_from(card) == [payment.amount_total for payment in listed]


def test_an_api_key_works_until_it_is_deleted(client: Commet) -> None:
    created = client.api_keys.create(name="For a day", expires_in_days=1).data
    assert created is not None
    assert created.api_key.startswith(created.prefix)
    assert created.expires_at > created.created_at
    (listed,) = client.api_keys.list(limit=1).data or []
    assert (listed.id, listed.name, listed.prefix) == (created.id, created.name, created.prefix)
    assert listed.expires_at == created.expires_at
    with Commet(created.api_key) as other:
        assert other.payments.list(limit=1).success
        deleted = client.api_keys.delete(created.id).data
        assert deleted is not None
        assert (deleted.id, deleted.deleted) == (created.id, True)
        # Functions that know a key forget it within a minute; this one never saw it.
        with pytest.raises(CommetAPIError) as ended:
            other.api_keys.list()
    assert (ended.value.status_code, ended.value.code) == (401, "unauthorized")
    with pytest.raises(CommetAPIError) as again:
        client.api_keys.delete(created.id)
    assert (again.value.status_code, again.value.code) == (404, "api_key_not_found")


def test_webhook_endpoints_are_made_changed_tested_and_deleted(client: Commet) -> None:
    with receiver() as company:
        made = client.webhooks.create(
            url=company.url, events=["payment_link.completed"], description="Shop"
        ).data
        assert made is not None
        assert (made.object, made.url, made.is_active) == ("webhook", company.url, True)
        got = client.webhooks.get(made.id).data
        assert got is not None
        assert (got.events, got.description, got.livemode) == (made.events, "Shop", False)
        assert client.webhooks.list(limit=1).data == [got]
        changed = client.webhooks.update(made.id, is_active=False, events=["payment.received"]).data
        assert changed is not None
        assert (changed.is_active, changed.events) == (False, ["payment.received"])
        assert changed.api_version == made.api_version
        went = client.webhooks.test(made.id).data
        assert went is not None
        assert (went.success, len(company.got)) == (True, 1)
        event = client.webhooks.verify_and_parse(
            raw_body=company.got[0].body.decode(),
            signature=company.got[0].headers["x-commet-signature"],
            secret=made.secret_key,
        )
        assert event is not None
        assert event["event"] == "webhook.test"
        deleted = client.webhooks.delete(made.id).data
        assert deleted is not None
        assert (deleted.id, deleted.deleted) == (made.id, True)
        with pytest.raises(CommetAPIError) as again:
            client.webhooks.get(made.id)
        assert (again.value.status_code, again.value.code) == (404, "webhook_not_found")


def test_the_asynchronous_client_does_the_same(address: None, stack: Stack) -> None:
    async def run() -> None:
        async with AsyncCommet(stack.about["apiKey"]) as client:
            stack.answer_502_once()
            created = await client.payments.create(
                amount=100, currency="eur", description="Consulting"
            )
            assert created.data is not None
            assert await client.payments.get(created.data.id) == created
            newest = await client.payments.list(limit=1)
            assert newest.data == [created.data]
            with pytest.raises(CommetAPIError) as missing:
                await client.payments.get("pay_unknown")
            assert missing.value.code == "payment_not_found"

    # In a thread of its own: a browser that was started keeps a loop running in this one.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, run()).result()
