"""An estimate of Stripe's tax: made beside the session, and never in a link's way."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from paylink.domain.errors import TaxCalculationError
from paylink.domain.organization import Address
from paylink.services import estimate_tax
from tests.unit.fakes import Fault
from tests.unit.test_own_tax import numbers, numbers_of
from tests.unit.world import World, a_request, charge_of, data_of, link_of

FRANCE = Address(country="FR")


def linked(world: World, **customer: Any) -> dict[str, Any]:
    world.customer(**customer)
    return data_of(world.create(link_of(customer="cus_1")))


def test_where_the_buyer_is_known_the_tax_is_estimated_and_the_checkout_decides(
    world: World,
) -> None:
    made = linked(world, address=FRANCE)
    assert numbers(made) == (1000, 200, 1200, "estimated")
    assert numbers_of(world.payment(made["id"])) == (1000, 200, 1200, "estimated")
    world.provider.tax_percent = 10
    world.provider.pay(world.session(made["id"]))
    world.hear(made["id"])
    assert numbers_of(world.payment(made["id"])) == (1000, 100, 1100, "final")


def test_a_seller_who_is_not_registered_there_collects_none(world: World) -> None:
    world.provider.registered = False
    made = linked(world, address=FRANCE)
    assert numbers(made) == (1000, 0, 1000, "not_collecting")


@pytest.mark.parametrize("address", [None, Address(), Address(city="Lyon")])
def test_t4_without_an_address_the_checkout_asks_for_it(
    world: World, address: Address | None
) -> None:
    made = linked(world, address=address)
    assert numbers(made) == (1000, 0, 1000, "pending")
    assert world.provider.called("calculate_tax") == 0
    assert world.session(made["id"])


@pytest.mark.parametrize("fault", ["unavailable", "rejected", "stored"])
def test_an_estimate_that_fails_leaves_the_link_as_it_is(world: World, fault: Fault) -> None:
    world.provider.fail("calculate_tax", fault)
    made = linked(world, address=FRANCE)
    assert numbers(made) == (1000, 0, 1000, "pending")
    assert world.provider.called("calculate_tax") == 1
    assert world.session(made["id"])


def test_what_nobody_thought_of_is_no_reason_either(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(world.provider, "calculate_tax", broken)
    assert numbers(linked(world, address=FRANCE)) == (1000, 0, 1000, "pending")


def test_session_and_estimate_are_made_side_by_side(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)
    for operation in ("calculate_tax", "create_session"):
        original = getattr(world.provider, operation)

        def meet(*arguments: Any, _original: Any = original) -> Any:
            both.wait(timeout=30)
            return _original(*arguments)

        monkeypatch.setattr(world.provider, operation, meet)
    assert numbers(linked(world, address=FRANCE)) == (1000, 200, 1200, "estimated")


def test_an_estimate_that_takes_too_long_is_not_waited_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = threading.Event()

    def hang(*_: object) -> None:
        answered.wait(30)
        raise TaxCalculationError()

    monkeypatch.setattr(world.provider, "calculate_tax", hang)
    monkeypatch.setattr(estimate_tax, "_PATIENCE_SECONDS", 0)
    try:
        assert numbers(linked(world, address=FRANCE)) == (1000, 0, 1000, "pending")
        assert not answered.is_set()
    finally:
        answered.set()


def test_a_retry_estimates_again(world: World) -> None:
    world.customer(address=FRANCE)
    world.provider.fail("create_session", "unavailable")
    link = link_of(customer="cus_1")
    with pytest.raises(Exception, match="did not answer"):
        world.create(link, a_request("K"))
    assert numbers(data_of(world.create(link, a_request("K"))))[3] == "estimated"


def test_a_charge_whose_total_the_currency_cant_express_fails(world: World) -> None:
    payer = world.vaulted_customer()
    answer = world.charge(charge_of(payer, 18_610, currency="kwd"))
    assert answer.status == 402
    assert "multiple of 10" in answer.body
    assert world.provider.called("create_charge") == 0
    assert world.charge(charge_of(payer, 18_600, currency="kwd")).status == 201
