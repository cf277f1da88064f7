"""Amounts: integers in minor units, refused up front where they can never be charged."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.stripe_sandbox import money as sandbox
from paylink.domain.errors import ValidationError
from paylink.domain.money import CURRENCIES, currency_named, round_half_up


@pytest.mark.parametrize(
    ("code", "amount"),
    [
        ("jpy", 500),
        ("kwd", 18600),
        ("ugx", 500000),
        ("isk", 150000),
        ("usd", 50),
        ("usd", 99_999_999),
        ("idr", 999_999_999_999),
        ("huf", 17500),
    ],
)
def test_what_the_provider_takes_is_accepted(code: str, amount: int) -> None:
    currency_named(code).check(amount)


@pytest.mark.parametrize(
    ("code", "amount", "reason"),
    [
        ("kwd", 18605, "three decimals"),
        ("bhd", 101, "multiple of 10"),
        ("ugx", 12345, "only whole units"),
        ("isk", 150050, "multiple of 100"),
        ("usd", 49, "smallest amount in USD is 50"),
        ("usd", 100_000_000, "largest amount in USD is 99999999"),
        ("usd", 9_007_199_254_740_993, "largest amount"),
        ("jpy", 49, "smallest"),
        ("eur", 0, "smallest"),
        ("xaf", 0, "smallest"),
        ("eur", -1, "smallest"),
    ],
)
def test_what_it_never_takes_is_refused_with_the_reason(
    code: str, amount: int, reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason) as refused:
        currency_named(code).check(amount)
    assert refused.value.param == "amount"


@pytest.mark.parametrize("code", ["usd", "USD", "uSd"])
def test_a_currency_is_known_in_any_case(code: str) -> None:
    assert currency_named(code).code == "usd"


@pytest.mark.parametrize(
    "code", ["", "us", "usdx", "xxx", "btc", "ＵＳＤ", "uſd", " usd", "İsk", "\u212arw"]
)
def test_what_is_no_currency_is_refused(code: str) -> None:
    with pytest.raises(ValidationError) as refused:
        currency_named(code)
    assert refused.value.param == "currency"
    assert refused.value.message == "currency: This is not a currency that can be charged."


@pytest.mark.parametrize(
    ("codes", "decimals"),
    [("jpy krw vnd clp xof", 0), ("usd eur isk ugx huf twd", 2), ("kwd bhd jod omr tnd", 3)],
)
def test_minor_units_are_the_providers(codes: str, decimals: int) -> None:
    assert {currency_named(code).decimals for code in codes.split()} == {decimals}


@pytest.mark.parametrize("code", sorted(CURRENCIES))
def test_smallest_and_largest_amounts_of_each_currency_can_be_charged(code: str) -> None:
    currency = CURRENCIES[code]
    currency.check(currency.minimum)
    currency.check(currency.maximum - currency.maximum % currency.step)
    for amount in (currency.minimum - 1, currency.maximum + 1):
        with pytest.raises(ValidationError):
            currency.check(amount)


@given(code=st.sampled_from(sorted(CURRENCIES)), amount=st.integers(-(10**13), 10**13))
def test_an_accepted_amount_is_positive_and_whole_in_the_currencys_steps(
    code: str, amount: int
) -> None:
    currency = CURRENCIES[code]
    try:
        currency.check(amount)
    except ValidationError:
        return
    assert amount > 0
    assert amount % currency.step == 0
    assert currency.minimum <= amount <= currency.maximum


def test_the_sandbox_counts_every_currency_as_we_do() -> None:
    assert frozenset(CURRENCIES) == sandbox.SUPPORTED
    for code, currency in CURRENCIES.items():
        assert sandbox.exponent(code) == currency.decimals, code
        assert sandbox.step(code) == currency.step, code
        assert sandbox.maximum(code) == currency.maximum, code
        # Where nothing is published it goes by what the amount is worth, which we can't know.
        assert sandbox.minimum(code) >= currency.minimum, code


@given(
    amount=st.decimals(0, 10**12, allow_nan=False, places=6),
    step=st.sampled_from(sorted({currency.step for currency in CURRENCIES.values()})),
)
def test_rounding_gives_the_nearest_multiple_of_the_step_and_halves_go_up(
    amount: Decimal, step: int
) -> None:
    rounded = round_half_up(amount, step)
    assert rounded % step == 0
    assert -Fraction(step, 2) <= Fraction(amount) - rounded < Fraction(step, 2)
