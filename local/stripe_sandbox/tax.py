"""A small tax engine in place of Stripe Tax: one rate per place, registrations, reverse charge.

The rates are the standard ones of 2026, simplified: for trying a flow, not for filing a return.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from . import money
from .errors import Json, invalid

EU_RATES = {
    "AT": "20", "BE": "21", "BG": "20", "CY": "19", "CZ": "21", "DE": "19", "DK": "25", "EE": "24",
    "ES": "21", "FI": "25.5", "FR": "20", "GR": "24", "HR": "25", "HU": "27", "IE": "23",
    "IT": "22", "LT": "21", "LU": "17", "LV": "21", "MT": "18", "NL": "21", "PL": "23", "PT": "23",
    "RO": "21", "SE": "25", "SI": "22", "SK": "23",
}  # fmt: skip
# Country: (kind of tax, its name, percentage)
_OTHER_RATES = {
    "GB": ("vat", "VAT", "20"), "CH": ("vat", "VAT", "8.1"), "NO": ("vat", "VAT", "25"),
    "IS": ("vat", "VAT", "24"), "LI": ("vat", "VAT", "8.1"), "TR": ("vat", "VAT", "20"),
    "ZA": ("vat", "VAT", "15"), "AE": ("vat", "VAT", "5"), "SA": ("vat", "VAT", "15"),
    "MX": ("vat", "VAT", "16"), "CL": ("vat", "VAT", "19"), "KR": ("vat", "VAT", "10"),
    "TH": ("vat", "VAT", "7"), "ID": ("vat", "VAT", "11"), "PH": ("vat", "VAT", "12"),
    "VN": ("vat", "VAT", "10"), "KE": ("vat", "VAT", "16"), "UG": ("vat", "VAT", "18"),
    "BH": ("vat", "VAT", "10"), "OM": ("vat", "VAT", "5"),
    "JP": ("jct", "JCT", "10"), "AU": ("gst", "GST", "10"), "NZ": ("gst", "GST", "15"),
    "SG": ("gst", "GST", "9"), "IN": ("igst", "IGST", "18"), "MY": ("service_tax", "SST", "8"),
    "TW": ("vat", "VAT", "5"),
}  # fmt: skip
_CANADA = {
    "AB": [("gst", "GST", "5")], "BC": [("gst", "GST", "5"), ("pst", "PST", "7")],
    "MB": [("gst", "GST", "5"), ("pst", "PST", "7")], "NB": [("hst", "HST", "15")],
    "NL": [("hst", "HST", "15")], "NS": [("hst", "HST", "14")], "NT": [("gst", "GST", "5")],
    "NU": [("gst", "GST", "5")], "ON": [("hst", "HST", "13")], "PE": [("hst", "HST", "15")],
    "QC": [("gst", "GST", "5"), ("qst", "QST", "9.975")],
    "SK": [("gst", "GST", "5"), ("pst", "PST", "6")], "YT": [("gst", "GST", "5")],
}  # fmt: skip
_CANADA_POSTAL = {
    "A": "NL", "B": "NS", "C": "PE", "E": "NB", "G": "QC", "H": "QC", "J": "QC", "K": "ON",
    "L": "ON", "M": "ON", "N": "ON", "P": "ON", "R": "MB", "S": "SK", "T": "AB", "V": "BC",
    "X": "NT", "Y": "YT",
}  # fmt: skip
# State: its general rate; where a postal code begins with one of the prefixes, the city's.
_US_STATES = {
    "AZ": "8.1", "CA": "7.25", "CO": "8.8", "FL": "7", "GA": "8", "IL": "9", "MA": "6.25",
    "MI": "6", "MN": "7.9", "NC": "7", "NJ": "6.625", "NV": "8.375", "NY": "8", "OH": "7.5",
    "PA": "6", "TN": "9.25", "TX": "8.25", "UT": "7.25", "VA": "5.3", "WA": "9.3",
}  # fmt: skip
_US_CITIES = {
    "900": "9.75", "902": "9.75", "921": "7.75", "940": "9.875", "941": "8.625", "943": "9.125",
    "950": "9.375", "951": "9.375", "100": "8.875", "101": "8.875", "102": "8.875", "103": "8.875",
    "104": "8.875", "112": "8.875", "113": "8.875", "980": "10.2", "981": "10.35",
}  # fmt: skip
_US_NO_SALES_TAX = frozenset({"DE", "MT", "NH", "OR", "AK"})
_US_POSTAL = (  # (first, last, state) of three-digit prefixes
    (10, 27, "MA"), (28, 29, "RI"), (30, 38, "NH"), (39, 49, "ME"), (50, 59, "VT"), (60, 69, "CT"),
    (70, 89, "NJ"), (100, 149, "NY"), (150, 196, "PA"), (197, 199, "DE"), (200, 205, "DC"),
    (206, 219, "MD"), (220, 246, "VA"), (247, 268, "WV"), (270, 289, "NC"), (290, 299, "SC"),
    (300, 319, "GA"), (320, 349, "FL"), (350, 369, "AL"), (370, 385, "TN"), (386, 397, "MS"),
    (398, 399, "GA"), (400, 427, "KY"), (430, 459, "OH"), (460, 479, "IN"), (480, 499, "MI"),
    (500, 528, "IA"), (530, 549, "WI"), (550, 567, "MN"), (570, 577, "SD"), (580, 588, "ND"),
    (590, 599, "MT"), (600, 629, "IL"), (630, 658, "MO"), (660, 679, "KS"), (680, 693, "NE"),
    (700, 714, "LA"), (716, 729, "AR"), (730, 749, "OK"), (750, 799, "TX"), (800, 816, "CO"),
    (820, 831, "WY"), (832, 838, "ID"), (840, 847, "UT"), (850, 865, "AZ"), (870, 884, "NM"),
    (885, 885, "TX"), (889, 898, "NV"), (900, 961, "CA"), (967, 968, "HI"), (970, 979, "OR"),
    (980, 994, "WA"), (995, 999, "AK"),
)  # fmt: skip

DEFAULT_REGISTRATIONS = [
    *sorted(EU_RATES), "GB", "JP", "AU", "CA", "US-CA", "US-NY", "US-TX", "US-WA",
]  # fmt: skip

# The type of tax id that makes a sale one between businesses, by the buyer's country.
_BUSINESS_TAX_ID = {"GB": "gb_vat", **dict.fromkeys(EU_RATES, "eu_vat")}


@dataclass(frozen=True)
class Component:
    """One tax of a place: Quebec has two."""

    kind: str
    name: str
    percentage: Decimal
    country: str
    state: str | None


@dataclass(frozen=True)
class TaxLine:
    component: Component
    amount: int
    taxable: int
    reason: str
    inclusive: bool


@dataclass(frozen=True)
class Taxed:
    """One line item's amounts in minor units: `subtotal` and `total` as the buyer sees them."""

    subtotal: int
    tax: int
    total: int
    lines: list[TaxLine] = field(default_factory=list)


