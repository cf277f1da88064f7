"""Currencies as Stripe's API counts them: exponents, limits and the few special cases."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from babel import Locale, UnknownLocaleError
from babel.numbers import format_currency

from .errors import invalid

_ZERO_DECIMAL = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()
)  # fmt: skip
_THREE_DECIMAL = frozenset("bhd jod kwd omr tnd".split())
# Two-decimal by the API though the currency has no minor unit: whole units only.
_WHOLE_UNITS = frozenset("isk ugx".split())
_TWO_DECIMAL = frozenset(
    "aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad "
    "cdf chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl "
    "htg huf idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop "
    "mur mvr mwk mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar "
    "sbd scr sek sgd shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst "
    "xcd xcg yer zar zmw".split()
)
SUPPORTED = _ZERO_DECIMAL | _TWO_DECIMAL | _THREE_DECIMAL

# Stripe's published minimum charges, in minor units; other currencies must come to about 50 US
# cents after conversion, which the table below approximates.
_MINIMUM = {
    "usd": 50, "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500,
    "dkk": 250, "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000,
    "myr": 200, "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000,
    "krw": 700, "vnd": 13000, "isk": 7000, "ugx": 190000, "kwd": 160, "bhd": 190, "omr": 200,
    "jod": 360, "tnd": 1600, "clp": 480, "xof": 310, "xaf": 310, "idr": 800000, "twd": 1600,
    "try": 2100, "zar": 950, "php": 2900, "ars": 70000, "cop": 210000,
}  # fmt: skip
# Eight digits, and more where a unit is worth little.
_MAXIMUM_DIGITS = {"cop": 10, "huf": 10, "idr": 12, "inr": 9, "jpy": 10, "lbp": 12}


def exponent(currency: str) -> int:
    return 0 if currency in _ZERO_DECIMAL else 3 if currency in _THREE_DECIMAL else 2


def step(currency: str) -> int:
    """The smallest difference between two amounts of this currency, in minor units."""
    return 10 if currency in _THREE_DECIMAL else 100 if currency in _WHOLE_UNITS else 1


def minimum(currency: str) -> int:
    return _MINIMUM.get(currency, 50)


def maximum(currency: str) -> int:
    return int(10 ** _MAXIMUM_DIGITS.get(currency, 8)) - 1


def check_currency(currency: str, param: str) -> str:
    """The currency in lower case; Stripe takes either case."""
    lowered = currency.lower()
    if lowered not in SUPPORTED:
        raise invalid(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: "
            f"{', '.join(sorted(SUPPORTED))}",
            param,
        )
    return lowered


def check_unit(amount: int, currency: str, param: str) -> None:
    """Amounts that the currency can't express."""
    if amount < 0:
        raise invalid("This value must be greater than or equal to 0.", param,
                      "parameter_invalid_integer")  # fmt: skip
    size = step(currency)
    if amount % size:
        rule = ("whole units only, so the amount must be divisible by 100" if size == 100
                else "three decimals, of which the last must be 0")  # fmt: skip
        raise invalid(f"Invalid amount: {currency.upper()} takes {rule}.", param,
                      "invalid_charge_amount")  # fmt: skip
    if amount > maximum(currency):
        raise invalid(
            f"Amount must be no more than {display(maximum(currency), currency)}", param,
            "amount_too_large",
        )  # fmt: skip


def check_charge(amount: int, currency: str, param: str, *, total: str = "Amount") -> None:
    check_unit(amount, currency, param)
    if amount < minimum(currency):
        raise invalid(
            f"{total} must be at least {display(minimum(currency), currency)}", param,
            "amount_too_small",
        )  # fmt: skip


def round_half_up(amount: Decimal, currency: str) -> int:
    size = step(currency)
    return int((amount / size).quantize(Decimal(1), ROUND_HALF_UP)) * size


def decimal(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-exponent(currency))


def display(amount: int, currency: str, locale: str = "en_US") -> str:
    """For people: `$1,234.50`, `¥500`, in the way of `locale`."""
    digits = exponent(currency)
    if currency in _WHOLE_UNITS:
        digits = 0
    known = _locale(locale)
    value = decimal(amount, currency)
    pattern = known.currency_formats["standard"].pattern
    fraction = "." + "0" * digits if digits else ""
    return format_currency(
        value, currency.upper(), pattern.replace(".00", fraction), locale=known,
        currency_digits=False,
    )  # fmt: skip


def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_US")
