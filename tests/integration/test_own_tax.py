"""Sellers without Stripe Tax: the form before the checkout, and the same numbers everywhere."""

from __future__ import annotations

import io
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfReader

from paylink import cli
from tests.integration.stripe_driver import CARD, Buyer
from tests.integration.template import STACK_NAME
from tests.integration.test_customers import create as create_customer
from tests.integration.world import World

FRENCH = "FR40303265045"
CUSTOMER = {"email": "achats@entreprise.example", "fullName": "Entreprise SARL"}


@pytest.fixture
def world(world: World) -> World:
    own_rates(world)
    return world


def own_rates(world: World, *more: str) -> dict[str, Any]:
    return world.operator(
        *("organizations", "update", world.seller.organization_id, "--tax-mode", "rates"),
        *("--tax-rate", "DE:MwSt.:19", "--tax-rate", "FR:TVA:20"),
        *("--tax-rate", "CA:GST:5.0", "--tax-rate", "CA-ON:HST:13"),
        *more,
    )


def say(world: World, payment: dict[str, Any], **fields: str) -> Any:
    """The form sent by somebody who reads French, in which their invoice is then."""
    headers = {"accept-language": "fr"}
    return world.press_continue(payment["id"], urlencode(fields), headers=headers)


def numbers(payment: dict[str, Any]) -> tuple[int, int, int, str]:
    return (
        payment["amountSubtotal"],
        payment["taxAmount"],
        payment["amountTotal"],
        payment["taxStatus"],
    )


def paid(world: World, payment: dict[str, Any], buyer: Buyer | None = None) -> dict[str, Any]:
    answer = world.stripe.pay(world.checkout_url(payment["id"]), CARD, buyer)
    assert answer.status_code == 200, answer.text
    world.deliver_everything()
    world.issue_invoices()
    return world.payment(payment["id"])


def invoice_text(world: World) -> str:
    (document,) = world.aws.objects().values()
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(document)).pages)
    return re.sub(r"[\s\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}]+", " ", text)


def test_the_operator_sets_rates_and_modes(world: World) -> None:
    shown = own_rates(world, "--prices", "inclusive")["tax"]
    assert shown["mode"] == "rates"
    assert shown["inclusive"] is True
    assert shown["rates"][2:] == [
        {"country": "CA", "label": "GST", "percentage": "5", "region": None},
        {"country": "CA", "label": "HST", "percentage": "13", "region": "ON"},
    ]
    organization = world.seller.organization_id
    changed = world.operator("organizations", "update", organization, "--prices", "exclusive")
    assert changed["tax"] == {**shown, "inclusive": False}
    changed = world.operator("organizations", "update", organization, "--tax-mode", "none")
    assert changed["tax"] == {**shown, "inclusive": False, "mode": "none"}


