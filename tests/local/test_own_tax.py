"""A seller with rates of their own: buyers say where they are, and all show the same numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.local.checkout import PAID, expect_receipt, fill_buyer, fill_card, press_pay
from tests.local.stack import Stack
from tests.local.test_pay import downloaded_invoice

FRENCH = "FR40303265045"


@pytest.fixture
def seller(stack: Stack) -> Iterator[Stack]:
    """The stack as the organization with own rates sees it."""
    with_rates = Stack({**stack.about, "apiKey": stack.about["ownRatesApiKey"]}, stack.state)
    yield with_rates
    with_rates.close()


@pytest.fixture
def plain_page(browser: Browser) -> Iterator[Page]:
    """A browser without scripts."""
    context = browser.new_context(java_script_enabled=False)
    yield context.new_page()
    context.close()


def shown_on(page: Page) -> str:
    return page.locator("body").inner_text().replace("\N{NO-BREAK SPACE}", " ")


def pay_at_checkout(page: Page) -> str:
    """Pays as somebody in Paris; what the checkout showed before."""
    page.get_by_label("Card number").wait_for()
    shown = shown_on(page)
    fill_buyer(page, "FR", "75001")
    fill_card(page, PAID)
    press_pay(page)
    expect_receipt(page)
    return shown


@pytest.mark.parametrize(
    ("number", "tax", "amounts", "printed"),
    [
        ("", 980, ("€49.00", "€9.80", "€58.80"), ("TVA 20%", "49,00 €", "9,80 €", "58,80 €")),
        (
            *("fr 40 303 265 045", 0, ("€49.00",)),
            ("Reverse charge", "49,00 €", FRENCH, "DE136695976"),
        ),
    ],
)
def test_a_french_buyer_says_so_and_sees_the_same_numbers_everywhere(
    seller: Stack,
    page: Page,
    tmp_path: Path,
    number: str,
    tax: int,
    amounts: tuple[str, ...],
    printed: tuple[str, ...],
) -> None:
    payment = seller.create()
    assert (payment["taxAmount"], payment["taxStatus"]) == (0, "pending")
    page.goto(payment["url"])
    page.get_by_label("Country").select_option("FR")
    page.get_by_label("VAT ID").fill(number)
    page.get_by_role("button", name="Continue to payment").click()
    checkout = pay_at_checkout(page)
    paid = seller.await_payment(payment["id"], status="succeeded", invoiceId=...)
    assert (paid["amountSubtotal"], paid["taxAmount"]) == (4900, tax)
    assert (paid["amountTotal"], paid["taxStatus"]) == (4900 + tax, "final")
    receipt = shown_on(page)
    _, text = downloaded_invoice(page, tmp_path)
    for amount in amounts:
        assert amount in checkout
        assert amount in receipt
    # The words are of the language that the browser named, the numbers as France writes them.
    for part in printed:
        assert part in re.sub(r"\s+", " ", text)
    assert ("Reverse charge" in text) == (tax == 0)


def test_a_buyer_goes_back_and_corrects_the_country(seller: Stack, page: Page) -> None:
    payment = seller.create()
    page.goto(payment["url"])
    page.get_by_label("Country").select_option("DE")
    page.get_by_role("button", name="Continue to payment").click()
    page.get_by_label("Card number").wait_for()
    assert "€58.31" in shown_on(page)
    page.get_by_role("link", name="Back").click()
    country = page.get_by_label("Country")
    expect(country).to_have_value("DE")
    country.select_option("FR")
    page.get_by_role("button", name="Continue to payment").click()
    assert "€58.80" in pay_at_checkout(page)
    paid = seller.await_payment(payment["id"], status="succeeded", invoiceId=...)
    assert (paid["taxAmount"], paid["amountTotal"]) == (980, 5880)


def test_mistakes_are_shown_beside_their_fields_without_scripts(
    seller: Stack, plain_page: Page
) -> None:
    payment = seller.create()
    plain_page.goto(payment["url"])
    plain_page.get_by_label("Country").select_option("FR")
    plain_page.get_by_label("VAT ID").fill('"><b>FR1')
    plain_page.get_by_role("button", name="Continue to payment").click()
    number = plain_page.get_by_label("VAT ID")
    expect(number).to_have_value('"><b>FR1')
    expect(number).to_have_accessible_description(re.compile("no VAT ID of the chosen country"))
    expect(number).to_have_attribute("aria-invalid", "true")
    number.fill("")
    plain_page.get_by_label("Country").select_option("CA")
    plain_page.get_by_role("button", name="Continue to payment").click()
    expect(plain_page.get_by_text("Please choose your region.")).to_be_visible()
    plain_page.get_by_label("Region").select_option("ON")
    plain_page.get_by_role("button", name="Continue to payment").click()
    plain_page.wait_for_url(f"{seller.about['stripeUrl']}/c/pay/**")
    found = seller.payment(payment["id"])
    assert (found["taxAmount"], found["amountTotal"], found["taxStatus"]) == (637, 5537, "final")
