"""The words of pages, documents and e-mails: whole in every language, and of the right language."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import asdict, fields

import pytest
from babel import Locale
from babel.localedata import locale_identifiers

from paylink.domain.language import LANGUAGES, Language, document_language, known_language
from paylink.presentation.formatting import locale_named
from paylink.presentation.texts import TEXTS, Texts, language_of, texts_in


def parts_of(text: str) -> list[str]:
    return sorted(re.findall(r"{\w*}", text))


def test_there_are_words_in_every_language_that_documents_can_be_in() -> None:
    assert tuple(TEXTS) == LANGUAGES


def letters_of(language: Language) -> set[str]:
    return set("".join(asdict(TEXTS[language]).values()))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_there_tidy_and_has_the_parts_of_the_english_one(language: Language) -> None:
    english = asdict(TEXTS["en"])
    for key, text in asdict(TEXTS[language]).items():
        assert text == " ".join(text.split()) != "", key
        assert parts_of(text) == parts_of(english[key]), key
        assert re.sub(r"{\w+}", "", text).count("{") == 0, key
        assert unicodedata.is_normalized("NFC", text), key
        assert "'" not in text, key


@pytest.mark.parametrize("language", [known for known in LANGUAGES if known != "en"])
def test_hardly_a_text_is_left_in_english(language: Language) -> None:
    same = [
        field.name
        for field in fields(Texts)
        if getattr(TEXTS[language], field.name) == getattr(TEXTS["en"], field.name)
    ]
    allowed = {"total", "total_in", "gst_name", "subtotal", "place_region"}
    allowed |= {"description"}  # French and Spanish have words that differ by an accent, or not
    assert set(same) <= allowed


@pytest.mark.parametrize("language", ["ja", "zh", "zh-Hant"])
def test_texts_of_east_asia_are_in_their_own_script(language: Language) -> None:
    for key, text in asdict(TEXTS[language]).items():
        if key != "gst_name":
            assert re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", text), key


def test_simplified_and_traditional_characters_do_not_mix() -> None:
    assert not set("单账号页请这税额银过选数图为买卖关闭网还没发证实") & letters_of("zh-Hant")
    assert not set("單帳號頁請這稅額銀過選數圖為買賣關閉網還沒發證實") & letters_of("zh")


@pytest.mark.parametrize(
    ("read", "buyer", "seller", "tag"),
    [
        (None, "AT", "US", "de-AT"),
        (None, "at", "US", "de-AT"),
        (None, None, "JP", "ja-JP"),
        (None, None, None, "en"),
        (None, "PL", "DE", "en-PL"),
        (None, "TW", "DE", "zh-Hant-TW"),
        ("fr-CA", "DE", "DE", "fr-DE"),
        ("pl", "FR", "DE", "fr-FR"),
        ("zh-TW", "US", "US", "zh-Hant-US"),
        ("zh", None, None, "zh"),
        (None, "<>", None, "en"),
        ("", "", "IT", "it-IT"),
    ],
)
def test_a_document_is_in_the_language_its_buyer_reads_or_that_of_their_country(
    read: str | None, buyer: str | None, seller: str | None, tag: str
) -> None:
    assert document_language(read, buyer, seller) == tag


@pytest.mark.parametrize("tag", [f"{language}-{c}" for language in LANGUAGES for c in ("DE", "ZZ")])
def test_every_documents_language_has_a_locale_and_words(tag: str) -> None:
    assert language_of(locale_named(tag)) == known_language(tag)


@pytest.mark.parametrize(
    ("tag", "locale"),
    [
        ("de-AT", "de_AT"),
        ("de-JP", "de"),
        ("en-PL", "en_PL"),
        ("en-FR", "en_FR"),
        ("en-JP", "en_001"),
        ("zh-Hant-TW", "zh_Hant_TW"),
        ("zh-Hant-US", "zh_Hant"),
        ("xx-YY", "en_US"),
        ("", "en_US"),
        ("../..", "en_US"),
    ],
)
def test_numbers_and_dates_are_the_countrys_where_it_has_the_language(
    tag: str, locale: str
) -> None:
    assert str(locale_named(tag)) == locale


def test_every_locale_has_words() -> None:
    for identifier in locale_identifiers():
        assert texts_in(Locale.parse(identifier)).invoice