@pytest.mark.parametrize(
    "rate",
    ["DE", "DE:19", "XX:VAT:19", "DE:VAT:101", "DE:VAT:-1", "DE:VAT:1e1", "DE::19", "de:VAT:19",
     "DE-:VAT:19", "DE:VAT:19.00001", "DE:V\nT:19"],
)  # fmt: skip
def test_what_is_no_rate_is_refused(
    world: World, rate: str, capsys: pytest.CaptureFixture[str]
) -> None:
    organization = world.seller.organization_id
    with pytest.raises(SystemExit):
        cli.main(
            ["--stack", STACK_NAME, "organizations", "update", organization, "--tax-rate", rate]
        )
    assert "is no rate" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("details", "reason"),
    [
        (["--country", "DE", "--tax-id", "DE136695976"], "at least one --tax-rate"),
        (["--tax-id", "DE136695976", "--tax-rate", "DE:VAT:19"], "--country"),
        (["--country", "DE", "--tax-rate", "DE:VAT:19"], "--tax-id"),
        (
            ["--country", "DE", "--tax-id", "1", "--tax-rate", "DE:VAT:19", "--tax-rate",
             "DE:VAT:7"],
            "twice",
        ),
    ],
)  # fmt: skip
def test_rates_need_what_makes_them_right(
    world: World, details: list[str], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    create = ["--stack", STACK_NAME, "organizations", "create", "--name", "N"]
    status = cli.main([*create, "--tax-mode", "rates", *details])
    assert status == 2
    assert reason in capsys.readouterr().err


def test_a_french_company_says_where_it_is_and_pays_no_tax(world: World) -> None:
    payment = world.create()
    assert numbers(payment) == (4900, 0, 4900, "pending")
    assert world.stripe.session_creations() == []
    page = world.open_link(payment["id"], accept_language="en")
    assert page.status == 200
    assert 'name="country"' in page.text
    assert world.stripe.requests() == []
    answer = say(world, payment, country="FR", tax_id="fr 40 303 265 045")
    assert answer.status == 303
    assert answer.headers["location"].startswith(world.stripe.url)
    assert numbers(world.payment(payment["id"])) == (4900, 0, 4900, "final")
    done = paid(world, payment, Buyer(country="FR", postal="75001"))
    assert numbers(done) == (4900, 0, 4900, "final")
    text = invoice_text(world)
    for fact in ("Autoliquidation", FRENCH, "DE123456789", "49,00 €"):
        assert fact in text


def test_a_french_consumer_pays_french_tax_and_all_show_the_same(world: World) -> None:
    payment = world.create()
    say(world, payment, country="FR", tax_id="")
    (session,) = world.stripe.sessions(world.seller.stripe_key)
    assert session["amount_total"] == 5880
    done = paid(world, payment, Buyer(country="FR", postal="75001"))
    assert numbers(done) == (4900, 980, 5880, "final")
    text = invoice_text(world)
    for fact in ("49,00 €", "TVA 20 %", "9,80 €", "58,80 €"):
        assert fact in text
    assert "Autoliquidation" not in text
    receipt = world.open_link(payment["id"], accept_language="en")
    for fact in ("€49.00", "€9.80", "€58.80"):
        assert fact in receipt.text


def test_a_buyer_comes_back_from_the_checkout_to_correct_it(world: World) -> None:
    payment = world.create()
    first = say(world, payment, country="FR", tax_id="").headers["location"]
    (session,) = world.stripe.sessions(world.seller.stripe_key)
    assert session["cancel_url"] == f"{payment['url']}?correct="
    page = world.open_link(payment["id"], {"correct": ""})
    assert page.status == 200
    assert '<option value="FR" selected>' in page.text
    assert world.open_link(payment["id"]).headers["location"] == first
    second = say(world, payment, country="DE", tax_id="").headers["location"]
    assert second != first
    assert world.checkout_url(payment["id"]) == second
    statuses = {s["status"] for s in world.stripe.sessions(world.seller.stripe_key)}
    assert statuses == {"open", "expired"}
    assert numbers(paid(world, payment)) == (4900, 931, 5831, "final")


def test_only_who_was_asked_can_correct(world: World) -> None:
    address = {"country": "FR", "line1": "1 rue", "city": "Paris", "postalCode": "75001"}
    made = create_customer(world, {**CUSTOMER, "address": address}).data
    payment = world.create({"customerId": made["id"]})
    assert world.open_link(payment["id"], {"correct": ""}).status == 303
    assert say(world, payment, country="US").status == 303
    assert numbers(world.payment(payment["id"])) == (4900, 980, 5880, "final")


def test_a_customer_on_record_gets_a_checkout_at_once(world: World) -> None:
    address = {"country": "FR", "line1": "1 rue", "city": "Paris", "postalCode": "75001"}
    made = create_customer(world, {**CUSTOMER, "address": address, "taxDocument": FRENCH}).data
    payment = world.create({"customerId": made["id"]})
    assert numbers(payment) == (4900, 0, 4900, "final")
    done = paid(world, payment)
    assert numbers(done) == (4900, 0, 4900, "final")
    assert FRENCH in invoice_text(world)
    charged = world.charge(made["id"])
    assert charged.status == 201, charged.text
    assert numbers(charged.data) == (1500, 0, 1500, "final")


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({}, "Please choose your country."),
        ({"country": ""}, "Please choose your country."),
        ({"country": "XX", "tax_id": "1"}, "Please choose your country."),
        ({"country": "CA"}, "Please choose your region."),
        ({"country": "CA", "region": "<b>"}, "Please choose your region."),
        ({"country": "FR", "tax_id": "\"><script>1</script>"}, "This is no VAT ID"),
    ],
)  # fmt: skip
def test_what_cant_be_is_said_beside_its_field(
    world: World, fields: dict[str, str], shown: str
) -> None:
    payment = world.create()
    answer = world.press_continue(
        payment["id"], urlencode({"x": "1", **fields}), headers={"accept-language": "en"}
    )
    assert answer.status == 400
    assert shown in answer.text
    assert "<script" not in answer.text
    assert "form-action 'self'" in answer.headers["content-security-policy"]
    assert world.stripe.requests() == []


def test_a_region_is_asked_for_in_a_second_step(world: World) -> None:
    payment = world.create()
    page = say(world, payment, country="CA")
    assert page.status == 400
    assert "<option>ON</option>" in page.text
    assert say(world, payment, country="CA", region="ON").status == 303
    assert numbers(world.payment(payment["id"])) == (4900, 637, 5537, "final")


def test_nothing_that_is_sent_breaks_the_page(world: World) -> None:
    payment = world.create()

    @given(st.binary(max_size=300), st.booleans())
    @settings(
        max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    def sent(body: bytes, encoded: bool) -> None:
        if encoded:
            answer = world.press_continue(payment["id"], body, base64_body=True)
        else:
            answer = world.press_continue(payment["id"], body.decode("latin-1"))
        assert answer.status in {200, 400}

    sent()
    for body in ("&".join("a=1" for _ in range(5_000)), "country=" + "F" * 100_000, "%ff=%fe"):
        assert world.press_continue(payment["id"], body).status in {200, 400}
    assert world.stripe.requests() == []


def test_inclusive_prices_stay_and_the_tax_is_within(world: World) -> None:
    own_rates(world, "--prices", "inclusive")
    payment = world.create({"amount": 1200})
    say(world, payment, country="DE", tax_id="")
    done = paid(world, payment)
    assert numbers(done) == (1008, 192, 1200, "final")
    text = invoice_text(world)
    for fact in ("10,08 €", "1,92 €", "12,00 €"):
        assert fact in text


def test_three_decimals_are_taxed_in_steps(world: World) -> None:
    payment = world.create({"amount": 18610, "currency": "kwd"})
    say(world, payment, country="DE", tax_id="")
    assert numbers(paid(world, payment)) == (18610, 3540, 22150, "final")


def test_without_tax_nobody_is_asked_and_nothing_is_added(world: World) -> None:
    world.operator("organizations", "update", world.seller.organization_id, "--tax-mode", "none")
    payment = world.create()
    assert numbers(payment) == (4900, 0, 4900, "not_collecting")
    done = paid(world, payment)
    assert numbers(done) == (4900, 0, 4900, "not_collecting")
    assert "Steuer " not in invoice_text(world)
