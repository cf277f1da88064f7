"""Credit notes: from a refund, wherever it was made, to its PDF, and as callers read them."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pypdf import PdfReader

from tests.integration.test_transactions import (
    deliver,
    paid_transaction,
    refund_events,
    refund_in_the_dashboard,
    refunds_at_stripe,
)
from tests.integration.world import World, http_event

GET, LIST = "GET /credit-notes/{noteId}", "GET /credit-notes"
LINK = "POST /credit-notes/{noteId}/download-links"
OLDER_LINK = "GET /credit-notes/{noteId}/download"
NOT_FOUND = (404, "not_found_error", "credit_note_not_found")
MEMBERS = set(
    "id object livemode creditNoteNumber status customerId invoiceId invoiceNumber paymentId "
    "transactionId refundId currency subtotal taxAmount total reason issueDate createdAt "
    "voidedAt".split()
)


def listed(world: World, **how: Any) -> Any:
    answer = world.call_credit_notes(LIST, **how)
    assert answer.status == 200, answer.text
    return answer.json["data"]


def amounts(world: World) -> list[tuple[str, str, int, int, int]]:
    """Number's end, status and amounts, oldest first."""
    return [
        (n["creditNoteNumber"][-6:], n["status"], n["subtotal"], n["taxAmount"], n["total"])
        for n in listed(world)[::-1]
    ]


def test_a_refund_by_the_api_has_a_credit_note(world: World) -> None:
    payment_id, transaction_id = paid_transaction(world)
    world.issue_invoices()
    refund = world.refund(transaction_id, {"amount": 1500, "reason": "duplicate"}).data
    world.issue_invoices()
    (found,) = listed(world)
    assert set(found) == MEMBERS
    payment = world.payment(payment_id)
    invoice = world.call_invoices("GET /invoices/{invoiceId}", payment["invoiceId"]).data
    assert re.fullmatch(r"CN-\d{4}-000001", found["creditNoteNumber"])
    assert (found["subtotal"], found["taxAmount"], found["total"]) == (1261, 239, 1500)
    assert (found["invoiceId"], found["invoiceNumber"]) == (invoice["id"], invoice["invoiceNumber"])
    assert (found["paymentId"], found["transactionId"]) == (payment_id, transaction_id)
    assert (found["refundId"], found["reason"]) == (refund["id"], "duplicate")
    assert (found["status"], found["voidedAt"]) == ("issued", None)
    assert (found["customerId"], found["currency"]) == (payment["customerId"], "eur")
    whole = world.call_credit_notes(GET, found["id"]).data
    (line,) = whole.pop("lineItems")
    assert (whole, line["amount"]) == (found, 1261)
    assert line["description"] == "Consulting, one hour"


def test_the_pdf_tells_what_is_corrected_and_is_stored_once(world: World) -> None:
    _, transaction_id = paid_transaction(world)
    world.refund(transaction_id)
    world.issue_invoices()
    (note,) = listed(world)
    key = f"{world.seller.organization_id}/sandbox/{note['id']}.pdf"
    stored = world.aws.s3.get_object(Bucket="paylink-test-invoices", Key=key)["Body"].read()
    text = PdfReader(io.BytesIO(stored)).pages[0].extract_text()
    for part in (note["creditNoteNumber"], note["invoiceNumber"], "Example Studio GmbH", "4242"):
        assert part in text
    items, objects = world.aws.items(), world.aws.objects()
    deliver(world, *refund_events(world))
    world.issue_invoices()
    assert world.aws.objects() == objects
    assert world.aws.items("CREDIT_NOTE#") == [i for i in items if i["sk"] == "CREDIT_NOTE"]