class LocationUnknownError(Exception):
    """The address doesn't say where the buyer is."""


def place(address: Json | None) -> tuple[str, str | None]:
    """(country, state) of an address. Raises LocationUnknownError if that isn't enough for tax."""
    country = str((address or {}).get("country") or "").upper()
    postal = str((address or {}).get("postal_code") or "").strip().upper()
    state = str((address or {}).get("state") or "").strip().upper() or None
    if len(country) != 2 or not country.isalpha():
        raise LocationUnknownError
    if country == "US":
        found = _us_state(postal)
        if found is None and (state is None or postal):
            raise LocationUnknownError
        return country, found or state
    if country == "CA":
        found = _CANADA_POSTAL.get(postal[:1]) or (state if state in _CANADA else None)
        if found is None:
            raise LocationUnknownError
        return country, found
    return country, None


def _us_state(postal: str) -> str | None:
    if len(postal) < 5 or not postal[:5].isdecimal():
        return None
    prefix = int(postal[:3])
    for first, last, state in _US_POSTAL:
        if first <= prefix <= last:
            return state
    return None


def components(address: Json) -> list[Component]:
    """The taxes of the buyer's place, registered there or not."""
    country, state = place(address)
    if country in EU_RATES:
        return [Component("vat", "VAT", Decimal(EU_RATES[country]), country, None)]
    if country == "CA" and state:
        return [Component(kind, name, Decimal(rate), country, state)
                for kind, name, rate in _CANADA[state]]  # fmt: skip
    if country == "US" and state:
        postal = str(address.get("postal_code") or "")
        rate = _US_CITIES.get(postal[:3]) or _US_STATES.get(state, "6")
        if state in _US_NO_SALES_TAX:
            rate = "0"
        return [Component("sales_tax", "Sales Tax", Decimal(rate), country, state)]
    kind, name, rate = _OTHER_RATES.get(country, ("vat", "VAT", "0"))
    return [Component(kind, name, Decimal(rate), country, None)]


