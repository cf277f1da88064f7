"""Amounts as integers in minor units, and what the provider takes in which currency.

The table follows Stripe's page on supported currencies (docs.stripe.com/currencies, read in
November 2026). Minimums there depend on the currency the seller's account settles in, so ours only
pre-check what is certain to fail; the provider's own answer decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from paylink.domain.errors import ValidationError

_DEFAULT_MAXIMUM: Final = 99_999_999  # Stripe: eight digits
_ZERO_DECIMAL: Final = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()
)
_THREE_DECIMAL: Final = frozenset("bhd jod kwd omr tnd".split())
# Two decimals in the API for backward compatibility, yet only whole units exist.
_WHOLE_UNITS_ONLY: Final = frozenset("isk ugx".split())
_TWO_DECIMAL: Final = frozenset(
    """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bmd bnd bob brl bsd bwp byn bzd cad cdf
    chf cny cop crc cve czk dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gtq gyd hkd hnl htg huf
    idr ils inr isk jmd kes kgs khr kyd kzt lak lbp lkr lrd lsl mad mdl mkd mmk mnt mop mur mvr mwk
    mxn myr mzn nad ngn nio nok npr nzd pab pen pgk php pkr pln qar ron rsd rub sar sbd scr sek sgd
    shp sle sos srd std szl thb tjs top try ttd twd tzs uah ugx usd uyu uzs wst xcd xcg yer zar zmw
    """.split()
)
_MINIMUMS: Final = {
    "aed": 200, "aud": 50, "bgn": 100, "brl": 50, "cad": 50, "chf": 50, "czk": 1500, "dkk": 250,
    "eur": 50, "gbp": 30, "hkd": 400, "huf": 17500, "inr": 50, "jpy": 50, "mxn": 1000, "myr": 200,
    "nok": 300, "nzd": 50, "pln": 200, "ron": 200, "sek": 300, "sgd": 50, "thb": 1000, "usd": 50,
}  # fmt: skip
_MAXIMUMS: Final = {
    "cop": 9_999_999_999, "huf": 9_999_999_999, "idr": 999_999_999_999, "inr": 999_999_999,
    "jpy": 9_999_999_999, "lbp": 999_999_999_999,
}  # fmt: skip


@dataclass(frozen=True)
class Currency:
    """One currency as the provider takes it; ``minimum`` and ``maximum`` in minor units."""

    code: str
    decimals: int
    minimum: int
    maximum: int
    step: int

    def check(self, amount: int, field: str = "amount") -> None:
        """Raises ValidationError for an amount, in minor units, that can never be charged."""
        name = self.code.upper()
        if amount < self.minimum:
            raise ValidationError.of(
                field, f"The smallest amount in {name} is {self.minimum} (minor units)."
            )
        if amount > self.maximum:
            raise ValidationError.of(
                field, f"The largest amount in {name} is {self.maximum} (minor units)."
            )
        if amount % self.step:
            reason = (
                f"{name} has three decimals, of which the last must be 0"
                if self.decimals == 3
                else f"{name} is given with two decimals but only whole units exist"
            )
            raise ValidationError.of(
                field, f"{reason}: the amount must be a multiple of {self.step} minor units."
            )


def _build(code: str, decimals: int) -> Currency:
    step = 10 if code in _THREE_DECIMAL else 100 if code in _WHOLE_UNITS_ONLY else 1
    return Currency(
        code, decimals, _MINIMUMS.get(code, step), _MAXIMUMS.get(code, _DEFAULT_MAXIMUM), step
    )


CURRENCIES: Final = {
    code: _build(code, decimals)
    for decimals, codes in ((0, _ZERO_DECIMAL), (2, _TWO_DECIMAL), (3, _THREE_DECIMAL))
    for code in codes
}


def currency_named(code: str, field: str = "currency") -> Currency:
    """The currency of an ISO 4217 code in any case; ValidationError if the provider has none."""
    known = CURRENCIES.get(code.lower()) if code.isascii() else None
    if known is None:
        raise ValidationError.of(field, "This is not a currency that can be charged.")
    return known
