"""Amounts as integers in minor units, refused up front where they could never be charged, and
rounded in one place. What the provider takes in which currency is data: `domain/currencies.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from paylink.domain.currencies import TABLE
from paylink.domain.errors import ValidationError


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


CURRENCIES: Final = {
    code: Currency(code, decimals, minimum, maximum, step)
    for code, (decimals, step, minimum, maximum) in TABLE.items()
}


def round_half_up(amount: Decimal, step: int) -> int:
    """The nearest multiple of a currency's step to an amount in minor units, halves away from 0."""
    return int((amount / step).quantize(Decimal(1), ROUND_HALF_UP)) * step


def currency_named(code: str, field: str = "currency") -> Currency:
    """The currency of an ISO 4217 code in any case; ValidationError if the provider has none."""
    known = CURRENCIES.get(code.lower()) if code.isascii() else None
    if known is None:
        raise ValidationError.of(field, "This is not a currency that can be charged.")
    return known
