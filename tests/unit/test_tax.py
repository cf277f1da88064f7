"""The seller's own rates: half-up once a line, and every number adds up in every currency."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.money import CURRENCIES, Currency, currency_named
from paylink.domain.organization import Address, Organization, TaxRate, TaxSettings
from paylink.domain.tax import (
    EU_COUNTRIES,
    Place,
    SettledTax,
    business_tax_id,
    highest_total,
    known_place,
    rates_of,
    regions_of,
    settle,
    untaxed,
)

EUR = currency_named("eur")
FRENCH = "FR40303265045"
GERMAN = "DE136695976"


def seller_of(*rates: TaxRate, country: str = "DE", inclusive: bool = False) -> Organization:
    return Organization(
        "org_1",
        "Seller",
        address=Address(country=country),
        tax_ids=(GERMAN,),
        tax=TaxSettings("rates", inclusive, rates),
    )


def taxed(
    amount: int, *percentages: str, inclusive: bool = False, currency: Currency = EUR
) -> SettledTax:
    rates = [TaxRate("DE", f"Tax {n}", p) for n, p in enumerate(percentages)]
    place = Place("DE")
    return settle(amount, currency, seller_of(*rates), place, inclusive=inclusive)


@pytest.mark.parametrize(
    ("amount", "percentage", "tax"), [(1050, "5", 53), (350, "19", 67), (1000, "0", 0)]
)
def test_tax_is_added_half_up(amount: int, percentage: str, tax: int) -> None:
    settled = taxed(amount, percentage)
    assert (settled.amount_subtotal, settled.tax_amount) == (amount, tax)
    assert settled.amount_total == amount + tax
    assert (settled.status, settled.asked) == ("final", False)


@pytest.mark.parametrize(
    ("currency", "amount", "percentage", "subtotal", "tax"),
    [("eur", 1200, "21", 992, 208), ("jpy", 1000, "10", 909, 91), ("eur", 1, "100", 0, 1)],
)
def test_tax_within_a_price_leaves_the_subtotal(
    currency: str, amount: int, percentage: str, subtotal: int, tax: int
) -> None:
    settled = taxed(amount, percentage, inclusive=True, currency=currency_named(currency))
    assert (settled.amount_subtotal, settled.tax_amount) == (subtotal, tax)
    assert settled.amount_total == amount


def test_a_three_decimal_currency_is_taxed_in_its_steps() -> None:
    settled = taxed(18600, "7.77", currency=currency_named("kwd"))
    assert (settled.tax_amount, settled.amount_total) == (1450, 20050)


amounts = st.integers(1, 10**12)
percentages = st.decimals(0, 100, places=4).map(lambda p: f"{p.normalize():f}")
currencies = st.sampled_from(sorted(CURRENCIES.values(), key=lambda c: c.code))


@given(amounts, currencies, st.lists(percentages, min_size=1, max_size=3), st.booleans())
def test_subtotal_and_tax_are_the_total_in_every_currency(
    units: int, currency: Currency, rates: list[str], inclusive: bool
) -> None:
    amount = units * currency.step
    settled = taxed(amount, *rates, inclusive=inclusive, currency=currency)
    assert settled.amount_subtotal + settled.tax_amount == settled.amount_total
    assert (settled.amount_total if inclusive else settled.amount_subtotal) == amount
    for value in (settled.amount_subtotal, settled.tax_amount, settled.amount_total):
        assert value % currency.step == 0
    assert len(settled.lines) == len(rates)
    assert all(0 <= line.amount <= amount for line in settled.lines)
    assert {line.taxable_amount for line in settled.lines} == {settled.amount_subtotal}


@given(amounts, currencies, percentages, st.booleans())
def test_tax_is_what_exact_arithmetic_rounds_half_up_to(
    units: int, currency: Currency, rate: str, inclusive: bool
) -> None:
    amount = units * currency.step
    with localcontext() as exact:
        exact.prec = 60
        share = Decimal(rate) / (100 + Decimal(rate) if inclusive else 100)
        steps = (amount * share / currency.step).quantize(Decimal(1), ROUND_HALF_UP)
    settled = taxed(amount, rate, inclusive=inclusive, currency=currency)
    assert settled.tax_amount == int(steps) * currency.step


@given(amounts, currencies, st.lists(percentages, min_size=1, max_size=3))
def test_nobody_pays_more_than_the_highest_total(
    units: int, currency: Currency, rates: list[str]
) -> None:
    amount = units * currency.step
    places = [TaxRate("DE", "VAT", rate, f"R{n}") for n, rate in enumerate(rates)]
    seller = seller_of(*places, TaxRate("DE", "VAT", "1"))
    totals = [
        settle(amount, currency, seller, Place("DE", region), inclusive=False).amount_total
        for region in (None, *(place.region for place in places))
    ]
    assert highest_total(amount, currency, seller.tax) == max(totals)
    inclusive = TaxSettings("rates", True, seller.tax.rates)
    assert highest_total(amount, currency, inclusive) == amount
    assert highest_total(amount, currency, TaxSettings("rates")) == amount
    assert highest_total(amount, currency, TaxSettings("none", rates=seller.tax.rates)) == amount


VAT = [TaxRate("DE", "MwSt.", "19"), TaxRate("FR", "TVA", "20")]


def sold(seller: Organization, place: Place) -> tuple[int, str | None, str]:
    settled = settle(1000, EUR, seller, place, inclusive=False)
    (line,) = settled.lines
    return settled.tax_amount, line.reason, settled.status


@pytest.mark.parametrize(
    ("place", "outcome"),
    [
        (Place("FR", tax_ids=(FRENCH,)), (0, "reverse_charge", "final")),
        (Place("DE", tax_ids=(GERMAN,)), (190, "standard_rated", "final")),
        (Place("FR"), (200, "standard_rated", "final")),
        (Place("US"), (0, "not_collecting", "not_collecting")),
        (Place("CH", tax_ids=("CHE123456788MWST",)), (0, "not_collecting", "not_collecting")),
        (Place("AT", tax_ids=("ATU13585627",)), (0, "reverse_charge", "final")),
    ],
)
def test_a_german_seller_taxes_by_place_and_number(
    place: Place, outcome: tuple[int, str | None, str]
) -> None:
    assert sold(seller_of(*VAT), place) == outcome


def test_a_seller_from_outside_reverses_only_where_it_has_rates() -> None:
    american = seller_of(*VAT, country="US")
    assert sold(american, Place("FR", tax_ids=(FRENCH,))) == (0, "reverse_charge", "final")
    austrian = Place("AT", tax_ids=("ATU13585627",))
    assert sold(american, austrian) == (0, "not_collecting", "not_collecting")


@pytest.mark.parametrize(
    ("place", "printed"),
    [(Place("FR", tax_ids=(FRENCH,)), ("VAT", "0")), (Place("US"), ("Tax", None))],
)
def test_a_line_without_tax_says_which_and_no_rate_where_none_is_known(
    place: Place, printed: tuple[str, str | None]
) -> None:
    (line,) = settle(1000, EUR, seller_of(*VAT), place, inclusive=False).lines
    assert (line.label, line.percentage) == printed


def test_an_inclusive_price_without_tax_is_all_subtotal() -> None:
    place = Place("FR", tax_ids=(FRENCH,))
    settled = settle(1200, EUR, seller_of(*VAT), place, inclusive=True)
    assert (settled.amount_subtotal, settled.tax_amount) == (1200, 0)


def test_a_rate_of_nothing_is_zero_rated() -> None:
    (line,) = taxed(1000, "0").lines
    assert (line.reason, line.percentage) == ("zero_rated", "0")


def test_who_collects_no_tax_says_so() -> None:
    settled = untaxed(1000)
    assert (settled.amount_total, settled.lines, settled.status) == (1000, (), "not_collecting")


CANADA = TaxSettings(
    "rates",
    rates=(
        TaxRate("CA", "GST", "5"),
        TaxRate("CA", "GST", "5", "QC"),
        TaxRate("CA", "QST", "9.975", "QC"),
        TaxRate("CA", "HST", "13", "ON"),
    ),
)


def test_rates_of_a_region_take_the_place_of_the_countrys() -> None:
    def labels(region: str | None) -> list[str]:
        return [f"{r.label} {r.percentage}" for r in rates_of(CANADA, Place("CA", region))]

    assert labels("QC") == ["GST 5", "QST 9.975"]
    assert labels("ON") == ["HST 13"]
    assert labels("AB") == labels("-") == labels(None) == ["GST 5"]
    assert regions_of(CANADA, "CA") == ("ON", "QC")
    assert regions_of(CANADA, "US") == ()


def test_each_tax_of_a_place_is_a_line() -> None:
    seller = Organization("org_1", "Seller", address=Address(country="CA"), tax=CANADA)
    settled = settle(10_000, EUR, seller, Place("CA", "QC"), inclusive=False)
    assert [(line.label, line.amount) for line in settled.lines] == [("GST", 500), ("QST", 998)]


@pytest.mark.parametrize(
    ("address", "place"),
    [
        (None, None),
        (Address(), None),
        (Address(country="fr"), Place("FR")),
        (Address(country="CA"), None),
        (Address(country="CA", state="Quebec"), None),
        (Address(country="CA", state=" qc "), Place("CA", "QC")),
        (Address(country="CA", state="CA-QC"), Place("CA", "QC")),
        (Address(country="CA", state="AB"), Place("CA", "AB")),
        (Address(country="US", state="Anywhere"), Place("US")),
    ],
)
def test_a_place_is_known_when_the_rates_can_tell_it(
    address: Address | None, place: Place | None
) -> None:
    assert known_place(address, (), CANADA) == place


def test_only_a_number_of_the_country_counts() -> None:
    france = Address(country="FR")
    assert known_place(france, ("FR 40 303 265 045",), CANADA) == Place("FR", None, (FRENCH,))
    assert known_place(france, (GERMAN, "soon"), CANADA) == Place("FR")


@pytest.mark.parametrize(
    ("number", "country", "written"),
    [
        (FRENCH, "FR", FRENCH),
        ("fr 40-303.265/045", "FR", FRENCH),
        ("40303265045", "FR", FRENCH),
        ("FR40303265046", "FR", None),
        (GERMAN, "FR", None),
        ("094259216", "GR", "EL094259216"),
        ("GR094259216", "GR", None),
        ("EL094259216", "GR", "EL094259216"),
        ("CHE-123.456.788 MWST", "CH", "CHE123456788MWST"),
        ("12", "US", None),
        ("", "FR", None),
        ("FR", "FR", None),
        ("FR" + "4" * 10_000, "FR", None),
        ("\x00", "FR", None),
        ("٤٠٣٠٣٢٦٥٠٤٥", "FR", None),
        ("<script>", "US", None),
    ],
)
def test_a_number_is_taken_as_its_country_writes_it(
    number: str, country: str, written: str | None
) -> None:
    assert business_tax_id(number, country) == written


@given(st.text(max_size=60), st.sampled_from(sorted(EU_COUNTRIES)))
def test_whatever_is_written_is_a_number_or_is_not(text: str, country: str) -> None:
    number: Any = business_tax_id(text, country)
    assert number is None or business_tax_id(number, country) == number
