"""The language of what a buyer is sent: what they read, else what is spoken where they are."""

from __future__ import annotations

import pytest

from paylink.domain.language import document_language, known_language


@pytest.mark.parametrize(
    ("tag", "language"),
    [
        (None, None),
        ("", None),
        ("de", "de"),
        ("DE-at", "de"),
        ("de_CH", "de"),
        ("zh", "zh"),
        ("zh-CN", "zh"),
        ("zh-Hans-TW", "zh"),
        ("zh-Hant", "zh-Hant"),
        ("ZH-hant-HK", "zh-Hant"),
        ("zh_TW", "zh-Hant"),
        ("zh-hk", "zh-Hant"),
        ("zh-MO", "zh-Hant"),
        ("de-TW", "de"),
        ("ru-TW", None),
        ("x", None),
        ("XXXX", None),
    ],
)
def test_a_tag_is_read_as_one_of_ours(tag: str | None, language: str | None) -> None:
    assert known_language(tag) == language


@pytest.mark.parametrize(
    ("read", "countries", "expected"),
    [
        (None, (), "en"),
        (None, (None, None), "en"),
        (None, ("de",), "de-DE"),
        (None, (None, "AT"), "de-AT"),
        (None, ("SE", "DE"), "en-SE"),
        ("fr", ("DE",), "fr-DE"),
        ("sv", ("DE",), "de-DE"),
        (None, ("TW",), "zh-Hant-TW"),
        ("fr", ("XYZ",), "fr"),
        ("fr", ("1",), "fr"),
        ("fr", ("D1",), "fr"),
        ("fr", (), "fr"),
    ],
)
def test_what_the_buyer_reads_counts_more_than_where_they_are(
    read: str | None, countries: tuple[str | None, ...], expected: str
) -> None:
    assert document_language(read, *countries) == expected
