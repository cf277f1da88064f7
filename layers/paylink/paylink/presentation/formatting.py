"""Amounts and dates as a reader of a locale writes them, by the CLDR data that babel ships."""

from __future__ import annotations

import copy
import re
from datetime import datetime
from decimal import Decimal

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, format_datetime

from paylink.domain.money import currency_named

DEFAULT_LOCALE = "en_US"


def locale_named(tag: str) -> Locale:
    """The locale of a tag such as ``de-AT``; where CLDR has no data for a country, that of the
    language alone, which for English is the world's and not that of the United States."""
    language = tag.rpartition("-")[0] or tag
    for candidate in (tag, "en-001" if language == "en" else language, DEFAULT_LOCALE):
        try:
            return Locale.parse(candidate.replace("-", "_"))
        except (ValueError, UnknownLocaleError):
            continue
    return Locale.parse(DEFAULT_LOCALE)


def format_money(amount: int, currency: str, locale: Locale) -> str:
    """An amount in minor units as text: 1050 usd is ``$10.50``, 500 jpy ``¥500``.

    The number of decimals is the provider's for the currency, not CLDR's, which hides the decimals
    of some currencies; where only whole units exist none are shown.
    """
    known = currency_named(currency)
    shown_decimals = 0 if known.step == 10**known.decimals else known.decimals
    value = Decimal(amount).scaleb(-known.decimals)
    pattern = copy.copy(locale.currency_formats["standard"])
    pattern.frac_prec = (shown_decimals, shown_decimals)
    text: str = pattern.apply(value, locale, currency=currency.upper(), currency_digits=False)
    # Japanese writes its sign full-width; beside digits that aren't, it looks like a gap.
    text = text.replace("\N{FULLWIDTH YEN SIGN}", "\N{YEN SIGN}")
    # CLDR puts a space between a currency's letters and its digits; babel doesn't.
    return re.sub(r"([^\W\d_])(?=\d)", "\\1\N{NO-BREAK SPACE}", text)


def format_day(moment: datetime, locale: Locale) -> str:
    """``November 25, 2026``: the day of an aware time in the zone it carries."""
    return format_date(moment.date(), format="long", locale=locale)


def format_moment(moment: datetime, locale: Locale) -> str:
    """Day, time and zone of an aware time in the zone it carries."""
    return format_datetime(moment, format="long", tzinfo=moment.tzinfo, locale=locale)
