"""The main job: a link is made, paid in a browser, and its invoice downloaded."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.local.checkout import (
    ASKS_3DS,
    DECLINED,
    PAID,
    expect_receipt,
    fill_buyer,
    fill_card,
    pay,
    press_pay,
)
from tests.local.stack import Stack


def downloaded_invoice(page: Page, folder: Path) -> tuple[str, str]:
    """The suggested name of the receipt page's PDF, and its text."""
    with page.expect_download() as download:
        page.get_by_role("link", name="Download invoice").click()
    file = folder / "invoice.pdf"
    download.value.save_as(file)
    text = "\n".join(part.extract_text() for part in PdfReader(file).pages)
    return download.value.suggested_filename, text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_card_pays_and_the_receipt_downloads_the_invoice(
    stack: Stack, page: Page, tmp_path: Path
) -> None:
    payment = stack.create(amount=4900, currency="eur", description="Consulting, one hour")
    pay(page, payment["url"], PAID)
    paid = stack.await_payment(payment["id"], status="succeeded", invoiceId=...)
    assert (paid["amountSubtotal"], paid["taxAmount"], paid["amountTotal"]) == (4900, 931, 5831)
    assert paid["taxStatus"] == "final"
    assert paid["customerId"].startswith("cus_")
    assert paid["paidAt"] is not None
    expect_receipt(page)
    for amount in ("€49.00", "€9.31", "€58.31"):
        expect(page.get_by_text(amount, exact=True).first).to_be_visible()
    name, text = downloaded_invoice(page, tmp_path)
    number = name.removesuffix(".pdf")
    assert number.startswith("INV-")
    for part in (number, "49,00 €", "9,31 €", "58,31 €", "Consulting, one hour", "Anna Example"):
        assert part in text
    assert "Rechnung" in text
    assert "mit Visa •••• 4242" in text


def test_a_declined_card_says_so_and_the_same_link_can_still_be_paid(
    stack: Stack, page: Page
) -> None:
    payment = stack.create()
    pay(page, payment["url"], DECLINED)
    expect(page.get_by_role("alert").filter(has_text="declined").first).to_be_visible()
    failed = stack.await_payment(payment["id"], status="failed")
    assert failed["failureCode"] == "card_declined"
    assert failed["invoiceId"] is None
    fill_card(page, PAID)
    press_pay(page)
    expect_receipt(page)
    paid = stack.await_payment(payment["id"], status="succeeded", invoiceId=...)
    assert paid["failureCode"] is None


def test_3d_secure_approved_pays(stack: Stack, page: Page) -> None:
    payment = stack.create()
    pay(page, payment["url"], ASKS_3DS)
    approve = page.get_by_role("button", name="Approve")
    expect(approve).to_be_visible()
    stack.await_payment(payment["id"], status="requires_action")
    approve.click()
    expect_receipt(page)
    stack.await_payment(payment["id"], status="succeeded", invoiceId=...)


def test_3d_secure_refused_fails_and_the_link_can_still_be_paid(stack: Stack, page: Page) -> None:
    payment = stack.create()
    pay(page, payment["url"], ASKS_3DS)
    page.get_by_role("button", name="Refuse").click()
    failed = stack.await_payment(payment["id"], status="failed")
    assert failed["failureCode"] == "payment_intent_authentication_failure"
    pay(page, payment["url"], PAID)
    stack.await_payment(payment["id"], status="succeeded", invoiceId=...)


def pay_by_debit(stack: Stack, page: Page, payment: dict[str, str]) -> str:
    """Leaves a bank debit on its way; the payment intent's id."""
    page.goto(payment["url"])
    page.get_by_label("Bank debit").check()
    fill_buyer(page)
    session = stack.session_of(payment)
    press_pay(page)
    stack.await_payment(payment["id"], status="processing")
    expect(page.get_by_text("being confirmed").first).to_be_visible()
    intent: str = stack.stripe(f"checkout/sessions/{session}")["payment_intent"]
    return intent


def test_a_bank_debit_is_processing_until_it_settles(stack: Stack, page: Page) -> None:
    payment = stack.create()
    intent = pay_by_debit(stack, page, payment)
    assert stack.payment(payment["id"])["invoiceId"] is None
    stack.control("POST", f"payment_intents/{intent}/settle")
    stack.await_payment(payment["id"], status="succeeded", invoiceId=...)
    page.goto(payment["url"])
    expect_receipt(page)


def test_a_bounced_debit_fails_and_the_link_gets_a_new_session(stack: Stack, page: Page) -> None:
    payment = stack.create()
    intent = pay_by_debit(stack, page, payment)
    stack.control("POST", f"payment_intents/{intent}/bounce")
    stack.await_payment(payment["id"], status="failed", invoiceId=None)
    page.goto(payment["url"])
    page.get_by_role("button", name="Continue to payment").click()
    fill_buyer(page)
    fill_card(page, PAID)
    press_pay(page)
    expect_receipt(page)
    stack.await_payment(payment["id"], status="succeeded", invoiceId=...)


@pytest.mark.parametrize(
    ("amount", "currency", "country", "postal", "shown"),
    [
        (500, "jpy", "JP", "100-0001", ["¥500", "¥50", "¥550"]),
        (18600, "kwd", "KW", "13001", ["KWD 18.600", "KWD 0.000"]),
    ],
)
def test_currencies_without_two_decimals_are_right_on_page_and_invoice(
    stack: Stack,
    page: Page,
    tmp_path: Path,
    amount: int,
    currency: str,
    country: str,
    postal: str,
    shown: list[str],
) -> None:
    payment = stack.create(amount=amount, currency=currency)
    session = stack.stripe(f"checkout/sessions/{stack.session_of(payment)}")
    assert session["amount_subtotal"] == amount
    pay(page, payment["url"], PAID, country, postal)
    expect_receipt(page)
    _, text = downloaded_invoice(page, tmp_path)
    receipt = page.locator("body").inner_text().replace("\N{NO-BREAK SPACE}", " ")
    for part in shown:
        assert part in receipt
        assert part in text


def test_any_script_and_any_markup_is_text_everywhere(
    stack: Stack, page: Page, tmp_path: Path
) -> None:
    description = "請求書 فاتورة Ωμέγα <script>alert(1)</script><img src=x onerror=alert(1)>"
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    payment = stack.create(description=description)
    assert payment["description"] == description
    pay(page, payment["url"], PAID)
    expect_receipt(page)
    assert description in page.locator("body").inner_text()
    _, text = downloaded_invoice(page, tmp_path)
    assert "請求書" in text
    assert "<script>alert(1)</script>" in text.replace("\n", "")
    assert dialogs == []


def test_the_success_url_gets_the_buyer_back_and_opening_it_pays_nothing(
    stack: Stack, page: Page
) -> None:
    unpaid = stack.create()
    session = stack.session_of(unpaid)
    page.goto(f"{unpaid['url']}?session_id={session}")
    expect(page.get_by_text("being confirmed").first).to_be_visible()
    assert stack.payment(unpaid["id"])["status"] == "pending"
    elsewhere = f"{stack.about['apiUrl'].replace('127.0.0.1', 'localhost')}/thanks"
    payment = stack.create(successUrl=elsewhere + "?order=7&session={CHECKOUT_SESSION_ID}")
    session = stack.session_of(payment)
    pay(page, payment["url"], PAID)
    page.wait_for_url(f"{elsewhere}?order=7&session={session}")
