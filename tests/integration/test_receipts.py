"""From an issued invoice to the mail that its buyer gets."""

from __future__ import annotations

import io
from email.message import EmailMessage
from typing import Any

import pypdf
import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from tests.integration.aws import RECEIPT_SENDER
from tests.integration.world import BASE_URL, Answer, Seller, World, http_event, sample_event

SEND = "POST /invoices/{invoiceId}/send"


def mail_event(world: World) -> dict[str, Any]:
    """A payment was paid and its invoice issued; what the receipts' queue holds then."""
    world.paid()
    world.issue_invoices()
    return world.mail_event()


def failures_of(world: World, event: dict[str, Any]) -> list[str]:
    try:
        answer = world.invoke("send_mails", event)
    except BatchProcessingError:
        return [record["messageId"] for record in event["Records"]]
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def attached(mail: EmailMessage) -> str:
    (pdf,) = mail.iter_attachments()
    pages = pypdf.PdfReader(io.BytesIO(pdf.get_content())).pages
    return " ".join(page.extract_text() for page in pages)


def send(
    world: World, invoice_id: str, *, seller: Seller | None = None, key: str | None = None
) -> Answer:
    event = http_event("send_invoice", parameters={"invoiceId": invoice_id})
    del event["headers"]["idempotency-key"]
    event["headers"]["x-api-key"] = (seller or world.seller).api_key
    event["headers"] |= {"idempotency-key": key} if key is not None else {}
    return world.http("send_invoice", event)


def test_the_buyer_gets_a_receipt_with_the_invoice(world: World) -> None:
    event = mail_event(world)
    for _ in range(2):
        assert failures_of(world, event) == []
    (mail,) = world.aws.mails()
    invoice = world.aws.item("INVOICE#")
    assert str(mail["To"]) == invoice["buyer"]["email"]
    assert mail["From"].addresses[0].addr_spec == RECEIPT_SENDER
    assert mail["From"].addresses[0].display_name == "Example Studio GmbH"
    assert invoice["number"] in attached(mail)
    text = mail.get_body(("plain",))
    assert text is not None
    # The stack's own address: no request tells it here.
    assert f"/documents/{invoice['id']}?token=" in text.get_content()
    assert world.aws.item("RECEIPT#")["outcome"] == "sent"


def test_invoice_and_receipt_are_in_the_language_of_the_browser_that_went_on(world: World) -> None:
    payment = world.create()
    world.pass_time(hours=25)
    opened = world.press_continue(
        payment["id"], headers={"accept-language": "pl, fr-CA;q=0.9, en;q=0.5"}
    )
    assert world.stripe.pay(opened.headers["location"]).status_code == 200
    world.deliver_everything()
    world.issue_invoices()
    assert failures_of(world, world.mail_event()) == []
    assert world.aws.item("INVOICE#")["language"] == "fr-DE"
    (mail,) = world.aws.mails()
    html = mail.get_body(("html",))
    assert html is not None
    assert '<html lang="fr' in html.get_content()
    assert "Facture" in attached(mail)


@pytest.mark.parametrize("code", ["TooManyRequestsException", "MessageRejected", "LimitExceeded"])
def test_a_failing_mail_service_touches_nothing_and_is_tried_again(world: World, code: str) -> None:
    event = mail_event(world)
    payments, invoices = world.aws.items("PAYMENT#"), world.aws.items("INVOICE#")
    world.aws.fail_once("SendEmail", code)
    assert failures_of(world, event) == [event["Records"][0]["messageId"]]
    assert (world.aws.items("PAYMENT#"), world.aws.items("INVOICE#")) == (payments, invoices)
    assert failures_of(world, event) == []
    assert len(world.aws.mails()) == 1


def test_a_refused_address_is_not_tried_again(world: World) -> None:
    event = mail_event(world)
    world.aws.fail_once("SendEmail", "BadRequestException")
    for _ in range(2):
        assert failures_of(world, event) == []
    assert world.aws.mails() == []
    assert world.aws.item("RECEIPT#")["outcome"] == "refused"


