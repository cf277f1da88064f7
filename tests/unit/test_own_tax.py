"""Links and charges of sellers with rates of their own, or with no tax at all."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from paylink.domain.customer import Buyer, Customer
from paylink.domain.erasure import erased_payment
from paylink.domain.errors import ProviderUnavailableError, ValidationError
from paylink.domain.organization import Address, TaxRate, TaxSettings
from paylink.domain.payment import (
    CheckoutMismatchError,
    CheckoutSession,
    CheckoutState,
    Payment,
    observe,
)
from paylink.domain.tax import SettledTax, TaxLine
from paylink.services.own_tax import Told
from paylink.services.view_link import LinkView
from tests.unit.fakes import BUYER, START
from tests.unit.world import SELLER, World, a_payment, a_request, charge_of, data_of, link_of

FRENCH = "FR40303265045"
GERMAN = "DE136695976"
RATES = (
    TaxRate("DE", "MwSt.", "19"),
    TaxRate("FR", "TVA", "20"),
    TaxRate("CA", "GST", "5"),
    TaxRate("CA", "HST", "13", "ON"),
)
GERMANY = Address(country="DE")
FRANCE = Address(country="FR")


@pytest.fixture
def world(world: World) -> World:
    taxing(world)
    return world


def taxing(world: World, *, inclusive: bool = False, mode: Any = "rates") -> None:
    settings = TaxSettings(mode, inclusive, RATES)
    world.organizations.put(replace(SELLER, address=GERMANY, tax_ids=(GERMAN,), tax=settings))


def create(world: World, **link: Any) -> dict[str, Any]:
    seller = world.organizations.get(SELLER.id)
    assert seller is not None
    return data_of(world.create(link_of(**link), organization=seller))


def numbers(answer: dict[str, Any]) -> tuple[int, int, int, str]:
    return (
        answer["amountSubtotal"],
        answer["taxAmount"],
        answer["amountTotal"],
        answer["taxStatus"],
    )


def numbers_of(payment: Payment) -> tuple[int, int, int, str]:
    return payment.amount_subtotal, payment.tax_amount, payment.amount_total, payment.tax_status


def asked(world: World, payment_id: str, told: Told | None = None) -> LinkView:
    opened = world.open_with(payment_id, told)
    assert isinstance(opened, LinkView)
    return opened


def reasons(payment: Payment) -> list[str | None]:
    assert payment.settlement is not None
    return [line.reason for line in payment.settlement.tax_lines]


def test_a_customer_on_record_is_taxed_at_once(world: World) -> None:
    world.customer(address=FRANCE)
    made = create(world, customer="cus_1")
    assert numbers(made) == (1000, 200, 1200, "final")
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    payment = world.payment(made["id"])
    assert numbers_of(payment) == (1000, 200, 1200, "final")
    assert world.transaction(made["id"]).amount_total == 1200
    assert world.provider.taken(made["id"]) == 1200


@pytest.mark.parametrize(
    ("address", "number", "expected", "reason"),
    [
        (FRANCE, FRENCH, (1000, 0, 1000, "final"), "reverse_charge"),
        (GERMANY, GERMAN, (1000, 190, 1190, "final"), "standard_rated"),
        (FRANCE, "soon", (1000, 200, 1200, "final"), "standard_rated"),
        (Address(country="US"), "12-3456789", (1000, 0, 1000, "not_collecting"), "not_collecting"),
    ],
)
def test_a_number_on_record_decides_and_is_on_the_invoice(
    world: World, address: Address, number: str, expected: tuple[int, int, int, str], reason: str
) -> None:
    world.customer(address=address, tax_ids=(number,))
    made = create(world, customer="cus_1")
    assert numbers(made) == expected
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    invoice = world.issue(made["id"])
    assert (invoice.amount_subtotal, invoice.tax_amount, invoice.amount_total) == expected[:3]
    assert [line.reason for line in invoice.tax_lines] == [reason]
    assert invoice.seller.tax_ids == (GERMAN,)
    if reason in {"reverse_charge", "standard_rated"} and number != "soon":
        assert invoice.buyer.tax_ids == (number,)
    assert invoice.seller.tax == TaxSettings()


def test_a_guest_is_asked_before_there_is_a_checkout(world: World) -> None:
    made = create(world)
    assert numbers(made) == (1000, 0, 1000, "pending")
    assert world.payment(made["id"]).sessions == ()
    view = world.view(made["id"])
    assert view.kind == "payable"
    assert view.form is not None
    assert view.form.problem is None
    assert asked(world, made["id"]).form == view.form
    assert world.provider.checkouts == {}


def test_what_the_buyer_says_decides(world: World) -> None:
    made = create(world)
    url = world.open_with(made["id"], Told("FR", tax_id="fr 40 303 265 045"))
    assert isinstance(url, str)
    assert url.startswith("https://checkout.example/")
    assert numbers_of(world.payment(made["id"])) == (1000, 0, 1000, "final")
    world.provider.pay(world.session(made["id"]), buyer=Buyer("b@example.com", "Bea"))
    world.hear(made["id"])
    payment = world.payment(made["id"])
    assert reasons(payment) == ["reverse_charge"]
    assert payment.settlement is not None
    assert payment.settlement.buyer.tax_ids == (FRENCH,)
    assert payment.settlement.buyer.address == FRANCE
    guest = world.customers.find(SELLER.id, payment.mode, payment.customer_id or "")
    assert guest is not None
    assert guest.tax_ids == (FRENCH,)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        (Told(), "country"),
        (Told("FR", tax_id="FR1"), "tax_id"),
        (Told("FR", tax_id=GERMAN), "tax_id"),
        (Told("CA"), "region"),
        (Told("CA", "XX"), "region"),
    ],
)
def test_what_cant_be_is_asked_again(world: World, told: Told, problem: str) -> None:
    made = create(world)
    form = asked(world, made["id"], told).form
    assert form is not None
    assert (form.problem, form.told) == (problem, told)
    assert form.regions == (("ON",) if told.country == "CA" else ())
    assert world.payment(made["id"]).version == 1
    assert world.provider.checkouts == {}


@pytest.mark.parametrize(("region", "total"), [("ON", 1130), ("-", 1050)])
def test_regions_are_taxed_by_their_own_rates(world: World, region: str, total: int) -> None:
    made = create(world)
    world.open_with(made["id"], Told("CA", region))
    assert world.payment(made["id"]).amount_total == total


def test_the_record_counts_more_than_what_a_buyer_says(world: World) -> None:
    world.customer(address=FRANCE)
    made = create(world, customer="cus_1")
    world.clock.advance(hours=25)
    assert world.view(made["id"]).form is None
    world.open_with(made["id"], Told("US"))
    assert numbers_of(world.payment(made["id"])) == (1000, 200, 1200, "final")


def test_a_customer_without_an_address_is_asked(world: World) -> None:
    world.customer(address=Address(country="CA", state="Ontario"))
    made = create(world, customer="cus_1")
    assert made["taxStatus"] == "pending"
    assert world.view(made["id"]).form is not None


def test_the_next_checkout_can_have_other_tax_and_the_page_knows_the_last(world: World) -> None:
    made = create(world)
    world.open_with(made["id"], Told("CA", "ON"))
    world.clock.advance(hours=25)
    view = world.view(made["id"])
    assert view.form is not None
    assert view.form.told == Told("CA", "ON")
    assert view.form.regions == ("ON",)
    assert view.payment.amount_total == 1130
    world.open_with(made["id"], Told("DE"))
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    assert numbers_of(world.payment(made["id"])) == (1000, 190, 1190, "final")


def test_a_live_checkout_is_reused_by_who_says_nothing_else(world: World) -> None:
    made = create(world)
    first = world.open_with(made["id"], Told("FR"))
    assert world.open_with(made["id"], None) == first
    assert world.open_with(made["id"], Told("FR")) == first
    assert len(world.provider.checkouts) == 1


def test_who_corrects_what_they_said_gets_another_checkout(world: World) -> None:
    made = create(world)
    first = world.open_with(made["id"], Told("FR"))
    view = world.view(made["id"])
    assert view.kind == "checkout"
    assert view.form is not None
    assert view.form.told == Told("FR")
    assert asked(world, made["id"], Told("FR", tax_id="FR1")).form is not None
    assert world.open(made["id"]) == first
    second = world.open_with(made["id"], Told("FR", tax_id=FRENCH))
    assert second != first
    assert len(world.provider.live(made["id"])) == 1
    assert world.payment(made["id"]).amount_total == 1000
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    assert reasons(world.payment(made["id"])) == ["reverse_charge"]


def test_corrections_end_before_the_payment_outgrows_the_table(world: World) -> None:
    made = create(world)
    for number in range(105):
        url = world.open_with(made["id"], Told(("FR", "DE")[number % 2]))
    assert len(world.payment(made["id"]).sessions) == 100
    assert world.open(made["id"]) == url
    assert len(world.provider.live(made["id"])) == 1
    world.clock.advance(hours=25)
    world.open_with(made["id"], Told("FR"))
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    assert numbers_of(world.payment(made["id"])) == (1000, 200, 1200, "final")


def test_money_that_came_is_not_taken_back_by_a_correction(world: World) -> None:
    made = create(world)
    world.open_with(made["id"], Told("FR"))
    world.provider.pay(world.session(made["id"]))
    assert world.open_with(made["id"], Told("US")) == world.payment(made["id"]).url
    assert numbers_of(world.payment(made["id"])) == (1000, 200, 1200, "final")
    assert world.payment(made["id"]).status == "succeeded"


def test_a_payment_in_the_very_moment_of_a_correction_counts(world: World) -> None:
    made = create(world)
    world.open_with(made["id"], Told("FR"))
    session = world.session(made["id"])
    world.provider.interrupt("fetch_checkout", lambda: world.provider.pay(session))
    assert world.open_with(made["id"], Told("US")) == world.payment(made["id"]).url
    assert world.payment(made["id"]).status == "succeeded"
    assert len(world.provider.checkouts) == 1


def test_two_corrections_at_once_end_in_one_checkout(world: World) -> None:
    made = create(world)
    world.open_with(made["id"], Told("FR"))
    with ThreadPoolExecutor(4) as pool:
        urls = list(pool.map(lambda _: world.open_with(made["id"], Told("DE")), range(4)))
    assert len(set(map(str, urls))) == 1
    assert len(world.provider.live(made["id"])) == 1
    assert world.payment(made["id"]).amount_total == 1190


def test_an_unreachable_provider_leaves_the_checkout_there_is(world: World) -> None:
    made = create(world)
    first = world.open_with(made["id"], Told("FR"))
    world.provider.fail("expire_session", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        world.open_with(made["id"], Told("DE"))
    assert world.open(made["id"]) == first
    assert world.payment(made["id"]).amount_total == 1200


def test_a_checkout_whose_answer_was_lost_keeps_the_tax_it_was_asked_with(world: World) -> None:
    made = create(world)
    world.provider.fail("create_session", "timeout")
    with pytest.raises(Exception, match="did not answer"):
        world.open_with(made["id"], Told("FR"))
    world.open_with(made["id"], Told("US"))
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    assert numbers_of(world.payment(made["id"])) == (1000, 200, 1200, "final")
    assert world.provider.taken(made["id"]) == 1200


def test_money_under_an_earlier_checkouts_tax_is_that_taxs() -> None:
    payment = a_payment(tax_mode="rates", tax_inclusive=True)
    for number, (rate, subtotal, amount) in enumerate(((20, 1000, 200), (14, 1053, 147)), 1):
        line = TaxLine("VAT", f"{rate}", subtotal, amount, "standard_rated")
        tax = SettledTax(subtotal, (line,))
        session = CheckoutSession(number, f"K{number}", {}, START, id=f"cs_{number}", tax=tax)
        payment = payment.with_tax(tax).with_session(session)
    state = CheckoutState("cs_1", "complete", "paid", "eur", 1200, 0, "pending")
    change = observe(payment, state, START, "evt_1")
    assert change is not None
    assert numbers_of(change.after) == (1000, 200, 1200, "final")
    assert change.after.line_items[0].unit_amount == 1000
    assert change.transaction is not None
    assert (change.transaction.amount_subtotal, change.transaction.tax_amount) == (1000, 200)
    more = replace(state, amount_subtotal=1201)
    with pytest.raises(CheckoutMismatchError):
        observe(payment, more, START, "evt_2")
    expired = replace(state, session_status="expired", outcome="unpaid")
    ended = observe(payment, expired, START, "evt_3")
    assert ended is not None
    assert numbers_of(ended.after) == (1053, 147, 1200, "final")


def test_a_checkout_of_another_amount_is_refused(world: World) -> None:
    world.customer(address=FRANCE)
    made = create(world, customer="cus_1")
    session = world.session(made["id"])
    world.provider.pay(session)
    world.provider.checkouts[session].amount = 1000
    assert world.hear(made["id"]) == "refused: does not match"
    world.provider.checkouts[session].amount = 1200
    world.provider.checkouts[session].tax = 1
    assert world.hear(made["id"]) == "refused: does not match"
    assert world.payment(made["id"]).status == "pending"


def test_prices_with_tax_inside_stay_what_they_are(world: World) -> None:
    taxing(world, inclusive=True)
    made = create(world, amount=1200)
    assert numbers(made) == (1200, 0, 1200, "pending")
    world.open_with(made["id"], Told("FR"))
    assert numbers_of(world.payment(made["id"])) == (1000, 200, 1200, "final")
    assert world.payment(made["id"]).line_items[0].unit_amount == 1000
    world.clock.advance(hours=25)
    world.open_with(made["id"], Told("US"))
    assert numbers_of(world.payment(made["id"])) == (1200, 0, 1200, "not_collecting")
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    invoice = world.issue(made["id"])
    assert sum(item.unit_amount for item in invoice.line_items) == invoice.amount_subtotal == 1200


def test_a_link_keeps_the_way_its_price_was_meant(world: World) -> None:
    made = create(world)
    taxing(world, inclusive=True)
    world.open_with(made["id"], Told("FR"))
    assert world.payment(made["id"]).amount_total == 1200


def test_an_amount_that_tax_makes_too_large_is_refused(world: World) -> None:
    with pytest.raises(ValidationError, match="With tax it can come to 119999998"):
        create(world, amount=99_999_998)
    taxing(world, inclusive=True)
    assert create(world, amount=99_999_999)["amountTotal"] == 99_999_999


def test_no_tax_is_said_from_the_start(world: World) -> None:
    taxing(world, mode="none")
    made = create(world)
    assert numbers(made) == (1000, 0, 1000, "not_collecting")
    assert world.view(made["id"]).kind == "checkout"
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    payment = world.payment(made["id"])
    assert numbers_of(payment) == (1000, 0, 1000, "not_collecting")
    assert payment.settlement is not None
    assert payment.settlement.buyer == BUYER
    assert reasons(payment) == []


def test_a_retry_finds_its_link_though_nobody_could_pay_it_yet(world: World) -> None:
    seller = world.organizations.get(SELLER.id)
    assert seller is not None
    first = world.create(link_of(), a_request("K"), organization=seller)
    again = world.create(link_of(), a_request("K"), organization=seller)
    assert again.replayed
    assert again.body == first.body
    world.sweep(days=31)
    assert world.payment(data_of(first)["id"]).status == "canceled"
    assert world.provider.checkouts == {}


def charged(world: World, **customer: Any) -> tuple[int, dict[str, Any]]:
    payer = world.vaulted_customer()
    known = world.customers.find(SELLER.id, "sandbox", payer)
    assert isinstance(known, Customer)
    world.customers.put(replace(known, **customer))
    seller = world.organizations.get(SELLER.id)
    assert seller is not None
    answer = world.charge(charge_of(payer), organization=seller)
    return answer.status, json.loads(answer.body)


@pytest.mark.parametrize(
    ("customer", "expected"),
    [
        ({"address": FRANCE, "tax_ids": ()}, (1000, 200, 1200, "final")),
        ({"address": FRANCE, "tax_ids": (FRENCH,)}, (1000, 0, 1000, "final")),
    ],
)
def test_charges_are_taxed_by_own_rates(
    world: World, customer: dict[str, Any], expected: tuple[int, int, int, str]
) -> None:
    status, body = charged(world, **customer)
    assert status == 201
    assert numbers(body["data"]) == expected
    assert world.provider.called("calculate_tax") == 0
    invoice = world.issue(body["data"]["id"])
    assert invoice.amount_total == expected[2]
    assert invoice.buyer.address == FRANCE
    assert invoice.buyer.tax_ids == customer["tax_ids"]


def test_a_charge_of_somebody_who_is_nowhere_fails(world: World) -> None:
    status, body = charged(world, address=None)
    assert status == 402
    assert body["error"]["details"]["code"] == "customer_tax_location_invalid"
    assert world.provider.called("create_charge") == 0


def test_charges_without_tax_say_so(world: World) -> None:
    taxing(world, mode="none")
    status, body = charged(world, address=None)
    assert status == 201
    assert numbers(body["data"]) == (1000, 0, 1000, "not_collecting")


def test_numbers_and_language_go_when_a_buyer_is_forgotten(world: World) -> None:
    made = create(world)
    world.open_with(made["id"], Told("FR", tax_id=FRENCH), "it")
    assert world.payment(made["id"]).buyer_language == "it"
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    forgotten = erased_payment(world.payment(made["id"]))
    assert FRENCH not in repr(forgotten)
    assert forgotten.buyer_language is None
    assert numbers_of(forgotten) == (1000, 0, 1000, "final")
    assert erased_payment(forgotten) == forgotten
    assert world.hear(made["id"]) == "succeeded"
