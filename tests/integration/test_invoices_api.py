"""Invoices, as callers read them, and the links that they give to others."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.world import BASE_URL, Answer, Seller, World, http_event

GET, LIST = "GET /invoices/{invoiceId}", "GET /invoices"
LINK = "POST /invoices/{invoiceId}/download-links"
OLDER_LINK = "GET /invoices/{invoiceId}/download"
MEMBERS = set(
    "id invoiceNumber status invoiceType customerId subscriptionId currency subtotal taxAmount "
    "discountAmount total periodStart periodEnd issueDate dueDate memo metadata createdAt "
    "updatedAt object livemode paymentId transactionId".split()
)
NOT_FOUND = (404, "not_found_error", "invoice_not_found")


def issued(world: World, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """A paid payment with its invoice."""
    payment = world.paid(body)
    world.issue_invoices()
    return world.payment(payment["id"])


def listed(world: World, query: dict[str, str] | None = None, seller: Seller | None = None) -> Any:
    answer = world.call_invoices(LIST, query=query, seller=seller)
    assert answer.status == 200, answer.text
    return answer.json["data"]


def customer(world: World, own_id: str) -> str:
    body = json.dumps({"email": "anna@example.com", "externalId": own_id})
    sent = {"x-api-key": world.seller.api_key}
    event = http_event("create_customer", body=body, headers=sent)
    return str(world.http("customers", event).data["id"])


def test_an_invoice_has_all_members_of_the_contract(world: World) -> None:
    payment = issued(world, {"metadata": {"order": "7"}})
    found = world.call_invoices(GET, payment["invoiceId"]).data
    line_items = found.pop("lineItems")
    one_only = {n: found.pop(n) for n in ("creditApplied", "planName", "poNumber", "reference")}
    assert one_only == {"creditApplied": 0, "planName": None, "poNumber": None, "reference": None}
    assert set(found) == MEMBERS
    assert listed(world) == [found]
    assert (found["subtotal"], found["taxAmount"], found["total"]) == (4900, 931, 5831)
    assert (found["currency"], found["discountAmount"]) == ("eur", 0)
    assert re.fullmatch(r"INV-\d{4}-000001", found["invoiceNumber"])
    assert (found["status"], found["invoiceType"]) == ("paid", "one_time_payment")
    assert (found["object"], found["livemode"]) == ("invoice", False)
    assert found["customerId"] == payment["customerId"]
    assert found["paymentId"] == payment["id"]
    assert found["metadata"] == {"order": "7"}
    assert found["periodStart"] == found["periodEnd"] == payment["paidAt"]
    assert found["issueDate"] == found["dueDate"] == found["createdAt"]
    assert (found["subscriptionId"], found["memo"]) == (None, None)
    (line,) = line_items
    assert (line.pop("lineType"), line.pop("description")) == ("one_time", "Consulting, one hour")
    assert (line.pop("quantity"), line.pop("unitAmount"), line.pop("amount")) == (1, 4900, 4900)
    assert set(line.values()) == {None}
    assert len(line) == 8


def test_without_metadata_there_is_an_empty_object(world: World) -> None:
    payment = issued(world, {"metadata": {}})
    assert world.call_invoices(GET, payment["invoiceId"]).data["metadata"] == {}


def test_lists_are_filtered_by_customer_and_status(world: World) -> None:
    own = customer(world, "own-7")
    mine, guests = issued(world, {"customerId": "own-7"}), issued(world)
    assert [i["paymentId"] for i in listed(world)] == [guests["id"], mine["id"]]
    for name in ("own-7", own):
        (found,) = listed(world, {"customerId": name})
        assert (found["paymentId"], found["customerId"]) == (mine["id"], "own-7")
    assert len(listed(world, {"status": "paid"})) == 2
    for query in (
        {"status": "void"},
        {"status": "outstanding"},
        {"customerId": "nobody"},
        {"customerId": ""},
        {"subscriptionId": "sub_1"},
    ):
        assert listed(world, query) == []
    refused = world.call_invoices(LIST, query={"status": "lost"})
    assert (refused.status, refused.error["param"]) == (400, "status")


def test_pages_lead_on_and_a_cursor_belongs_to_its_list(world: World) -> None:
    payments = [issued(world)["id"] for _ in range(3)]
    first = world.call_invoices(LIST, query={"limit": "2"}).json
    assert first["hasMore"]
    cursor = first["nextCursor"]
    rest = world.call_invoices(LIST, query={"limit": "2", "cursor": cursor}).json
    assert not rest["hasMore"]
    assert [i["paymentId"] for i in first["data"] + rest["data"]] == payments[::-1]
    for query in ({"cursor": cursor, "status": "paid"}, {"cursor": cursor[:-1]}, {"cursor": "0"}):
        refused = world.call_invoices(LIST, query=query)
        assert (refused.status, refused.error["param"]) == (400, "cursor")


def every_route(world: World, invoice_id: str, seller: Seller | None) -> list[Answer]:
    return [world.call_invoices(r, invoice_id, seller=seller) for r in (GET, LINK, OLDER_LINK)]


def test_what_is_anothers_another_modes_or_nobodys_is_not_found(world: World) -> None:
    invoice_id = issued(world)["invoiceId"]
    other = world.new_seller("Other Ltd", "other")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    for seller in (other, live):
        assert listed(world, seller=seller) == []
        for answer in every_route(world, invoice_id, seller):
            assert answer.refused() == NOT_FOUND
    for unknown in ("inv_unknown", "x" * 3000, "\ud800"):
        for answer in every_route(world, unknown, None):
            assert answer.refused() == NOT_FOUND


@pytest.mark.parametrize(("route", "status"), [(LINK, 201), (OLDER_LINK, 200)])
def test_a_download_link_opens_the_pdf_for_a_week(world: World, route: str, status: int) -> None:
    invoice_id = issued(world)["invoiceId"]
    before = world.clock()
    answer = world.call_invoices(route, invoice_id)
    assert answer.status == status
    link = answer.data
    assert set(link) == {"object", "url", "expiresAt", "livemode"}
    assert (link["object"], link["livemode"]) == ("invoice_download_link", False)
    life = datetime.fromisoformat(link["expiresAt"]) - before
    assert abs(life - timedelta(days=7)) < timedelta(minutes=1)
    url = urlsplit(link["url"])
    assert f"{url.scheme}://{url.netloc}" == BASE_URL
    assert url.path == f"/documents/{invoice_id}"
    (token,) = parse_qs(url.query)["token"]
    world.clock.offset += timedelta(days=6, hours=23)
    assert world.download(invoice_id, token).status == 303
    world.clock.offset += timedelta(hours=2)
    assert world.download(invoice_id, token).status == 404


def test_a_link_under_a_key_is_made_once(world: World) -> None:
    invoice_id = issued(world)["invoiceId"]
    first = world.call_invoices(LINK, invoice_id, key="K")
    world.clock.offset += timedelta(minutes=5)
    again = world.call_invoices(LINK, invoice_id, key="K")
    assert again.json == first.json
    assert again.headers["idempotent-replayed"] == "true"
    other = issued(world)["invoiceId"]
    refused = world.call_invoices(LINK, other, key="K")
    assert refused.refused() == (409, "conflict_error", "idempotency_key_mismatch")


def test_a_key_without_the_permission_is_refused(world: World) -> None:
    invoice_id = issued(world)["invoiceId"]
    body = json.dumps({"name": "Payments only", "permissions": {"payment": ["read", "write"]}})
    event = http_event(
        "get_payment",
        route="POST /api-keys",
        body=body,
        parameters={},
        headers={"x-api-key": world.seller.api_key},
    )
    key = world.http("api_keys", event).data["apiKey"]
    restricted = Seller(world.seller.organization_id, "sandbox", key, "", "")
    for answer in (
        *every_route(world, invoice_id, restricted),
        world.call_invoices(LIST, seller=restricted),
    ):
        assert answer.refused() == (403, "authentication_error", "forbidden")
