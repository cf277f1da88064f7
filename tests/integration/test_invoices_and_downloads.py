"""From a paid payment to its numbered invoice, the PDF in the bucket, and its download."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pypdf
import pytest

from tests.integration.stripe_driver import Buyer
from tests.integration.world import World, sample_event


def text_of(document: bytes) -> str:
    """A PDF's text in the order it is read, with plain spaces."""
    pages = pypdf.PdfReader(io.BytesIO(document)).pages
    return re.sub(r"\s+", " ", " ".join(page.extract_text() for page in pages))


def message_about(payment_id: str, message_id: str = "m-1") -> dict[str, Any]:
    """The sample event, about another payment."""
    (record,) = sample_event("issue_invoice")["Records"]
    body = json.loads(record["body"])
    body["detail"]["data"]["paymentId"] = payment_id
    return {**record, "messageId": message_id, "body": json.dumps(body)}


def year(world: World) -> int:
    return int(world.clock().year)


def token_on_receipt(world: World, payment_id: str) -> str:
    page = world.open_link(payment_id)
    found = re.search(r"/documents/[^?]+\?token=([0-9a-f.]+)", page.text)
    assert found is not None, page.text
    return found[1]


def test_a_paid_payment_gets_number_and_pdf(world: World) -> None:
    payment = world.paid()
    world.issue_invoices()
    found = world.payment(payment["id"])
    invoice = world.aws.item("INVOICE#")
    assert found["invoiceId"] == invoice["id"]
    assert re.fullmatch(r"inv_[0-9A-Za-z]{26}", invoice["id"])
    assert invoice["number"] == f"INV-{year(world)}-000001"
    assert invoice["transaction_id"] == world.aws.item("TRANSACTION#")["id"]
    ((key, document),) = world.aws.objects().items()
    assert key == f"{world.seller.organization_id}/sandbox/{invoice['id']}.pdf"
    text = text_of(document)
    assert invoice["number"] in text
    for amount in ("49,00 €", "9,31 €", "58,31 €"):
        assert amount in text
    for part in (
        "Example Studio GmbH",
        "DE123456789",
        "Lindenstraße 12",
        "Bärbel Buyer",
        "Consulting, one hour",
        "19",
        "4242",
    ):
        assert part in text
    head = world.aws.s3.head_object(Bucket="paylink-test-invoices", Key=key)
    assert head["ContentType"] == "application/pdf"


def test_issuing_is_announced_once_with_its_number(world: World) -> None:
    payment = world.paid()
    world.dispatch()
    event = world.invoice_event()
    for _ in range(2):
        assert world.invoke("issue_invoice", event) == {"batchItemFailures": []}
    (issued,) = world.dispatch()
    assert issued["detail-type"] == "invoice.issued"
    data = issued["detail"]["data"]
    invoice = world.aws.item("INVOICE#")
    assert data["paymentId"] == payment["id"]
    assert (data["invoiceId"], data["invoiceNumber"]) == (invoice["id"], invoice["number"])
    assert data["paymentTransactionId"] == invoice["transaction_id"]


def test_the_same_event_again_changes_nothing(world: World) -> None:
    world.paid()
    world.dispatch()
    event = world.invoice_event()
    world.invoke("issue_invoice", event)
    items, objects = world.aws.items(), world.aws.objects()
    for _ in range(3):
        assert world.invoke("issue_invoice", event) == {"batchItemFailures": []}
    assert world.aws.items() == items
    assert world.aws.objects() == objects


def test_numbers_are_consecutive_per_organization_and_mode(world: World) -> None:
    payments = [world.paid() for _ in range(3)]
    other = world.new_seller("Other Ltd", "other")
    strange = world.create(seller=other)
    world.stripe.pay(world.checkout_url(strange["id"]))
    world.deliver_everything(other)
    world.issue_invoices()
    invoices = {item["payment_id"]: item["number"] for item in world.aws.items("INVOICE#")}
    mine = [invoices[payment["id"]] for payment in payments]
    assert sorted(mine) == [f"INV-{year(world)}-{n:06d}" for n in (1, 2, 3)]
    assert invoices[strange["id"]] == f"INV-{year(world)}-000001"


@pytest.mark.parametrize("after", [False, True])
def test_n2_a_failing_bucket_keeps_the_number_and_the_pdf_is_filled_in(
    world: World, after: bool
) -> None:
    payment = world.paid()
    world.dispatch()
    event = world.invoice_event()
    world.aws.fail_once("PutObject", after=after)
    failed = failures_of(world, event)
    assert failed == [event["Records"][0]["messageId"]]
    invoice = world.aws.item("INVOICE#")
    assert bool(world.aws.objects()) == after
    assert world.payment(payment["id"])["invoiceId"] == invoice["id"]
    assert failures_of(world, event) == []
    assert world.aws.item("INVOICE#") == invoice
    ((_, document),) = world.aws.objects().items()
    assert text_of(document).count(invoice["number"]) >= 1
    assert int(world.aws.item("NUMBERS#")["taken"]) == 1


