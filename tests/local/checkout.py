"""The buyer at the checkout page, finding fields as a screen reader would."""

from __future__ import annotations

from playwright.sync_api import Page, expect

PAID = "4242 4242 4242 4242"
DECLINED = "4000 0000 0000 0002"
ASKS_3DS = "4000 0000 0000 3220"
DISPUTED = "4000 0000 0000 0259"


def fill_buyer(page: Page, country: str = "DE", postal_code: str = "10115") -> None:
    page.get_by_label("Email").fill("anna@example.com")
    page.get_by_label("Name").fill("Anna Example")
    page.get_by_label("Country").select_option(country)
    page.get_by_label("Postal code").fill(postal_code)


def fill_card(page: Page, number: str) -> None:
    page.get_by_label("Card number").fill(number)
    page.get_by_label("Expiry").fill("12 / 34")
    page.get_by_label("CVC").fill("123")


def press_pay(page: Page) -> None:
    page.get_by_role("button", name="Pay").click()


def pay(page: Page, url: str, number: str, country: str = "DE", postal: str = "10115") -> None:
    """Opens a link and tries to pay it by card."""
    page.goto(url)
    fill_buyer(page, country, postal)
    fill_card(page, number)
    press_pay(page)


def expect_receipt(page: Page) -> None:
    """The receipt with its invoice, which comes by itself."""
    expect(page.get_by_role("heading", name="Payment received")).to_be_visible(timeout=15_000)
    expect(page.get_by_role("link", name="Download invoice")).to_be_visible(timeout=20_000)
