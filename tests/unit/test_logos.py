"""Logos: which pictures can be one, what is kept of them, and who gets to see them."""

from __future__ import annotations

import argparse
import contextlib
import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from paylink.domain.errors import NotFoundError
from paylink.domain.logo import Logo, logo_key, media_type_of
from paylink.domain.organization import Organization
from paylink.operator.logos import LARGEST_FILE, read_picture
from paylink.services.logos import logo_of, read_logo
from tests.unit.fakes import FakeLogoStore

SELLER = Organization("org_1", "Example Studio GmbH")


def drawn(
    mode: str = "RGB",
    size: tuple[int, int] = (300, 100),
    color: object = "navy",
    form: str = "PNG",
    **how: object,
) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size, color).save(file, form, **how)  # type: ignore[arg-type]
    return file.getvalue()


def in_file(folder: Path, content: bytes) -> str:
    path = folder / "logo"
    path.write_bytes(content)
    return str(path)


def refused(folder: Path, content: bytes) -> str:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        read_picture(in_file(folder, content))
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        drawn(),
        drawn("RGBA", color=(0, 0, 128, 255)),
        drawn("L", color=20),
        drawn("LA", color=(20, 255)),
        drawn("1", color=0),
        drawn("P", color=0),
        drawn("I;16", color=900),
        drawn(form="JPEG"),
        drawn("L", color=20, form="JPEG"),
        drawn("CMYK", color=(200, 200, 0, 0), form="JPEG"),
        drawn(form="JPEG", progressive=True),
    ],
)
def test_every_usual_kind_of_picture_is_kept_as_plain_dark_pixels(
    tmp_path: Path, content: bytes
) -> None:
    picture = read_picture(in_file(tmp_path, content))
    kept = Image.open(io.BytesIO(picture.content))
    assert (picture.width, picture.height) == kept.size == (300, 100)
    assert kept.mode == "RGB"
    assert picture.kind == {"PNG": "png", "JPEG": "jpg"}[str(kept.format)]
    assert max(kept.getpixel((150, 50))[:2]) < 100  # type: ignore[index, type-var]


def test_what_is_transparent_is_white_everywhere(tmp_path: Path) -> None:
    canvas = Image.new("RGBA", (300, 100), (0, 0, 0, 0))
    canvas.paste((0, 0, 128, 255), (100, 0, 200, 100))
    file = io.BytesIO()
    canvas.save(file, "PNG")
    kept = Image.open(io.BytesIO(read_picture(in_file(tmp_path, file.getvalue())).content))
    assert [kept.getpixel((x, 50)) for x in (50, 150)] == [(255, 255, 255), (0, 0, 128)]


def test_nothing_else_of_the_file_is_kept_and_it_is_the_right_way_up(tmp_path: Path) -> None:
    turned = Image.Exif()
    turned[0x0112] = 6  # to be turned by 90 degrees
    turned[0x010E] = "taken at home"
    picture = read_picture(in_file(tmp_path, drawn(form="JPEG", exif=turned)))
    assert (picture.width, picture.height) == (100, 300)
    assert b"taken at home" not in picture.content
    hidden = drawn() + b"<script>alert(1)</script>"
    assert b"script" not in read_picture(in_file(tmp_path, hidden)).content


def test_a_large_one_is_made_as_small_as_paper_needs_it(tmp_path: Path) -> None:
    picture = read_picture(in_file(tmp_path, drawn(size=(2000, 1000))))
    assert (picture.width, picture.height) == (800, 400)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no PNG or JPEG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no PNG or JPEG"),
        (drawn(form="GIF"), "no PNG or JPEG"),
        (drawn(form="WEBP"), "no PNG or JPEG"),
        (drawn()[:60], "no PNG or JPEG"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, "no PNG or JPEG"),
        (drawn() + b"\0" * LARGEST_FILE, "larger than 200 kB"),
        (drawn(size=(2001, 500)), "2001 × 500 pixels; each side must have 40 to 2000"),
        (drawn(size=(200, 39)), "200 × 39 pixels; each side must have 40 to 2000"),
        (drawn(size=(1100, 100)), "a logo is at most 10 times as wide as high"),
        (drawn(size=(50, 151)), "or 3 times as high as wide"),
        (drawn(color="white"), "can't be seen on white"),
        (drawn("RGBA", color=(0, 0, 0, 0)), "can't be seen on white"),
    ],
)
def test_anything_else_is_refused_in_plain_words(
    tmp_path: Path, content: bytes, words: str
) -> None:
    assert words in refused(tmp_path, content)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="can't be read: No such file"):
        read_picture(str(tmp_path / "none.png"))


@given(at=st.integers(8, 300), flip=st.integers(1, 255))
def test_a_broken_picture_is_kept_or_refused_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int
) -> None:
    content = bytearray(drawn())
    content[at % len(content)] ^= flip
    path = in_file(tmp_path_factory.getbasetemp(), bytes(content))
    with contextlib.suppress(argparse.ArgumentTypeError):
        assert read_picture(path).content.startswith(b"\x89PNG")


def test_a_key_is_made_of_what_is_kept() -> None:
    key = logo_key("org_1", b"one", "png")
    assert key == logo_key("org_1", b"one", "png")
    assert key not in {logo_key("org_1", b"two", "png"), logo_key("org_2", b"one", "png")}
    assert media_type_of(key) == "image/png"
    assert media_type_of(logo_key("org_1", b"one", "jpg")) == "image/jpeg"


@pytest.mark.parametrize(
    ("width", "height", "size"),
    [(400, 100, (200, 50)), (100, 100, (64, 64)), (40, 40, (64, 64)), (1000, 100, (200, 20))],
)
def test_a_logo_fills_its_box_and_keeps_its_shape(
    width: int, height: int, size: tuple[float, float]
) -> None:
    assert Logo("k", width, height).fitted(200, 64) == pytest.approx(size)


def test_a_logo_is_read_by_its_name() -> None:
    key, logos = logo_key("org_1", b"one", "jpg"), FakeLogoStore()
    logos.put(key, b"one")
    _, organization_id, name = key.split("/")
    assert read_logo(organization_id, name, logos) == (b"one", "image/jpeg")
    for wrong in (("org_2", name), (organization_id, name.replace("jpg", "png")), ("", "")):
        with pytest.raises(NotFoundError):
            read_logo(*wrong, logos)


@given(st.text(max_size=40), st.text(max_size=60))
def test_names_of_nothing_reach_no_bucket(organization_id: str, name: str) -> None:
    with pytest.raises(NotFoundError):
        read_logo(organization_id, name, FakeLogoStore(unreachable=True))


def test_a_lost_logo_is_none_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    logos = FakeLogoStore()
    assert logo_of(SELLER, logos) is None
    assert not caplog.records
    seller = replace(SELLER, logo=Logo(logo_key("org_1", b"one", "png"), 3, 1))
    assert logo_of(seller, logos) is None
    assert [record.message for record in caplog.records] == ["a document goes without its logo"]
    logos.put(seller.logo.key if seller.logo else "", b"one")
    assert logo_of(seller, logos) == b"one"