def test_parts_and_the_rest_are_the_invoice(world: World) -> None:
    _, transaction_id = paid_transaction(world)
    for amount in (1000, 1000, None):
        world.refund(transaction_id, {"amount": amount} if amount else None)
        world.issue_invoices()
    assert amounts(world) == [
        ("000001", "issued", 840, 160, 1000),
        ("000002", "issued", 841, 159, 1000),
        ("000003", "issued", 3219, 612, 3831),
    ]


def test_r1_late_and_repeated_news_make_one_credit_note_per_refund(world: World) -> None:
    paid_transaction(world)
    late: list[dict[str, Any]] = []
    for amount in (300, 200, 0, 500):
        if amount:
            refund_in_the_dashboard(world, amount)
        news = refund_events(world)
        deliver(world, *(late if not amount else reversed(news)))
        late = late or news
        world.issue_invoices()
    deliver(world, *refund_events(world))
    world.issue_invoices()
    assert amounts(world) == [
        ("000001", "issued", 252, 48, 300),
        ("000002", "issued", 168, 32, 200),
        ("000003", "issued", 420, 80, 500),
    ]


def test_a_refund_that_fails_later_makes_its_credit_note_void(world: World) -> None:
    payment_id, transaction_id = paid_transaction(world)
    world.refund(transaction_id)
    world.issue_invoices()
    stored = world.aws.objects()
    (at_stripe,) = refunds_at_stripe(world)
    world.stripe.control("POST", f"refunds/{at_stripe['id']}/fail", {})
    world.dispatch()
    for _ in range(2):
        deliver(world, *reversed(refund_events(world)))
        world.issue_invoices()
    assert [status for _, status, *_ in amounts(world)] == ["void"]
    (void,) = listed(world)
    assert void["voidedAt"] is not None
    assert world.aws.objects() == stored
    world.refund(transaction_id, {"amount": 100})
    world.issue_invoices()
    assert [(number, status) for number, status, *_ in amounts(world)] == [
        ("000001", "void"),
        ("000002", "issued"),
    ]
    assert world.payment(payment_id)["amountRefunded"] == 100


def test_a_failure_is_announced_once(world: World) -> None:
    payment_id, transaction_id = paid_transaction(world)
    world.refund(transaction_id)
    (at_stripe,) = refunds_at_stripe(world)
    world.stripe.control("POST", f"refunds/{at_stripe['id']}/fail", {})
    for _ in range(2):
        deliver(world, *refund_events(world))
    assert world.events_of(payment_id).count("payment.refund_failed") == 1


def test_the_invoice_comes_first_even_if_a_refund_is_heard_of_before_it(world: World) -> None:
    _, transaction_id = paid_transaction(world)
    world.refund(transaction_id, {"amount": 700})
    world.dispatch()
    event = world.invoice_event()
    event["Records"].reverse()
    assert world.invoke("issue_invoice", event) == {"batchItemFailures": []}
    assert len(world.aws.items("INVOICE#")) == 1
    assert len(listed(world)) == 1


def test_numbers_are_consecutive_however_often_it_is_announced(world: World) -> None:
    for _ in range(3):
        world.paid()
    for transaction in world.transactions().json["data"]:
        world.refund(transaction["id"], {"amount": 500})
        world.refund(transaction["id"], {"amount": 500})
    world.dispatch()
    event = world.invoice_event()
    for record in event["Records"] + event["Records"][::-1]:
        assert world.invoke("issue_invoice", {"Records": [record]}) == {"batchItemFailures": []}
    assert [number for number, *_ in amounts(world)] == [f"{n:06d}" for n in range(1, 7)]


