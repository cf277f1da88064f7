"""Sellers' colours: what can't be read is refused, and what is shown in the dark is lightened."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.color import (
    LEAST_CONTRAST,
    WHITE,
    accent_color,
    contrast_of,
    hex_color,
    lightened,
    parse_color,
)
from paylink.presentation.pages import payable_page
from tests.unit.test_pages import CHECKOUT, EN, SELLER, Reader, a_payment, policy_of

DARK = (26, 33, 30)
colors = st.tuples(*[st.integers(0, 255)] * 3)


def test_black_and_white_differ_most() -> None:
    assert contrast_of((0, 0, 0), WHITE) == pytest.approx(21)
    assert contrast_of(WHITE, WHITE) == 1
    assert contrast_of((0x76, 0x76, 0x76), WHITE) == pytest.approx(4.54, abs=0.01)
    # Where the curve of sRGB is a straight line: 10 of 255 are 0.3 % of the light.
    assert contrast_of((10, 10, 10), (0, 0, 0)) == pytest.approx(1.0607, abs=0.0001)


@pytest.mark.parametrize("text", ["#1F5F4F", "1f5f4f", " #1f5f4f "])
def test_a_colour_is_kept_in_one_form(text: str) -> None:
    assert accent_color(text) == "#1f5f4f"


@pytest.mark.parametrize(
    "text", ["", "red", "#fff", "#1f5f4", "#1f5f4f00", "#ffcc00", "#ffffff", "#1f5f4f;}", "٠" * 6]
)
def test_what_is_no_colour_or_too_light_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a colour|is too light"):
        accent_color(text)


@given(colors)
def test_every_colour_can_be_read_in_the_dark_once_lightened(color: tuple[int, int, int]) -> None:
    assert contrast_of(lightened(color, DARK), DARK) >= LEAST_CONTRAST


@pytest.mark.parametrize(
    ("color", "shown"),
    [
        ("#b3e5fc", "#b3e5fc"),
        ("#1f5f4f", "#628f84"),
        ("#7a1fa2", "#af79c7"),
        ("#000000", "#8c8c8c"),
    ],
)
def test_in_the_dark_a_colour_gets_no_more_white_than_it_takes(color: str, shown: str) -> None:
    assert hex_color(lightened(parse_color(color), DARK)) == shown


@pytest.mark.parametrize("accent", ["#000000", "#7a1fa2", "#b3261e", "#0b57d0", "#595959"])
def test_a_page_has_the_sellers_colour_in_light_and_dark_and_its_texts_can_be_read(
    accent: str,
) -> None:
    page = payable_page(a_payment(), replace(SELLER, accent=accent), EN, [CHECKOUT])
    plain = payable_page(a_payment(), SELLER, EN, [CHECKOUT])
    digest = base64.b64encode(hashlib.sha256(Reader(page).style.encode()).digest()).decode()
    assert policy_of(page)["style-src"] == f"'sha256-{digest}'"
    assert policy_of(plain)["style-src"] != policy_of(page)["style-src"]
    light, dark = re.findall(r"{--accent: (#[0-9a-f]{6});", page.html)
    (on_dark,) = re.findall(r"--on-accent: (#[0-9a-f]{6});}}", page.html)
    assert light == accent
    assert contrast_of(parse_color(dark), parse_color(on_dark)) >= LEAST_CONTRAST
