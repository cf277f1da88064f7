"""Tax: what every calculation comes to, and the seller's own rates for sellers without Stripe Tax.

Own rates are settled before the buyer is sent to the provider, so that every party is shown the
same three numbers. Which tax a sale bears is the seller's business; the rules here are the few that
follow from it: which rates a place has, half-up once per line, and reverse charge within the EU
(Council Directive 2006/112/EC, articles 44 and 196).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from paylink.domain.money import Currency, round_half_up
from paylink.domain.organization import Address, Organization, TaxRate, TaxSettings

TaxStatus = Literal["pending", "estimated", "final", "not_collecting"]

EU_COUNTRIES: Final = frozenset(
    "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK".split()
)
LOCATION_UNKNOWN: Final = "customer_tax_location_invalid"
"""The provider's code for a buyer whose address doesn't tell which tax is due; ours too."""
OTHER_REGION: Final = "-"
"""A region that the seller has no rates of its own for."""
LONGEST_TAX_ID: Final = 40

_REGION: Final = re.compile(r"[A-Z0-9]{1,3}", re.ASCII)
_OTHER_TAX_ID: Final = re.compile(r"[0-9A-Z&Ñ*+]{4,24}")


@dataclass(frozen=True)
class TaxLine:
    """One rate of one jurisdiction; ``taxable_amount`` and ``amount`` in minor units."""

    label: str
    percentage: str | None
    taxable_amount: int
    amount: int
    reason: str | None = None
    """Why the rate is what it is: ``standard_rated``, ``reverse_charge``, ``not_collecting`` …"""


@dataclass(frozen=True)
class Place:
    """Where a buyer is for tax, and under which numbers they are registered there."""

    country: str
    region: str | None = None
    """The code within the country, where the seller's rates tell regions apart."""
    tax_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class SettledTax:
    """Tax that is decided before the buyer is sent to the provider; amounts in minor units."""

    amount_subtotal: int
    lines: tuple[TaxLine, ...] = ()
    status: TaxStatus = "final"
    place: Place | None = None
    """None where there is no tax to depend on it."""
    asked: bool = False
    """Whether the buyer said where they are, not the seller's record of the customer."""

    @property
    def tax_amount(self) -> int:
        return sum(line.amount for line in self.lines)

    @property
    def amount_total(self) -> int:
        return self.amount_subtotal + self.tax_amount


def untaxed(amount: int) -> SettledTax:
    """The tax of a seller who collects none."""
    return SettledTax(amount, status="not_collecting")


def settle(
    amount: int,
    currency: Currency,
    seller: Organization,
    place: Place,
    *,
    inclusive: bool,
    asked: bool = False,
) -> SettledTax:
    """The tax on one line by the seller's own rates.

    ``amount`` is the total where prices are inclusive, else the subtotal. Each rate is rounded
    half-up once, to what the currency can express; what remains of an inclusive price is the
    subtotal.
    """
    rates = [(rate.label, Decimal(rate.percentage)) for rate in rates_of(seller.tax, place)]
    reason = "standard_rated"
    if _reversed(seller, place, has_rates=bool(rates)):
        reason, rates = "reverse_charge", [("VAT", Decimal(0))]
    elif not rates:
        reason, rates = "not_collecting", [("Tax", Decimal(0))]
    elif not any(percentage for _, percentage in rates):
        reason = "zero_rated"
    base = 100 + (sum(percentage for _, percentage in rates) if inclusive else 0)
    taxes = [round_half_up(amount * percentage / base, currency.step) for _, percentage in rates]
    subtotal = amount - sum(taxes) if inclusive else amount
    lines = tuple(
        TaxLine(
            label=label,
            percentage=None if reason == "not_collecting" else f"{percentage.normalize():f}",
            taxable_amount=subtotal,
            amount=tax,
            reason=reason,
        )
        for (label, percentage), tax in zip(rates, taxes, strict=True)
    )
    status: TaxStatus = "not_collecting" if reason == "not_collecting" else "final"
    return SettledTax(subtotal, lines, status, place, asked)


def highest_total(amount: int, currency: Currency, settings: TaxSettings) -> int:
    """What a buyer pays at most, wherever they are: the provider's maximum is for the total."""
    if settings.mode != "rates" or settings.inclusive:
        return amount
    places = {(rate.country, rate.region) for rate in settings.rates}
    return max(
        (
            amount
            + sum(
                round_half_up(amount * Decimal(rate.percentage) / 100, currency.step)
                for rate in rates_of(settings, Place(country, region))
            )
            for country, region in places
        ),
        default=amount,
    )


def rates_of(settings: TaxSettings, place: Place) -> tuple[TaxRate, ...]:
    """All rates of the place's region; those of the whole country where the region has none."""
    here = [rate for rate in settings.rates if rate.country == place.country]
    regional = tuple(rate for rate in here if rate.region and rate.region == place.region)
    return regional or tuple(rate for rate in here if rate.region is None)


def regions_of(settings: TaxSettings, country: str) -> tuple[str, ...]:
    """The regions that the seller's rates tell apart within a country."""
    regions = {rate.region for rate in settings.rates if rate.country == country and rate.region}
    return tuple(sorted(regions))


def known_place(
    address: Address | None, tax_ids: Iterable[str], settings: TaxSettings
) -> Place | None:
    """Where a customer on record is; None if the record doesn't tell all that the rates need.

    A number that isn't written as its country writes them is left out: tax is then that of somebody
    without one, which is never too little.
    """
    if address is None or not address.country:
        return None
    country = address.country.upper()
    region = None
    if regions_of(settings, country):
        state = (address.state or "").strip().upper()
        region = state.removeprefix(f"{country}-")
        if not _REGION.fullmatch(region):
            return None
    good = (business_tax_id(number, country) for number in tax_ids)
    return Place(country, region, tuple(number for number in good if number))


def business_tax_id(number: str, country: str) -> str | None:
    """A number for VAT or its like as the country writes it; None if it can't be one.

    Only the form is checked, check digits included: whether it was given to anybody is for the
    seller to ask (for the EU at VIES).
    """
    number = re.sub(r"[\s./-]", "", number[: 2 * LONGEST_TAX_ID]).upper()
    if country not in EU_COUNTRIES:
        return number if _OTHER_TAX_ID.fullmatch(number) else None
    from stdnum.eu import vat  # noqa: PLC0415  only who has a number pays for it

    prefix = "EL" if country == "GR" else country
    if not number.isascii():
        return None
    for written in (number, f"{prefix}{number}"):
        if written.startswith(prefix) and vat.is_valid(written):
            return written
    return None


def _reversed(seller: Organization, place: Place, *, has_rates: bool) -> bool:
    """A business accounts for the tax itself where the seller is of another member state, or of
    none and yet has rates there."""
    home = (seller.address.country or "").upper()
    return (
        place.country in EU_COUNTRIES
        and place.country != home
        and bool(place.tax_ids)
        and (home in EU_COUNTRIES or has_rates)
    )
