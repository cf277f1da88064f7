"""Which language a visitor reads: of those that they name, the first that we speak.

Where we speak none of them the words are English, and amounts and dates still the visitor's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from babel import Locale, UnknownLocaleError

from paylink.domain.language import Language, known_language
from paylink.presentation.formatting import DEFAULT_LOCALE
from paylink.presentation.texts import language_of

_MAXIMUM_HEADER: Final = 1_000  # what browsers send is far shorter; the rest isn't looked at
_RANGE: Final = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")
_QUALITY: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")


def negotiate_locale(accept_language: str | None) -> Locale:
    """The visitor's best locale by an Accept-Language header (RFC 9110); never raises.

    Whatever isn't a language range with a quality is skipped, and ``en_US`` is the last resort.
    """
    known = [locale for tag in _ranked(accept_language) if (locale := _known(tag)) is not None]
    spoken = (locale for locale in known if speaks(locale))
    return next(spoken, known[0] if known else Locale.parse(DEFAULT_LOCALE))


def language_read(accept_language: str | None) -> Language | None:
    """The best of the languages we speak by an Accept-Language header, for what is sent later;
    None where it names none of them, since a guess would count more than the buyer's country."""
    spoken = (known_language(tag) for tag in _ranked(accept_language))
    return next((language for language in spoken if language is not None), None)


def speaks(locale: Locale) -> bool:
    """Whether there are words in this locale's own language."""
    return language_of(locale).partition("-")[0] == locale.language


def language_tag(locale: Locale) -> str:
    """The locale as HTML's ``lang`` wants it: ``pt-BR``."""
    return str(locale).replace("_", "-")


def _ranked(accept_language: str | None) -> list[str]:
    ranges = sorted(_ranges(accept_language or ""), key=lambda entry: -entry[0])
    return [tag for _, tag in ranges]


def _ranges(header: str) -> Iterator[tuple[float, str]]:
    for part in header[:_MAXIMUM_HEADER].split(","):
        tag, *parameters = (piece.strip() for piece in part.split(";"))
        quality = _QUALITY.fullmatch(parameters[0].lower()) if parameters else None
        if not _RANGE.fullmatch(tag) or (parameters and quality is None):
            continue
        weight = float(quality[1]) if quality else 1.0
        if weight > 0:
            yield weight, tag


def _known(tag: str) -> Locale | None:
    """``de-AT`` as it is, ``de-ZZ`` as plain ``de``, nothing for a language without data."""
    for candidate in (tag, tag.partition("-")[0]):
        try:
            return Locale.parse(candidate, sep="-")
        except (ValueError, TypeError, UnknownLocaleError):
            continue
    return None
