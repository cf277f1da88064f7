"""`GET /payments/{paymentId}/qr`: the link as an image that a phone's camera reads."""

from __future__ import annotations

import base64
import io
import re

import pytest
import segno
from PIL import Image

from tests.integration.test_charge_payment import customer_with_card
from tests.integration.world import Answer, World, http_event


def qr(
    world: World, payment_id: str, query: dict[str, str] | None = None, accept: str = "*/*"
) -> Answer:
    event = http_event(
        "get_payment",
        route="GET /payments/{paymentId}/qr",
        headers={"x-api-key": world.seller.api_key, "accept": accept},
        parameters={"paymentId": payment_id},
        query=query,
    )
    return world.http("payments", event)


def content(answer: Answer) -> bytes:
    assert answer.status == 200, answer.text
    assert answer.raw["isBase64Encoded"] is True
    return base64.b64decode(answer.text, validate=True)


def modules_of(png: bytes) -> list[list[bool]]:
    """A code's dark modules, without the white around it, measured off the picture."""
    image = Image.open(io.BytesIO(png)).convert("L")
    left, top, right, bottom = image.point(lambda level: 255 * (level < 128)).getbbox() or (0,) * 4
    assert left == top == image.width - right == image.height - bottom
    scale = left // 4
    assert scale * 4 == left
    span = range(left + scale // 2, right, scale)
    return [[image.getpixel((x, y)) == 0 for x in span] for y in span]


@pytest.mark.parametrize("size", [None, "100", "777", "2000"])
def test_the_png_is_the_code_of_the_link_with_whole_pixels(world: World, size: str | None) -> None:
    payment = world.create()
    query = {"format": "png"} | ({"size": size} if size else {})
    answer = qr(world, payment["id"], query)
    assert answer.headers["content-type"] == "image/png"
    png = content(answer)
    width = Image.open(io.BytesIO(png)).width
    assert int(size or 300) - 45 < width <= int(size or 300)
    expected = segno.make(payment["url"], error="m", micro=False, boost_error=False).matrix
    assert modules_of(png) == [[bool(module) for module in row] for row in expected]


def test_svg_is_what_one_gets_who_asks_for_nothing(world: World) -> None:
    answer = qr(world, world.create()["id"], {"size": "250"})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert answer.headers["vary"] == "accept"
    svg = content(answer).decode()
    assert re.search(r'<svg [^>]*width="250(\.0)?" height="250(\.0)?"', svg)


def test_accept_chooses_and_the_query_wins(world: World) -> None:
    payment_id = world.create()["id"]
    png = qr(world, payment_id, accept="image/png,*/*;q=0.5")
    assert png.headers["content-type"] == "image/png"
    svg = qr(world, payment_id, {"format": "svg"}, accept="image/png")
    assert svg.headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"format": "gif"}, "format"),
        *(({"size": size}, "size") for size in ("99", "2001", "", "1e3", "-300", "٣٠٠", "300.0")),
    ],
)
def test_forms_and_sizes_that_there_are_not_are_refused(
    world: World, query: dict[str, str], field: str
) -> None:
    answer = qr(world, world.create()["id"], query)
    assert answer.refused() == (400, "validation_error", "validation_error")
    assert answer.json["error"]["param"] == field


def test_what_is_no_link_of_ones_own_has_no_code(world: World) -> None:
    assert qr(world, "pay_unknown").refused() == (404, "not_found_error", "payment_not_found")
    charge = world.charge(customer_with_card(world)).data
    assert qr(world, charge["id"]).refused() == (404, "not_found_error", "payment_not_found")
