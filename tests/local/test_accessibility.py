"""Every page that buyers see, checked by axe and used by keyboard. Needs a browser but no stack."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest
from babel import Locale
from playwright.sync_api import Browser, Page

from paylink.domain.language import LANGUAGES
from paylink.presentation.pages import Page as Rendered
from paylink.presentation.pages import payable_page
from tests.unit.test_pages import CHECKOUT, EN, LOGO, SELLER, a_payment, every_page

PHONE, DESK = {"width": 360, "height": 740}, {"width": 1280, "height": 900}

pytestmark = pytest.mark.filterwarnings("ignore:The force_frac parameter:DeprecationWarning")


def violations(page: Page, rendered: Rendered, axe: Path) -> list[str]:
    page.set_content(rendered.html)
    page.add_script_tag(path=axe)
    found: dict[str, Any] = page.evaluate("axe.run()")
    assert found["passes"]
    return [
        f"{violation['id']}: {node['html']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]


def pages_in(locale: Locale) -> list[Rendered]:
    with_code = payable_page(
        a_payment(url="https://pay.example.com/pay/pay_1"), SELLER, locale, [CHECKOUT]
    )
    return [with_code, *every_page(locale=locale, seller=replace(SELLER, logo=LOGO))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_axe_finds_nothing_on_any_page(
    browser: Browser, npm_packages: Path, scheme: Literal["light", "dark"], size: dict[str, int]
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport=size)  # type: ignore[arg-type]
    axe = npm_packages / "axe-core" / "axe.min.js"
    try:
        for rendered in pages_in(EN):
            assert violations(page, rendered, axe) == []
    finally:
        page.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_language_is_wider_than_a_phone(browser: Browser, language: str) -> None:
    page = browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    try:
        for rendered in pages_in(Locale.parse(language, sep="-")):
            page.set_content(rendered.html)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    finally:
        page.close()


def test_the_button_is_reached_by_keyboard_and_shows_it(browser: Browser) -> None:
    page = browser.new_page(viewport=DESK)  # type: ignore[arg-type]
    try:
        page.set_content(payable_page(a_payment(), SELLER, EN, [CHECKOUT]).html)
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        assert focused.inner_text() == "Continue to payment"
        outline = focused.evaluate("element => getComputedStyle(element).outlineStyle")
        assert outline == "solid"
    finally:
        page.close()