@pytest.mark.parametrize(
    ("times", "after", "comes_again"), [(1, False, False), (1, True, False), (2, False, True)]
)
def test_n2_a_crash_at_the_write_uses_one_number(
    world: World, times: int, after: bool, comes_again: bool
) -> None:
    world.paid()
    world.dispatch()
    event = world.invoice_event()
    for _ in range(times):  # a write of several that failed is tried one by one
        world.aws.fail_once("write", after=after)
    assert failures_of(world, event) == [event["Records"][0]["messageId"]] * comes_again
    assert failures_of(world, event) == []
    assert int(world.aws.item("NUMBERS#")["taken"]) == 1
    assert world.aws.item("INVOICE#")["number"].endswith("-000001")
    assert len(world.aws.objects()) == 1


def test_n2_a_declined_payment_uses_no_number(world: World) -> None:
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]), "4000 0000 0000 0002")
    world.deliver_everything()
    assert world.payment(payment["id"])["status"] == "failed"
    world.dispatch()
    assert world.invoice_event() == {"Records": []}
    assert failures_of(world, {"Records": [message_about(payment["id"])]}) == ["m-1"]
    assert world.aws.items("NUMBERS#") == []
    assert world.aws.items("INVOICE#") == []


def failures_of(world: World, event: dict[str, Any]) -> list[str]:
    """Ids of the messages that come again; if all of them failed, Powertools raises instead."""
    try:
        answer = world.invoke("issue_invoice", event)
    except Exception as error:
        if type(error).__name__ != "BatchProcessingError":
            raise
        return [record["messageId"] for record in event["Records"]]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def test_d6_one_broken_message_of_ten_is_reported_alone(world: World) -> None:
    good = [world.paid() for _ in range(3)]
    records = [message_about(payment["id"], f"m-{n}") for n, payment in enumerate(good)]
    broken = [
        message_about("pay_unknown", "unknown"),
        {**message_about("x", "no json"), "body": "{"},
        {**message_about("x", "no detail"), "body": "{}"},
        {**message_about("x", "null"), "body": "null"},
    ]
    event = {"Records": [records[0], *broken, *records[1:]]}
    assert failures_of(world, event) == ["unknown", "no json", "no detail", "null"]
    assert len(world.aws.items("INVOICE#")) == 3
    assert len(world.aws.objects()) == 3


def test_an_invoice_keeps_the_seller_as_it_was(world: World) -> None:
    payment = world.paid()
    world.issue_invoices()
    world.operator("organizations", "update", world.seller.organization_id, "--name", "New Name AG")
    invoice = world.aws.item("INVOICE#")
    assert invoice["seller"]["name"] == "Example Studio GmbH"
    second = world.paid()
    world.issue_invoices()
    names = {i["payment_id"]: i["seller"]["name"] for i in world.aws.items("INVOICE#")}
    assert names == {payment["id"]: "Example Studio GmbH", second["id"]: "New Name AG"}


def test_the_year_is_that_of_the_sellers_calendar(world: World) -> None:
    """Half past eleven on New Year's Eve in London is already next year in Berlin."""
    now = world.clock()
    eve = now.replace(month=12, day=31, hour=23, minute=30, second=0)
    world.paid()
    world.clock.offset += eve - now
    world.issue_invoices()
    assert world.aws.item("INVOICE#")["number"] == f"INV-{now.year + 1}-000001"


@pytest.mark.parametrize(
    ("currency", "amount", "country", "postal", "shown"),
    [("JPY", 500, "JP", "100-0001", "550"), ("KWD", 18600, "KW", "", "18.600")],
)
def test_m1_amounts_have_their_currencys_decimals(
    world: World, currency: str, amount: int, country: str, postal: str, shown: str
) -> None:
    made = world.create({"currency": currency, "amount": amount})
    paid = world.stripe.pay(
        world.checkout_url(made["id"]), buyer=Buyer(country=country, postal=postal)
    )
    assert paid.status_code == 200, paid.text
    world.deliver_everything()
    world.issue_invoices()
    (document,) = world.aws.objects().values()
    assert shown in text_of(document)


def test_n4_n5_any_script_and_any_markup_is_text(world: World) -> None:
    hostile = 'Ωμέγα 😀 € <b>x</b> 5 <kg & 3 <lb <img src="/etc/hostname"/>'
    world.paid({"description": hostile})
    world.issue_invoices()
    (document,) = world.aws.objects().values()
    text = text_of(document)
    assert "Ωμέγα" in text
    assert '<img src="/etc/hostname"/>' in text
    assert "<b>x</b> 5 <kg & 3 <lb" in text


# -- the download