def test_lists_are_of_one_customer_in_pages_and_of_nobody_else(world: World) -> None:
    world.customer({"email": "anna@example.com", "externalId": "own-7"})
    world.paid({"customerId": "own-7"})
    world.paid()
    for transaction in world.transactions().json["data"]:
        world.refund(transaction["id"])
        world.issue_invoices()
    (mine,) = listed(world, query={"customerId": "own-7"})
    assert mine["customerId"] == "own-7"
    assert listed(world, query={"customerId": "nobody"}) == []
    first = world.call_credit_notes(LIST, query={"limit": "1"}).json
    assert first["hasMore"]
    cursor = first["nextCursor"]
    rest = world.call_credit_notes(LIST, query={"limit": "1", "cursor": cursor}).json
    assert first["data"] + rest["data"] == listed(world)
    invoices = world.call_invoices("GET /invoices", query={"cursor": cursor})
    assert (invoices.status, invoices.error["param"]) == (400, "cursor")
    live = world.add_mode(world.seller.organization_id, "studio", "live")
    other = world.new_seller("Other Ltd", "other")
    for seller in (live, other):
        assert listed(world, seller=seller) == []
        for route in (GET, LINK, OLDER_LINK):
            answer = world.call_credit_notes(route, mine["id"], seller=seller)
            assert answer.refused() == NOT_FOUND
    for unknown in ("cn_unknown", "x" * 3000, "\ud800", mine["invoiceId"]):
        for route in (GET, LINK, OLDER_LINK):
            assert world.call_credit_notes(route, unknown).refused() == NOT_FOUND


@pytest.mark.parametrize(("route", "status"), [(LINK, 201), (OLDER_LINK, 200)])
def test_a_download_link_opens_the_pdf_for_a_week(world: World, route: str, status: int) -> None:
    _, transaction_id = paid_transaction(world)
    world.refund(transaction_id)
    world.issue_invoices()
    (note,) = listed(world)
    answer = world.call_credit_notes(route, note["id"])
    assert answer.status == status
    assert answer.data["object"] == "credit_note_download_link"
    url = urlsplit(answer.data["url"])
    assert url.path == f"/documents/{note['id']}"
    (token,) = parse_qs(url.query)["token"]
    opened = world.download(note["id"], token)
    assert opened.status == 303
    assert note["creditNoteNumber"] in opened.headers["location"]
    assert world.download(note["invoiceId"], token).status == 404
    world.clock.offset += timedelta(days=7, minutes=1)
    assert world.download(note["id"], token).status == 404


def test_the_buyer_is_sent_the_credit_note_and_told_once_that_it_is_void(world: World) -> None:
    payment_id, transaction_id = paid_transaction(world)
    world.issue_invoices()
    world.refund(transaction_id, {"amount": 1500})
    world.issue_invoices()
    sent = world.mail_event()
    for _ in range(2):
        world.invoke("send_mails", sent)
    (note,) = listed(world)
    about = f"/documents/{note['id']}?token="
    (mail,) = (m for m in world.aws.mails() if note["creditNoteNumber"] in str(m["Subject"]))
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert about in plain.get_content()
    (pdf,) = mail.iter_attachments()
    assert pdf.get_filename() == f"{note['creditNoteNumber']}.pdf"
    receipt = world.http(
        "pay_page", http_event("pay_page", parameters={"paymentId": payment_id})
    ).text
    assert f"Rechnungskorrektur herunterladen <bdi>{note['creditNoteNumber']}</bdi>" in receipt
    assert about in receipt

    (at_stripe,) = refunds_at_stripe(world)
    world.stripe.control("POST", f"refunds/{at_stripe['id']}/fail", {})
    deliver(world, *refund_events(world))
    world.issue_invoices()
    void = world.mail_event()
    for _ in range(2):
        world.invoke("send_mails", void)
        world.invoke("send_mails", sent)
    subjects = [" ".join(str(m["Subject"]).split()) for m in world.aws.mails()]
    assert [s for s in subjects if note["creditNoteNumber"] in s] == [
        f"Rechnungskorrektur {note['creditNoteNumber']} von Example Studio GmbH",
        f"Rechnungskorrektur {note['creditNoteNumber']} von Example Studio GmbH ist ungültig",
    ]
    assert world.aws.item(f"RECEIPT#{note['id']}")["outcome"] == "taken_back"
