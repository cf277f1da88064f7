"""Which countries there are, and what a reader of a locale calls them, by babel's CLDR data."""

from __future__ import annotations

import unicodedata
from typing import Final

from babel import Locale
from babel.core import get_global

COUNTRIES: Final[frozenset[str]] = frozenset(get_global("territory_zones")) - {"001", "ZZ"} | {
    "BV",
    "HM",
    "XK",
}
"""ISO 3166 codes; BV and HM have no time zone, XK is in use without being assigned."""


def named_countries(locale: Locale) -> list[tuple[str, str]]:
    """Code and name of each, in the order of the names, letters with marks beside those without."""
    names = [(code, str(locale.territories.get(code, code))) for code in COUNTRIES]
    return sorted(names, key=lambda pair: unicodedata.normalize("NFKD", pair[1]).casefold())
