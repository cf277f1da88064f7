"""What buyers find in their mailbox, and what becomes of a mail that can't be sent."""

from __future__ import annotations

import io
import json
import re
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pypdf
import pytest
from playwright.sync_api import Page, expect

from tests.local.stack import Stack, wait_for
from tests.local.trouble import Trouble

HOSTILE = '"><img src=x onerror=alert(1)></td></table><script>alert(1)</script>'


def mails_about(stack: Stack, text: str) -> list[dict[str, Any]]:
    """Of the mailbox, those whose text names something; oldest first."""
    accounts = httpx.get(stack.about["mailboxUrl"], trust_env=False).json()["messages"]
    return [mail for mails in accounts.values() for mail in mails if text in mail["BodyText"]]


def await_mails(stack: Stack, text: str, count: int) -> list[dict[str, Any]]:
    def look() -> list[dict[str, Any]] | None:
        found = mails_about(stack, text)
        return found if len(found) >= count else None

    return wait_for(look, f"{count} mails about {text}", 40)


def pay_for(stack: Stack, description: str) -> dict[str, Any]:
    """A link paid for, with its invoice."""
    payment = stack.create(description=description)
    stack.pay_by_form(payment["url"])
    return stack.await_payment(payment["id"], status="succeeded", invoiceId=...)


def send(stack: Stack, invoice_id: str, **headers: str) -> httpx.Response:
    key = {"x-api-key": stack.about["apiKey"]}
    return stack.http.post(f"/invoices/{invoice_id}/send", headers={**key, **headers})


def test_who_paid_finds_a_receipt_with_the_invoice(stack: Stack, page: Page) -> None:
    description = f"Consulting {uuid.uuid4()}"
    payment = pay_for(stack, description)
    (mail,) = await_mails(stack, description, 1)
    assert mail["To"] == ["anna@example.com"]
    (item,) = stack.items(f"INVOICE#{payment['invoiceId']}")
    assert item["number"] in mail["BodyText"]
    link = re.search(r"http://\S+/documents/\S+", mail["BodyText"])
    assert link is not None
    assert stack.download(link[0]).startswith(b"%PDF-")

    page.goto(stack.about["mailboxUrl"])
    page.get_by_role("link", name=mail["Subject"]).first.click()
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text(description)).to_be_visible()
    logo = frame.get_by_role("img", name="Example Studio GmbH")
    assert logo.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    expect(page.locator("pre").get_by_text(description)).to_be_visible()
    address = page.get_by_role("link", name=f"{item['number']}.pdf").get_attribute("href")
    assert address is not None
    url = f"{stack.about['awsEndpointUrl']}{address}"
    pdf = httpx.get(url, trust_env=False)
    assert pdf.headers["content-type"] == "application/pdf"
    assert description in " ".join(
        part.extract_text() for part in pypdf.PdfReader(io.BytesIO(pdf.content)).pages
    ).replace("\n", " ")


def test_an_invoice_is_sent_again_when_asked_for(stack: Stack) -> None:
    description = f"Consulting {uuid.uuid4()}"
    payment = pay_for(stack, description)
    await_mails(stack, description, 1)
    key = {"idempotency-key": str(uuid.uuid4())}
    for _ in range(2):
        answer = send(stack, payment["invoiceId"], **key)
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["sent"] is True
    assert len(mails_about(stack, description)) == 2
    missing = send(stack, "inv_unknown")
    assert missing.status_code == 404


def test_hostile_descriptions_are_text_in_the_mail(stack: Stack, page: Page) -> None:
    description = f"{uuid.uuid4()} {HOSTILE}"
    pay_for(stack, description)
    (mail,) = await_mails(stack, description, 1)
    page.goto(f"{stack.about['mailboxUrl']}/{mail['MessageId']}")
    frame = page.frame_locator("iframe")
    expect(frame.get_by_text(description)).to_be_visible()
    assert frame.locator("img:not(.logo), script").count() == 0
    assert page.locator("img, script").count() == 0


@pytest.fixture
def dead_post(stack: Stack) -> Iterator[None]:
    """SES no longer knows our sender."""
    mail = stack.aws("sesv2")
    sender = mail.list_email_identities()["EmailIdentities"][0]["IdentityName"]
    mail.delete_email_identity(EmailIdentity=sender)
    yield
    mail.create_email_identity(EmailIdentity=sender)


@pytest.mark.usefixtures("dead_post")
def test_a_mail_that_fails_touches_nothing_and_ends_in_the_dead_letters(
    stack: Stack, trouble: Trouble
) -> None:
    description = f"Consulting {uuid.uuid4()}"
    payment = pay_for(stack, description)
    queues = stack.aws("sqs")
    outputs = stack.aws("cloudformation").describe_stacks(StackName=stack.about["stackName"])
    (dead,) = (
        output["OutputValue"]
        for output in outputs["Stacks"][0]["Outputs"]
        if output["OutputKey"] == "MailDeadLettersUrl"
    )

    def given_up() -> bool:
        received = queues.receive_message(
            QueueUrl=dead, MaxNumberOfMessages=10, VisibilityTimeout=1
        )
        bodies = [json.loads(message["Body"]) for message in received.get("Messages", [])]
        return any(body["detail"]["data"]["invoiceId"] == payment["invoiceId"] for body in bodies)

    with trouble.soon_again("send_mails", 2):
        wait_for(given_up, "the receipt among the dead letters", 120)
    assert mails_about(stack, description) == []
    assert stack.payment(payment["id"])["status"] == "succeeded"
    refused = send(stack, payment["invoiceId"])
    assert refused.status_code == 503
    link = stack.http.get(
        f"/invoices/{payment['invoiceId']}/download", headers={"x-api-key": stack.about["apiKey"]}
    )
    assert stack.download(link.json()["data"]["url"]).startswith(b"%PDF-")


def test_whoever_is_refunded_finds_the_credit_note_on_the_receipt_and_in_the_mailbox(
    stack: Stack, page: Page
) -> None:
    payment = pay_for(stack, f"Consulting {uuid.uuid4()}")
    stored = stack.stored(f"PAYMENT#{payment['id']}", "PAYMENT")
    path = f"/transactions/{stored['settlement']['transaction_id']}/refund"
    refund = stack.call("POST", path, {"amount": 1000})

    def noted() -> dict[str, Any] | None:
        found = stack.call("GET", "/credit-notes?limit=100")
        return next((note for note in found if note["refundId"] == refund["id"]), None)

    note = wait_for(noted, "the refund's credit note")
    page.goto(payment["url"])
    expect(page.get_by_text("€10.00")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("link", name=f"Download credit note {note['creditNoteNumber']}").click()
    assert download.value.suggested_filename == f"{note['creditNoteNumber']}.pdf"
    text = pypdf.PdfReader(download.value.path()).pages[0].extract_text()
    assert note["creditNoteNumber"] in text
    assert note["invoiceNumber"] in text
    (mail,) = await_mails(stack, note["creditNoteNumber"], 1)
    assert mail["To"] == ["anna@example.com"]
    link = re.search(r"http://\S+/documents/cn_\S+", mail["BodyText"])
    assert link is not None
    assert stack.download(link[0]).startswith(b"%PDF-")