def test_the_receipts_token_leads_to_the_document_for_a_minute(world: World) -> None:
    payment = world.paid()
    world.issue_invoices()
    answer = world.download(world.invoice_of(payment), token_on_receipt(world, payment["id"]))
    assert answer.status == 303
    url = urlsplit(answer.headers["location"])
    invoice = world.aws.item("INVOICE#")
    assert url.scheme == "https"
    assert url.hostname is not None
    assert url.hostname.startswith("paylink-test-invoices.s3.")
    assert url.path == f"/{world.seller.organization_id}/sandbox/{invoice['id']}.pdf"
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (
        query["response-content-disposition"] == f'attachment; filename="{invoice["number"]}.pdf"'
    )
    assert query["response-content-type"] == "application/pdf"
    lifetime = query.get("X-Amz-Expires")
    if lifetime is not None:
        assert lifetime == "60"
    else:
        assert abs(int(query["Expires"]) - world.clock().timestamp() - 60) < 5
    assert answer.headers["cache-control"] == "no-store"


def test_wrong_tokens_are_all_answered_like_an_unknown_invoice(world: World) -> None:
    first, second = world.paid(), world.paid()
    world.issue_invoices()
    good = token_on_receipt(world, first["id"])
    instant, _, mac = good.partition(".")
    unknown = world.download("inv_unknown", good)
    assert unknown.status == 404
    wrong = [
        None,
        "",
        ".",
        mac,
        instant,
        f"{int(instant) + 1}.{mac}",
        f"{instant}.{mac[:-1]}{'0' if mac[-1] != '0' else '1'}",
        f"{instant}.{mac.upper()}" if mac.upper() != mac else "x",
        f"{instant}.{mac}0",
        f" {good}",
        f"{good}\n",
        f"+{good}",
        token_on_receipt(world, second["id"]),
        "9" * 12 + "." + mac,
        "٣" + good[1:],
        "x" * 10_000,
    ]
    for token in wrong:
        answer = world.download(world.invoice_of(first), token)
        assert (answer.status, answer.text) == (404, unknown.text), token
        assert "location" not in answer.headers
    assert world.download(world.invoice_of(first), good).status == 303
    for elsewhere in ("", "inv", first["id"], "cn_unknown", "inv_" + "x" * 3000):
        assert world.download(elsewhere, good).status == 404


def test_a_token_is_good_for_an_hour(world: World) -> None:
    payment = world.paid()
    world.issue_invoices()
    token, invoice_id = token_on_receipt(world, payment["id"]), world.invoice_of(payment)
    world.clock.offset += timedelta(minutes=59)
    assert world.download(invoice_id, token).status == 303
    world.clock.offset += timedelta(minutes=2)
    assert world.download(invoice_id, token).status == 404
    assert (
        world.download(world.invoice_of(payment), token_on_receipt(world, payment["id"])).status
        == 303
    )


def test_another_organizations_key_signs_nothing_here(world: World) -> None:
    other = world.new_seller("Other Ltd", "other")
    mine = world.paid()
    theirs = world.create(seller=other)
    world.stripe.pay(world.checkout_url(theirs["id"]))
    world.deliver_everything(other)
    world.issue_invoices()
    foreign = token_on_receipt(world, theirs["id"])
    assert world.download(world.invoice_of(mine), foreign).status == 404
    theirs = world.payment(theirs["id"], other)
    assert world.download(theirs["invoiceId"], foreign).status == 303


def never_stored(world: World) -> tuple[dict[str, Any], dict[str, Any]]:
    """A payment whose invoice has its number and no PDF, and what its queue holds."""
    payment = world.paid()
    world.dispatch()
    event = world.invoice_event()
    world.aws.fail_once("PutObject")
    assert failures_of(world, event) == [event["Records"][0]["messageId"]]
    return payment, event


def test_the_first_download_makes_a_pdf_that_was_never_stored(world: World) -> None:
    payment, event = never_stored(world)
    token = token_on_receipt(world, payment["id"])
    number = world.aws.item("INVOICE#")["number"]
    for _ in range(2):
        assert world.download(world.invoice_of(payment), token).status == 303
    ((_, document),) = world.aws.objects().items()
    assert number in text_of(document)
    assert [name for name, _ in world.aws.calls].count("Invoke") == 1
    assert failures_of(world, event) == []
    assert world.aws.item("INVOICE#")["number"] == number


def test_a_pdf_that_still_cannot_be_made_is_asked_for_again(world: World) -> None:
    payment, _ = never_stored(world)
    token, invoice_id = token_on_receipt(world, payment["id"]), world.invoice_of(payment)
    world.aws.fail_once("PutObject")
    refused = world.download(invoice_id, token)
    assert refused.status == 503
    assert refused.headers["content-type"].startswith("text/html")
    assert world.download(invoice_id, token).status == 303


def test_without_a_good_token_nothing_is_made(world: World) -> None:
    payment, _ = never_stored(world)
    assert world.download(world.invoice_of(payment), "1.0").status == 404
    assert world.aws.objects() == {}
