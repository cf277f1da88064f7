"""What may stand in the headers of a mail: nothing that ends one, or turns into something else."""

from __future__ import annotations

import pytest

from paylink.domain.mail import is_address, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Northwind Studio", "Northwind Studio"),
        ("  Northwind \t  Studio  ", "Northwind Studio"),
        ("Studio\r\nBcc: everybody@example.com", "Studio Bcc: everybody@example.com"),
        ("a\x00b\u2028c\u202ed", "a b c d"),
        ("=?utf-8?q?x?=", "= ?utf-8?q?x?="),
        ("請求書 Ωμέγα", "請求書 Ωμέγα"),
        ("", ""),
    ],
)
def test_a_strangers_text_becomes_one_printable_line(text: str, line: str) -> None:
    assert one_line(text) == line


def test_what_is_too_long_is_cut_and_says_so() -> None:
    assert one_line("x" * 120) == "x" * 120
    assert one_line("x" * 121) == "x" * 119 + "…"
    assert one_line("12345 789", 7) == "12345…"
    assert one_line("1234567 9", 7) == "123456…"


@pytest.mark.parametrize(
    "address", ["ada@example.com", "a.b+c@sub.example.com", "x" * 64 + "@e.co"]
)
def test_it_can_be_written_to(address: str) -> None:
    assert is_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "",
        "ada",
        "@example.com",
        "ada@",
        "ada@example.com\n",
        "ada@example.com, eve@example.com",
        "Ada <ada@example.com>",
        "ädä@example.com",
        "ada@exämple.com",
        "x" * 65 + "@example.com",
        "ada@" + "x" * 254,
    ],
)
def test_it_can_not(address: str) -> None:
    assert not is_address(address)
