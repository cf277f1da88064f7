"""Tax by the seller's own rates, or none: settled from what is known of the buyer or what they say.

Stripe's tax is not among this: the provider decides it at checkout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from paylink.domain.customer import Customer
from paylink.domain.errors import ValidationError
from paylink.domain.money import currency_named
from paylink.domain.organization import Organization, TaxSettings
from paylink.domain.payment import Payment
from paylink.domain.tax import (
    OTHER_REGION,
    Place,
    SettledTax,
    business_tax_id,
    highest_total,
    known_place,
    regions_of,
    settle,
    untaxed,
)

Question = Literal["country", "region", "tax_id"]


@dataclass(frozen=True)
class Told:
    """What a buyer says about themselves, as it came; ``country`` is a code or empty."""

    country: str = ""
    region: str = ""
    tax_id: str = ""


@dataclass(frozen=True)
class PlaceForm:
    """What the buyer is asked before there can be a checkout, with what was wrong the last time."""

    told: Told
    regions: tuple[str, ...]
    """Those that the country's rates tell apart."""
    problem: Question | None = None


def check_total(amount: int, currency_code: str, settings: TaxSettings) -> None:
    """Raises ValidationError for an amount that is too large once tax is added."""
    currency = currency_named(currency_code)
    total = highest_total(amount, currency, settings)
    if total > currency.maximum:
        raise ValidationError.of(
            "amount",
            f"With tax it can come to {total}, and the largest amount in {currency.code.upper()} "
            f"is {currency.maximum} (minor units).",
        )


def with_known_tax(payment: Payment, seller: Organization, customer: Customer | None) -> Payment:
    """The payment with the tax that follows from the record of its customer, if that tells."""
    if payment.tax_mode == "none":
        return payment.with_tax(untaxed(payment.amount_subtotal))
    if payment.tax_mode == "stripe" or customer is None:
        return payment
    place = known_place(customer.address, customer.tax_ids, seller.tax)
    return payment.with_tax(_settled(payment, seller, place)) if place else payment


def with_told_tax(payment: Payment, seller: Organization, told: Told | None) -> Payment | PlaceForm:
    """The payment with the tax that follows from what the buyer says; else what they are asked."""
    if told is None:
        return place_form(payment, seller)
    country = told.country
    regions = regions_of(seller.tax, country)
    tax_id = business_tax_id(told.tax_id, country) if told.tax_id else None
    problem: Question | None = None
    if not country:
        problem = "country"
    elif regions and told.region not in {*regions, OTHER_REGION}:
        problem = "region"
    elif told.tax_id and tax_id is None:
        problem = "tax_id"
    if problem:
        return PlaceForm(told, regions, problem)
    place = Place(country, told.region if regions else None, (tax_id,) if tax_id else ())
    return payment.with_tax(_settled(payment, seller, place, asked=True))


def place_form(payment: Payment, seller: Organization) -> PlaceForm:
    """The questions, with the answers that were given for an earlier checkout."""
    place = payment.tax.place if payment.tax else None
    if place is None:
        return PlaceForm(Told(), ())
    told = Told(place.country, place.region or "", next(iter(place.tax_ids), ""))
    return PlaceForm(told, regions_of(seller.tax, place.country))


def _settled(
    payment: Payment, seller: Organization, place: Place, *, asked: bool = False
) -> SettledTax:
    inclusive = payment.tax_inclusive
    return settle(
        # Of an inclusive price the total stays what was asked for, wherever the buyer is.
        payment.amount_total if inclusive else payment.amount_subtotal,
        currency_named(payment.currency),
        seller,
        place,
        inclusive=inclusive,
        asked=asked,
    )
