"""The checkout page in a real browser, as a buyer uses it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe
from playwright.sync_api import Browser, Page, expect

from tests.stripe_sandbox.harness import Server

Make = Callable[..., stripe.checkout.Session]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    contexts = []
    problems: list[str] = []

    def make(**options: Any) -> Page:
        context = browser.new_context(**{"locale": "en-US", **options})
        context.set_default_timeout(8000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on(
            "console",
            lambda line: problems.append(line.text) if "Content Security" in line.text else None,
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert not problems


def fill(page: Page, card: str | None = "4242 4242 4242 4242", country: str = "DE") -> None:
    page.get_by_label("Email").fill("ada@example.com")
    if card:
        page.get_by_label("Card number").fill(card)
        page.get_by_label("Expiry").fill("12 / 34")
        page.get_by_label("CVC").fill("123")
    page.get_by_label("Name").fill("Ada Lovelace")
    page.get_by_label("Country").select_option(country)
    page.get_by_label("Postal code").fill("10115")


def pay(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Pay")).click()


@pytest.fixture
def session(sandbox: Server, new_session: Make) -> stripe.checkout.Session:
    return new_session(
        success_url=f"{sandbox.url}/?ok={{CHECKOUT_SESSION_ID}}",
        cancel_url=f"{sandbox.url}/?canceled",
        automatic_tax={"enabled": True},
    )


def test_tax_follows_the_address_and_a_card_pays(
    open_page: Callable[..., Page], session: stripe.checkout.Session
) -> None:
    page = open_page()
    page.goto(str(session.url))
    expect(page.get_by_text("Enter your address")).to_be_visible()
    expect(page.get_by_text("Sandbox", exact=True)).to_be_visible()
    fill(page, country="FR")
    expect(page.get_by_role("button", name=re.compile("^Pay"))).to_have_text(re.compile("€120.00"))
    page.get_by_label("Country").select_option("DE")
    expect(page.get_by_text("VAT 19%")).to_be_visible()
    pay(page)
    page.wait_for_url(f"**/?ok={session.id}")
    page.goto("about:blank")
    answer = page.goto(str(session.url))
    assert answer
    assert answer.status == 200
    expect(page.get_by_text("all done here")).to_be_visible()


def test_a_decline_is_told_in_place_and_another_card_pays(
    open_page: Callable[..., Page], session: stripe.checkout.Session
) -> None:
    page = open_page()
    page.goto(str(session.url))
    fill(page, "4000 0000 0000 9995")
    pay(page)
    expect(page.get_by_role("alert")).to_have_text("Your card has insufficient funds.")
    expect(page.get_by_label("Email")).to_have_value("ada@example.com")
    page.get_by_label("Card number").fill("4242 4242 4242 4242")
    page.get_by_label("CVC").fill("123")
    pay(page)
    page.wait_for_url("**/?ok=*")


def test_wrong_fields_are_told_at_the_field(
    open_page: Callable[..., Page], session: stripe.checkout.Session
) -> None:
    page = open_page()
    page.goto(str(session.url))
    fill(page, "4242 4242 4242 4241")
    page.get_by_label("Email").fill("ada")
    page.get_by_label("Expiry").fill("01 / 20")
    page.get_by_label("CVC").fill("12")
    pay(page)
    for text in ("card number is invalid", "in the past", "has 3 digits", "Enter an email"):
        expect(page.get_by_text(text)).to_be_visible()
    expect(page.get_by_label("Email")).to_be_focused()


def test_three_d_secure_refused_then_approved(
    open_page: Callable[..., Page], session: stripe.checkout.Session
) -> None:
    page = open_page()
    page.goto(str(session.url))
    fill(page, "4000 0000 0000 3220")
    pay(page)
    page.get_by_role("button", name="Refuse").click()
    expect(page.get_by_role("alert")).to_contain_text("unable to authenticate")
    fill(page, "4000 0000 0000 3220")
    pay(page)
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/?ok=*")


def test_a_bank_debit_on_a_phone(
    open_page: Callable[..., Page], session: stripe.checkout.Session
) -> None:
    page = open_page(viewport={"width": 360, "height": 740}, locale="de-DE")
    page.goto(str(session.url))
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 360
    expect(page.get_by_label("Country")).to_have_value("DE")
    page.get_by_label("Bank debit").check()
    expect(page.get_by_label("Card number")).to_be_hidden()
    fill(page, card=None)
    pay(page)
    page.wait_for_url("**/?ok=*")
    page.goto("about:blank")
    page.goto(str(session.url))
    expect(page.get_by_text("payment is processing")).to_be_visible()


def test_a_double_click_pays_once(
    open_page: Callable[..., Page], sandbox: Server, session: stripe.checkout.Session
) -> None:
    page = open_page()
    page.goto(str(session.url))
    fill(page)
    page.get_by_role("button", name=re.compile("^Pay")).dblclick()
    page.wait_for_url("**/?ok=*")
    assert len(sandbox.client().v1.charges.list().data) == 1


def test_everything_works_without_javascript(
    open_page: Callable[..., Page], session: stripe.checkout.Session
) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(str(session.url))
    fill(page, "4000 0000 0000 0002")
    pay(page)
    expect(page.get_by_role("alert")).to_have_text("Your card was declined.")
    expect(page.get_by_label("Name")).to_have_value("Ada Lovelace")
    fill(page, "4000 0000 0000 3220")
    pay(page)
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/?ok=*")


def test_click_to_fill_and_the_way_back(
    open_page: Callable[..., Page], session: stripe.checkout.Session
) -> None:
    page = open_page()
    page.goto(str(session.url))
    page.get_by_text("Test cards", exact=True).click()
    page.get_by_role("button", name=re.compile("Mastercard")).click()
    expect(page.get_by_label("Card number")).to_have_value("5555 5555 5555 4444")
    page.get_by_role("link", name="Back").click()
    page.wait_for_url("**/?canceled")


def test_hostile_texts_stay_text(
    open_page: Callable[..., Page], sandbox: Server, new_session: Make
) -> None:
    evil = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>請求書 فاتورة'
    sandbox.control("POST accounts/acct_acme", {"business_profile": {"name": evil}})
    session = new_session(
        price={"product_data": {"name": evil, "description": evil}}, customer_email="a@b.example"
    )
    page = open_page()
    page.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    page.goto(str(session.url))
    expect(page.get_by_text(evil).first).to_be_visible()
    assert page.locator("img").count() == 0
    expect(page.get_by_label("Email")).to_have_value("a@b.example")
    policy = sandbox.http.get(f"/c/pay/{session.id}").headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_unknown_and_expired_checkouts(
    sandbox: Server, client: stripe.StripeClient, session: stripe.checkout.Session
) -> None:
    assert sandbox.http.get("/c/pay/cs_test_none").status_code == 404
    client.v1.checkout.sessions.expire(session.id)
    page = sandbox.http.get(f"/c/pay/{session.id}")
    assert page.status_code == 410
    assert "has expired" in page.text


def test_a_known_customer_is_prefilled(
    open_page: Callable[..., Page], client: stripe.StripeClient, new_session: Make
) -> None:
    customer = client.v1.customers.create(
        {
            "email": "known@example.com",
            "name": "Known Buyer",
            "address": {"country": "AT", "postal_code": "1010"},
        }
    )
    session = new_session(
        customer=customer.id,
        automatic_tax={"enabled": True},
        customer_update={"address": "auto", "name": "auto"},
    )
    assert session.amount_total == 12000
    page = open_page()
    page.goto(str(session.url))
    expect(page.get_by_label("Email")).to_have_value("known@example.com")
    expect(page.get_by_label("Name")).to_have_value("Known Buyer")
    expect(page.get_by_label("Country")).to_have_value("AT")
    expect(page.get_by_label("Postal code")).to_have_value("1010")
    expect(page.get_by_text("VAT 20%")).to_be_visible()


@pytest.mark.parametrize(
    ("typed", "shown"),
    [("12 / 34", "12 / 34"), ("1234", "12 / 34"), ("3/34", "03 / 34"), ("12/2034", "12 / 2034")],
)
def test_typed_key_by_key(
    open_page: Callable[..., Page], session: stripe.checkout.Session, typed: str, shown: str
) -> None:
    page = open_page()
    page.goto(str(session.url))
    page.get_by_label("Card number").press_sequentially("4242 4242 4242 4242")
    page.get_by_label("Expiry").press_sequentially(typed)
    expect(page.get_by_label("Card number")).to_have_value("4242 4242 4242 4242")
    expect(page.get_by_label("Expiry")).to_have_value(shown)


def test_paid_by_keyboard_alone(
    open_page: Callable[..., Page], session: stripe.checkout.Session
) -> None:
    page = open_page(locale="de-DE")
    page.goto(str(session.url))
    page.get_by_label("Email").focus()
    page.keyboard.type("ada@example.com")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Card", exact=True)).to_be_focused()
    for text in ("4242424242424242", "1234", "123", "Ada Lovelace"):
        page.keyboard.press("Tab")
        page.keyboard.type(text)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.type("10115")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?ok=*")


def test_a_checkout_that_ends_while_its_page_is_open(
    open_page: Callable[..., Page], client: stripe.StripeClient, session: stripe.checkout.Session
) -> None:
    page = open_page()
    page.goto(str(session.url))
    fill(page)
    client.v1.checkout.sessions.expire(session.id)
    pay(page)
    expect(page.get_by_text("This checkout has expired")).to_be_visible()
    assert not client.v1.charges.list().data
