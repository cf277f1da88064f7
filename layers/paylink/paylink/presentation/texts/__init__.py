"""The words that buyers, and owners, read on pages, documents and in e-mails, in every language.

One table for all three, so that a seller speaks in one voice. A further language is a further
module and a row here (and in `paylink.domain.language`); no template or layout changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from babel import Locale

from paylink.domain.language import DEFAULT_LANGUAGE, Language
from paylink.presentation.texts.de import DE
from paylink.presentation.texts.en import EN
from paylink.presentation.texts.es import ES
from paylink.presentation.texts.fr import FR
from paylink.presentation.texts.it import IT
from paylink.presentation.texts.ja import JA
from paylink.presentation.texts.nl import NL
from paylink.presentation.texts.pt import PT
from paylink.presentation.texts.table import Texts
from paylink.presentation.texts.zh import ZH
from paylink.presentation.texts.zh_hant import ZH_HANT

__all__ = ["TEXTS", "Texts", "language_of", "texts_in"]

TEXTS: Final[Mapping[Language, Texts]] = {
    "en": EN,
    "de": DE,
    "fr": FR,
    "es": ES,
    "pt": PT,
    "it": IT,
    "nl": NL,
    "ja": JA,
    "zh": ZH,
    "zh-Hant": ZH_HANT,
}


def language_of(locale: Locale) -> Language:
    """The language that a reader of this locale is spoken to in: English where theirs is none."""
    wanted = "zh-Hant" if (locale.language, locale.script) == ("zh", "Hant") else locale.language
    return next((language for language in TEXTS if language == wanted), DEFAULT_LANGUAGE)


def texts_in(locale: Locale) -> Texts:
    return TEXTS[language_of(locale)]