def test_d6_one_broken_message_of_ten_is_reported_alone(world: World) -> None:
    good = [mail_event(world)["Records"][0] for _ in range(3)]
    (sample,) = sample_event("send_mails")["Records"]
    broken = [
        {**sample, "messageId": "unknown"},
        {**sample, "messageId": "no json", "body": "{"},
        {**sample, "messageId": "no detail", "body": "{}"},
    ]
    event = {"Records": [good[0], *broken, *good[1:]]}
    assert failures_of(world, event) == ["unknown", "no json", "no detail"]
    assert len(world.aws.mails()) == 3


def test_a_seller_opts_out_by_the_operators_command(world: World) -> None:
    seller = world.seller.organization_id
    shown = world.operator("organizations", "update", seller, "--no-receipts")
    assert shown["receipts"] is False
    assert failures_of(world, mail_event(world)) == []
    assert world.aws.mails() == []
    world.operator("organizations", "update", seller, "--name", "Example Studio GmbH")
    assert world.operator("organizations", "show", seller)["receipts"] is False
    world.operator("organizations", "update", seller, "--receipts")
    # A container keeps the settings for a minute.
    world.new_container()
    assert failures_of(world, mail_event(world)) == []
    assert len(world.aws.mails()) == 1


def test_the_seller_sends_an_invoice_again(world: World) -> None:
    mail_event(world)
    invoice = world.aws.item("INVOICE#")
    for _ in range(2):
        answer = send(world, invoice["id"])
        assert answer.status == 200, answer.text
        assert set(answer.data) == {"object", "id", "livemode", "sent", "sentAt"}
        assert (answer.data["sent"], answer.data["id"]) == (True, invoice["id"])
    first, second = world.aws.mails()
    assert str(first["Subject"]) == str(second["Subject"])
    assert invoice["number"] in str(first["Subject"])
    assert invoice["number"] in attached(second)
    body = first.get_body(("html",))
    assert body is not None
    assert f"{BASE_URL}/documents/{invoice['id']}?token=" in body.get_content()


def test_under_a_key_it_is_sent_once(world: World) -> None:
    mail_event(world)
    invoice_id = world.aws.item("INVOICE#")["id"]
    first, again = (send(world, invoice_id, key="K") for _ in range(2))
    assert again.json == first.json
    assert again.headers["idempotent-replayed"] == "true"
    assert len(world.aws.mails()) == 1


def test_a_mail_service_that_is_down_is_a_503_and_the_key_is_free(world: World) -> None:
    mail_event(world)
    invoice_id = world.aws.item("INVOICE#")["id"]
    world.aws.fail_once("SendEmail", "TooManyRequestsException")
    assert send(world, invoice_id, key="K").status == 503
    assert send(world, invoice_id, key="K").status == 200
    assert len(world.aws.mails()) == 1


def test_sending_says_what_is_in_its_way(world: World) -> None:
    mail_event(world)
    invoice_id = world.aws.item("INVOICE#")["id"]
    world.aws.fail_once("SendEmail", "BadRequestException")
    refused = (409, "conflict_error", "email_not_sendable")
    assert send(world, invoice_id).refused() == refused
    world.template.set_parameter("ReceiptSender", "")
    world.new_container()
    answer = send(world, invoice_id)
    assert answer.refused() == refused
    assert "ReceiptSender" in answer.error["message"]
    assert world.aws.mails() == []


def test_nobody_sends_what_is_not_theirs(world: World) -> None:
    mail_event(world)
    other = world.new_seller("Other Ltd", "other")
    for invoice_id, seller in ((world.aws.item("INVOICE#")["id"], other), ("inv_unknown", None)):
        answer = send(world, invoice_id, seller=seller)
        assert answer.refused() == (404, "not_found_error", "invoice_not_found")
    assert world.aws.mails() == []
