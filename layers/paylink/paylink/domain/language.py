"""The language that a buyer's documents and e-mails are in: decided once, and kept with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

Language = Literal["en", "de", "fr", "es", "pt", "it", "nl", "ja", "zh", "zh-Hant"]
LANGUAGES: Final[tuple[Language, ...]] = get_args(Language)
DEFAULT_LANGUAGE: Final[Language] = "en"

_COUNTRIES: Final[Mapping[Language, str]] = {
    "de": "AT CH DE LI",
    "fr": "BF BJ CD CG CI CM FR GA GF GN GP HT LU MC MG ML MQ NC NE PF RE SN TG YT",
    "es": "AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE",
    "pt": "AO BR CV GW MZ PT ST TL",
    "it": "IT SM VA",
    "nl": "AW BE BQ CW NL SR SX",
    "ja": "JP",
    "zh": "CN",
    "zh-Hant": "HK MO TW",
}
_SPOKEN_IN: Final[Mapping[str, Language]] = {
    country: language for language, countries in _COUNTRIES.items() for country in countries.split()
}


def document_language(read: str | None, *countries: str | None) -> str:
    """A tag such as ``de-AT``: one of `LANGUAGES`, with the country that numbers and dates follow.

    ``read`` is the tag of a language that the buyer is known to read. Without one, or where we
    don't speak it, it is the language of the first country that is known: the buyer's, then the
    seller's.
    """
    country = next((c.upper() for c in countries if c), "")
    language = known_language(read) or _SPOKEN_IN.get(country, DEFAULT_LANGUAGE)
    return f"{language}-{country}" if len(country) == 2 and country.isalpha() else language


def known_language(tag: str | None) -> Language | None:
    """The one of `LANGUAGES` that a reader of this tag reads (``zh-TW``: ``zh-Hant``), if any."""
    primary, *rest = (tag or "").replace("_", "-").split("-")
    parts = {part.lower() for part in rest}
    if primary.lower() == "zh" and "hans" not in parts and parts & {"hant", "tw", "hk", "mo"}:
        return "zh-Hant"
    return next((language for language in LANGUAGES if language == primary.lower()), None)
