"""The reference in a browser: whole without a script, narrow on a phone, and where errors lead."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.local.stack import Stack


@pytest.mark.parametrize("colors", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1400])
def test_page_needs_no_script_and_fits(
    stack: Stack, browser: Browser, width: int, colors: str
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800},
        color_scheme="dark" if colors == "dark" else "light",
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    url = f"{stack.about['apiUrl']}/docs"
    page.goto(url)
    assert page.locator("article#createPayment h3").inner_text() == "Make a payment link"
    assert page.locator("script").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (colors == "light")
    page.locator("article#createPayment summary").first.click()
    assert page.get_by_text("export interface CreatePayment {").first.is_visible()
    assert (said, asked) == ([], [url])
    context.close()


def test_an_errors_doc_url_is_its_page(stack: Stack, browser: Browser) -> None:
    refused = stack.http.get("/payments", headers={"x-api-key": "wrong"}).json()
    page = browser.new_page()
    answer = page.goto(refused["error"]["doc_url"])
    assert answer is not None
    assert answer.status == 200
    assert page.locator("h1").inner_text() == "unauthorized"
    page.get_by_role("link", name="Errors").click()
    assert page.url == f"{stack.about['apiUrl']}/docs#errors"
    page.close()
