"""A customer as Stripe's: what it may know, and which kind of number a tax document is.

Stripe knows a tax number only together with its type. One that isn't written as its country writes
them is not sent: tax is then that of somebody without a number, which is never too little.
"""

from __future__ import annotations

import re
from typing import Any, Final

from paylink.domain.customer import Customer
from paylink.domain.tax import EU_COUNTRIES

_EU_VAT: Final = re.compile(r"[A-Z]{2}[0-9A-Z+*]{2,13}", re.ASCII)
_TYPES: Final[dict[str, tuple[tuple[str, str], ...]]] = {
    "AE": (("ae_trn", r"\d{15}"),),
    "AU": (("au_abn", r"\d{11}"),),
    "BR": (("br_cnpj", r"\d{14}"), ("br_cpf", r"\d{11}")),
    "CA": (("ca_gst_hst", r"\d{9}RT\d{4}"), ("ca_bn", r"\d{9}")),
    "CH": (("ch_vat", r"CHE\d{9}(MWST|TVA|IVA)"), ("ch_uid", r"CHE\d{9}")),
    "CL": (("cl_tin", r"\d{7,8}[\dK]"),),
    "GB": (("gb_vat", r"GB(\d{9}|\d{12}|GD\d{3}|HA\d{3})"),),
    "ID": (("id_npwp", r"\d{15,16}"),),
    "IL": (("il_vat", r"\d{9}"),),
    "IN": (("in_gst", r"\d{2}[A-Z]{5}\d{4}[A-Z][0-9A-Z]Z[0-9A-Z]"),),
    "JP": (("jp_trn", r"T\d{13}"), ("jp_cn", r"\d{13}"), ("jp_rn", r"\d{5}")),
    "KR": (("kr_brn", r"\d{10}"),),
    "MX": (("mx_rfc", r"[A-ZÑ&]{3,4}\d{6}[0-9A-Z]{3}"),),
    "NO": (("no_vat", r"\d{9}MVA"),),
    "NZ": (("nz_gst", r"\d{8,9}"),),
    "SG": (("sg_gst", r"M\d{8}[A-Z]|\d{8,9}[A-Z]"), ("sg_uen", r"[0-9A-Z]{9,10}")),
    "TH": (("th_vat", r"\d{13}"),),
    "TR": (("tr_tin", r"\d{10}"),),
    "TW": (("tw_vat", r"\d{8}"),),
    "US": (("us_ein", r"\d{9}"),),
    "ZA": (("za_vat", r"\d{10}"),),
}
"""By country: types and how a number of each is written, without spaces, dots and dashes."""

_ADDRESS_PARTS: Final = ("line1", "line2", "city", "state", "postal_code", "country")


def tax_id_of(customer: Customer) -> dict[str, str] | None:
    """Type and value of the customer's tax document, where both are certain."""
    country = customer.address.country if customer.address else None
    if customer.tax_document is None or country is None:
        return None
    number = _number(customer.tax_document)
    if country in EU_COUNTRIES:
        prefix = "EL" if country == "GR" else country
        if number.startswith(prefix) and _EU_VAT.fullmatch(number):
            return {"type": "eu_vat", "value": number}
        return None
    if country == "GB" and number.isdigit():
        number = f"GB{number}"
    for kind, form in _TYPES.get(country, ()):
        if re.fullmatch(form, number, re.ASCII):
            value = f"{number[:2]}-{number[2:]}" if kind == "us_ein" else number
            return {"type": kind, "value": value}
    return None


def is_tax_document(number: str, customer: Customer) -> bool:
    """Whether a number is the customer's, however either is written."""
    document = customer.tax_document
    if document is None:
        return False
    wanted = tax_id_of(customer)
    return _number(number) in {_number(document), _number(wanted["value"]) if wanted else None}


def _number(text: str) -> str:
    return re.sub(r"[\s./-]", "", text).upper()


def creation_parameters(customer: Customer, deployment_id: str) -> dict[str, Any]:
    """The exact parameters of a generation of the customer: the same for the same customer."""
    known = {name: value for name, value in _details(customer).items() if value}
    tax_id = tax_id_of(customer)
    if tax_id is not None:
        known["tax_id_data"] = [tax_id]
    return {
        **known,
        "metadata": {
            "customer_id": customer.id,
            "organization_id": customer.organization_id,
            "mode": customer.mode,
            "deployment_id": deployment_id,
        },
    }


def update_parameters(customer: Customer) -> dict[str, Any]:
    """All of it, with an empty text for what is to be cleared."""
    return {name: value or "" for name, value in _details(customer).items()}


def has_parts_left(address: object, customer: Customer) -> bool:
    """Whether Stripe's address still has parts that the customer's hasn't: of an older one."""
    wanted = _address(customer)
    return any(getattr(address, name, None) and name not in wanted for name in _ADDRESS_PARTS)


def _details(customer: Customer) -> dict[str, Any]:
    return {"email": customer.email, "name": customer.full_name, "address": _address(customer)}


def _address(customer: Customer) -> dict[str, str]:
    """Only the parts that there are: Stripe lets none be cleared by itself."""
    parts = {name: getattr(customer.address, name, None) for name in _ADDRESS_PARTS}
    return {name: value for name, value in parts.items() if value}
