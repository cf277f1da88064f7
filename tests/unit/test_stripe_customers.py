"""What Stripe is told of a customer: above all, which kind of number the tax document is."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest
from stripe.params import CustomerCreateParamsTaxIdDatum

from paylink.adapters.stripe.customers import (
    _TYPES,
    creation_parameters,
    has_parts_left,
    is_tax_document,
    tax_id_of,
    update_parameters,
)
from paylink.domain.customer import Customer
from paylink.domain.organization import Address
from tests.unit.fakes import START


def customer(**members: Any) -> Customer:
    return Customer("cus_1", "org_1", "sandbox", START, START, "a@b.example", **members)


def registered(country: str | None, document: str) -> Customer:
    return customer(address=Address(country=country), tax_ids=(document,))


@pytest.mark.parametrize(
    ("country", "document", "kind", "value"),
    [
        ("DE", "DE 123 456 789", "eu_vat", "DE123456789"),
        ("FR", "fr12345678901", "eu_vat", "FR12345678901"),
        ("GR", "EL123456789", "eu_vat", "EL123456789"),
        ("IE", "IE1234567FA", "eu_vat", "IE1234567FA"),
        ("GB", "123 4567 89", "gb_vat", "GB123456789"),
        ("GB", "GB123456789012", "gb_vat", "GB123456789012"),
        ("US", "12-3456789", "us_ein", "12-3456789"),
        ("US", "123456789", "us_ein", "12-3456789"),
        ("CH", "CHE-123.456.789 MWST", "ch_vat", "CHE123456789MWST"),
        ("NO", "123456789MVA", "no_vat", "123456789MVA"),
        ("AU", "12 345 678 901", "au_abn", "12345678901"),
        ("CA", "123456789", "ca_bn", "123456789"),
        ("BR", "12.345.678/0001-95", "br_cnpj", "12345678000195"),
        ("IN", "12ABCDE3456FGZH", "in_gst", "12ABCDE3456FGZH"),
    ],
)
def test_a_number_that_is_written_as_its_country_does_has_a_type(
    country: str, document: str, kind: str, value: str
) -> None:
    who = registered(country, document)
    assert tax_id_of(who) == {"type": kind, "value": value}
    assert creation_parameters(who, "dep")["tax_id_data"] == [{"type": kind, "value": value}]


@pytest.mark.parametrize(
    ("country", "document"),
    [
        ("DE", "123/456/78901"),  # a number of the tax office, not of VAT
        ("DE", "FR12345678901"),  # somebody else's country
        ("GR", "GR123456789"),
        ("US", "12345678"),
        ("GB", "GB12345678"),
        ("XK", "DE123456789"),
        (None, "DE123456789"),
        ("DE", "DE" + "1" * 40),
        ("NO", "١٢٣٤٥٦٧٨٩MVA"),
    ],
)
def test_a_number_of_an_uncertain_type_is_not_sent(country: str | None, document: str) -> None:
    who = registered(country, document)
    assert tax_id_of(who) is None
    assert "tax_id_data" not in creation_parameters(who, "dep")


def test_stripe_knows_every_type() -> None:
    hints = get_type_hints(CustomerCreateParamsTaxIdDatum)
    known = {name for part in get_args(hints["type"]) for name in get_args(part)}
    assert {kind for forms in _TYPES.values() for kind, _ in forms} <= known
    assert "eu_vat" in known


@pytest.mark.parametrize(
    ("number", "same"),
    [("DE123456789", True), ("de 123-456-789", True), ("DE987654321", False), ("", False)],
)
def test_a_number_is_known_again_however_it_is_written(number: str, same: bool) -> None:
    assert is_tax_document(number, registered("DE", "DE 123456789")) is same
    assert is_tax_document(number, customer()) is False


def test_a_customer_is_made_from_what_is_known_and_marked_as_ours() -> None:
    who = customer(address=Address("Rue 1", None, "Lyon", None, "69001", "FR"))
    assert creation_parameters(who, "dep_1") == {
        "email": "a@b.example",
        "address": {"line1": "Rue 1", "city": "Lyon", "postal_code": "69001", "country": "FR"},
        "metadata": {
            "customer_id": "cus_1",
            "organization_id": "org_1",
            "mode": "sandbox",
            "deployment_id": "dep_1",
        },
    }


def test_an_update_clears_what_is_unknown() -> None:
    assert update_parameters(customer()) == {"email": "a@b.example", "name": "", "address": ""}


def test_what_is_left_of_an_older_address_is_noticed() -> None:
    who = customer(address=Address("Rue 1", country="FR"))
    assert has_parts_left(Address("Rue 1", "2nd floor", country="FR"), who)
    assert not has_parts_left(Address("Rue 1", country="FR"), who)
    assert not has_parts_left(None, who)