def compute(
    amount: int,
    currency: str,
    *,
    inclusive: bool,
    address: Json,
    registrations: list[str],
    seller_country: str,
    tax_ids: list[Json] | None = None,
    override: str = "none",
) -> Taxed:
    """The tax on one line item, half-up once per tax. Raises LocationUnknownError."""
    country, state = place(address)
    found = components(address)
    reason = _reason(country, state, registrations, seller_country, tax_ids or [], override)
    if reason is None and all(part.percentage == 0 for part in found):
        reason = "not_subject_to_tax"
    if reason:
        lines = [TaxLine(part, 0, 0 if reason == "not_collecting" else amount, reason, inclusive)
                 for part in found]  # fmt: skip
        return Taxed(amount, 0, amount, lines)
    return apply_rates(amount, currency, found, inclusive=inclusive)


def apply_rates(amount: int, currency: str, parts: list[Component], *, inclusive: bool) -> Taxed:
    whole = sum((part.percentage for part in parts), Decimal(0))
    net = Decimal(amount)
    if inclusive:
        net = net * 100 / (100 + whole)
    taxes = [money.round_half_up(net * part.percentage / 100, currency) for part in parts]
    if inclusive and parts:
        # The parts of an inclusive price add up to it, so the net amount is what remains.
        total_tax = amount - money.round_half_up(net, currency)
        taxes[0] += total_tax - sum(taxes)
    tax = sum(taxes)
    taxable = amount - tax if inclusive else amount
    lines = [TaxLine(part, value, taxable, "standard_rated", inclusive)
             for part, value in zip(parts, taxes, strict=True)]  # fmt: skip
    return Taxed(amount, tax, amount if inclusive else amount + tax, lines)


def _reason(
    country: str,
    state: str | None,
    registrations: list[str],
    seller_country: str,
    tax_ids: list[Json],
    override: str,
) -> str | None:
    """Why there is no tax, if there is none."""
    here = f"US-{state}" if country == "US" else country
    if here not in registrations and f"{country}-{state}" not in registrations:
        return "not_collecting"
    if override == "customer_exempt":
        return "customer_exempt"
    if override == "reverse_charge":
        return "reverse_charge"
    business = _BUSINESS_TAX_ID.get(country)
    if business and country != seller_country and any(_matches(item, business, country)
                                                      for item in tax_ids):  # fmt: skip
        return "reverse_charge"
    return None


def _matches(tax_id: Json, wanted: str, country: str) -> bool:
    if tax_id.get("type") != wanted:
        return False
    # VIES writes Greece as EL.
    prefix = "EL" if country == "GR" else country
    return wanted != "eu_vat" or str(tax_id.get("value", "")).upper().startswith(prefix)


def location_invalid(param: str) -> Exception:
    return invalid(
        "We could not determine the customer's tax location based on the provided customer "
        "address.",
        param,
        "customer_tax_location_invalid",
    )


def tax_id_country(type_: str, value: str) -> str | None:
    if type_ == "eu_vat":
        prefix = value[:2].upper()
        return "GR" if prefix == "EL" else prefix
    head = type_.split("_", maxsplit=1)[0].upper()
    return head if len(head) == 2 else None


def rate_object(component: Component, *, inclusive: bool, livemode: bool, created: int) -> Json:
    """A tax rate as the breakdown of a session shows it."""
    where = f"{component.country}-{component.state or ''}"
    return {
        "id": f"txr_{where}_{component.kind}_{'i' if inclusive else 'e'}".replace("-", ""),
        "object": "tax_rate",
        "active": False,
        "country": component.country,
        "created": created,
        "description": None,
        "display_name": component.name,
        "effective_percentage": float(component.percentage),
        "flat_amount": None,
        "inclusive": inclusive,
        "jurisdiction": component.state or component.country,
        "jurisdiction_level": "state" if component.state else "country",
        "livemode": livemode,
        "metadata": {},
        "percentage": float(component.percentage),
        "rate_type": "percentage",
        "state": component.state,
        "tax_type": component.kind,
    }


def breakdown(lines: list[TaxLine], *, livemode: bool, created: int) -> list[Json]:
    """`total_details.breakdown.taxes` of a session: one entry per rate and reason."""
    merged: dict[tuple[Any, ...], Json] = {}
    for line in lines:
        key = (line.component, line.reason, line.inclusive)
        entry = merged.setdefault(
            key,
            {
                "amount": 0,
                "rate": rate_object(line.component, inclusive=line.inclusive, livemode=livemode,
                                    created=created),
                "taxability_reason": line.reason,
                "taxable_amount": 0,
            },
        )  # fmt: skip
        entry["amount"] += line.amount
        entry["taxable_amount"] += line.taxable
    return list(merged.values())
