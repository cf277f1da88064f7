"""What the buyer typed, and what is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .. import cards, tax
from ..errors import Json

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+\Z")
_POSTAL = {
    "US": re.compile(r"\d{5}(-\d{4})?\Z"),
    "CA": re.compile(r"[A-Za-z]\d[A-Za-z] ?\d[A-Za-z]\d\Z"),
    "GB": re.compile(r"[A-Za-z]{1,2}\d[A-Za-z\d]? ?\d[A-Za-z]{2}\Z"),
}
_MAX_TEXT = 200
FIELDS = ("method", "email", "card", "expiry", "name", "country", "postal", "vat", "cvc")


@dataclass
class Form:
    """The card's number and CVC live in this object only, while one request is answered."""

    method: str = "card"
    email: str = ""
    card: str = ""
    expiry: str = ""
    cvc: str = ""
    name: str = ""
    country: str = ""
    postal: str = ""
    vat: str = ""
    errors: dict[str, str] = field(default_factory=dict)
    month: int = 0
    year: int = 0

    @classmethod
    def read(cls, given: Mapping[str, object]) -> Form:
        texts = {
            name: str(given.get(name, "")).replace("\x00", "").strip()[:_MAX_TEXT]
            for name in FIELDS
        }
        texts["country"] = texts["country"].upper()
        texts["method"] = "debit" if texts["method"] == "debit" else "card"
        return cls(**texts)  # type: ignore[arg-type]  # only texts, as FIELDS says

    @property
    def number(self) -> str:
        return cards.digits(self.card)

    def address(self) -> Json:
        return {
            "city": None,
            "country": self.country or None,
            "line1": None,
            "line2": None,
            "postal_code": self.postal or None,
            "state": self._state(),
        }

    def _state(self) -> str | None:
        try:
            return tax.place({"country": self.country, "postal_code": self.postal})[1]
        except tax.LocationUnknownError:
            return None

    def tax_ids(self) -> list[Json]:
        if not self.vat:
            return []
        kind = {"GB": "gb_vat", "CH": "ch_vat", "NO": "no_vat"}.get(self.country, "eu_vat")
        return [{"type": kind, "value": re.sub(r"[\s.-]", "", self.vat).upper()}]

    def check(self, *, now: int, countries: Mapping[str, str]) -> bool:
        """Fills `errors`: one sentence for each field that can't be right."""
        if not _EMAIL.match(self.email):
            self.errors["email"] = "Enter an email address like name@example.com."
        if not self.name:
            self.errors["name"] = (
                "Enter the name on the card."
                if self.method == "card"
                else ("Enter the account holder's name.")
            )
        if self.country not in countries:
            self.errors["country"] = "Choose a country."
        pattern = _POSTAL.get(self.country)
        if pattern and not pattern.match(self.postal):
            self.errors["postal"] = "Your postal code is incomplete or invalid."
        if self.vat and self.tax_ids()[0]["type"] == "eu_vat":
            value = self.tax_ids()[0]["value"]
            prefix = "GR" if value[:2] == "EL" else value[:2]
            if prefix not in tax.EU_RATES or len(value) < 6:
                self.errors["vat"] = "Enter a VAT ID like DE123456789."
        if self.method == "card":
            self._check_card(now)
        return not self.errors

    def _check_card(self, now: int) -> None:
        if not self.number:
            self.errors["card"] = "Enter your card number."
        elif not cards.luhn_valid(self.number):
            self.errors["card"] = "Your card number is invalid."
        found = re.fullmatch(r"(\d{1,2})\s*[/\-. ]?\s*(\d{2}|\d{4})", self.expiry)
        if not found or not 1 <= int(found[1]) <= 12:
            self.errors["expiry"] = "Enter the expiry date as MM / YY."
        else:
            self.month = int(found[1])
            self.year = int(found[2]) + (2000 if len(found[2]) == 2 else 0)
            today = datetime.fromtimestamp(now, UTC)
            if (self.year, self.month) < (today.year, today.month):
                self.errors["expiry"] = "Your card's expiry date is in the past."
            elif self.year > today.year + 50:
                self.errors["expiry"] = "Your card's expiry year is invalid."
        length = cards.cvc_length(cards.brand_of(self.number))
        if not re.fullmatch(rf"\d{{{length}}}", self.cvc):
            self.errors["cvc"] = f"Your card's security code has {length} digits."
