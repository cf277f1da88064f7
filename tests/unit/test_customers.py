"""Customers: made once, changed here and at the provider or nowhere, whatever comes in between."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from paylink.domain.customer import Customer
from paylink.domain.errors import (
    CustomerNotFoundError,
    DuplicateError,
    PaymentMethodNotFoundError,
    ProviderRejectedError,
    ProviderUnavailableError,
    StateConflictError,
)
from paylink.domain.organization import Address
from paylink.http.schemas.customers import present_customer
from paylink.services.customers import (
    CustomerPorts,
    NewCustomer,
    create_customer,
    update_customer,
)
from paylink.services.payment_methods import remove_payment_method
from paylink.services.provider_customers import with_provider_customer, without_gone
from tests.unit.fakes import CARD
from tests.unit.world import MODE, ORGANIZATION, World, a_request, link_of, payment_id_in

OWNER = (ORGANIZATION, MODE)


def ports(world: World) -> CustomerPorts:
    return CustomerPorts(world.customers, world.providers, present_customer, world.clock)


def create(world: World, seed: str | None = None, **members: Any) -> tuple[Customer, bool]:
    wanted = NewCustomer(**{"email": "a@b.example", **members})
    return create_customer(wanted, seed, OWNER, ports(world))


def change(world: World, reference: str, **changes: Any) -> Customer:
    return update_customer(reference, changes, OWNER, ports(world))


def ensured(world: World, customer: Customer) -> Customer:
    return with_provider_customer(
        customer, customers=world.customers, provider=world.provider, now=world.clock()
    )


def found(world: World, reference: str) -> Customer:
    customer = world.customers.find(*OWNER, reference)
    assert customer is not None
    return customer


def announced(world: World) -> list[str]:
    return [event.type for event in world.memory.events]


# -- made


def test_the_same_seed_or_own_id_makes_one_customer(world: World) -> None:
    first, new = create(world, "seed", external_id="crm-1")
    assert new
    assert create(world, "seed", external_id="crm-1") == (first, True)
    assert create(world, "other", external_id="crm-1", full_name="Else") == (first, False)
    assert create(world, None, external_id="crm-1") == (first, False)
    assert announced(world) == ["customer.created"]


def test_without_an_id_of_the_callers_every_request_makes_another(world: World) -> None:
    assert create(world)[0].id != create(world)[0].id


# -- changed


def test_a_change_meets_a_rivals_and_both_are_kept(world: World) -> None:
    create(world, external_id="crm-1")
    world.customers.interruptions.append(lambda: change(world, "crm-1", full_name="Rival"))
    changed = change(world, "crm-1", time_zone="Europe/Paris")
    assert (changed.full_name, changed.time_zone) == ("Rival", "Europe/Paris")
    assert announced(world) == ["customer.created", *["customer.updated"] * 2]


def test_a_change_goes_on_when_a_rival_moved_the_id_it_came_by(world: World) -> None:
    create(world, external_id="crm-1")
    world.customers.interruptions.append(lambda: change(world, "crm-1", external_id="crm-2"))
    assert change(world, "crm-1", full_name="X").external_id == "crm-2"


def test_an_endless_rival_ends_in_a_request_to_retry(world: World) -> None:
    create(world, external_id="crm-1")
    calls = [0]

    def rival() -> None:
        calls[0] += 1
        if calls[0] % 2:
            change(world, "crm-1", full_name=f"Rival {calls[0]}")

    world.customers.interruptions += [rival] * 40
    with pytest.raises(StateConflictError):
        change(world, "crm-1", time_zone="Europe/Paris")


def test_nothing_is_told_of_a_change_to_an_id_that_is_taken(world: World) -> None:
    create(world, external_id="crm-1")
    create(world, external_id="crm-2")
    ensured(world, found(world, "crm-1"))
    with pytest.raises(DuplicateError):
        change(world, "crm-1", external_id="crm-2", full_name="X")
    assert world.provider.called("update_customer") == 0


def test_an_id_that_is_taken_in_the_last_moment_leaves_the_provider_to_be_told_again(
    world: World,
) -> None:
    create(world, external_id="crm-1")
    ensured(world, found(world, "crm-1"))
    world.provider.interrupt("update_customer", lambda: create(world, external_id="crm-2"))
    with pytest.raises(DuplicateError):
        change(world, "crm-1", external_id="crm-2", full_name="X")
    customer = found(world, "crm-1")
    assert customer.full_name is None
    known = ensured(world, customer)
    assert world.provider.customers[known.provider_customer_id or ""].full_name is None


@pytest.mark.parametrize("fault", ["unavailable", "timeout", "rejected"])
def test_a_change_that_the_provider_did_not_take_is_none(world: World, fault: Any) -> None:
    create(world, external_id="crm-1", full_name="Before")
    made = ensured(world, found(world, "crm-1"))
    world.provider.fail("update_customer", fault)
    with pytest.raises((ProviderUnavailableError, ProviderRejectedError)):
        change(world, "crm-1", full_name="After")
    assert found(world, "crm-1").full_name == "Before"
    assert announced(world) == ["customer.created"]
    # The next link tells how things stand here.
    world.new_payment(customer="crm-1")
    assert world.provider.customers[made.provider_customer_id or ""].full_name == "Before"
    assert found(world, "crm-1").provider_stale is False
    change(world, "crm-1", full_name="After")
    assert world.provider.customers[made.provider_customer_id or ""].full_name == "After"


def test_an_older_state_that_is_told_after_a_change_is_not_the_last_word(world: World) -> None:
    create(world, external_id="crm-1", full_name="Old")
    made = ensured(world, found(world, "crm-1"))
    world.provider.fail("update_customer", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        change(world, "crm-1", full_name="New")
    read_before = found(world, "crm-1")
    change(world, "crm-1", full_name="New")
    assert ensured(world, read_before).full_name == "New"
    assert world.provider.customers[made.provider_customer_id or ""].full_name == "New"
    assert found(world, "crm-1").provider_stale is False


def test_nobody_is_changed_who_is_not_there(world: World) -> None:
    with pytest.raises(CustomerNotFoundError):
        change(world, "crm-1", full_name="X")


# -- at the provider


def test_links_share_the_providers_customer(world: World) -> None:
    create(world, external_id="crm-1")
    payments = [world.new_payment(customer="crm-1") for _ in range(3)]
    assert world.provider.called("create_customer") == 1
    (provider_id,) = world.provider.customers
    for payment_id in payments:
        session = world.payment(payment_id).sessions[0]
        assert world.provider.checkouts[session.id or ""].customer == provider_id


def test_two_first_links_at_once_make_one_customer_at_the_provider(world: World) -> None:
    create(world, external_id="crm-1")
    world.provider.interrupt("create_customer", lambda: world.new_payment(customer="crm-1"))
    world.new_payment(customer="crm-1")
    assert len(world.provider.customers) == 1
    assert len(world.memory.payments) == 2


def test_a_change_while_the_providers_customer_is_made_reaches_it(world: World) -> None:
    create(world, external_id="crm-1", full_name="Old")
    world.provider.interrupt(
        "create_customer", lambda: change(world, "crm-1", full_name="New") and None
    )
    world.new_payment(customer="crm-1")
    (known,) = world.provider.customers.values()
    assert known.full_name == "New"
    assert found(world, "crm-1").provider_stale is False


@pytest.mark.parametrize("fault", ["unavailable", "timeout", "stored"])
def test_a_link_after_trouble_with_the_customer_is_the_same_payment(
    world: World, fault: Any
) -> None:
    create(world, external_id="crm-1")
    world.provider.fail("create_customer", fault)
    with pytest.raises(ProviderUnavailableError):
        world.create(link_of(customer="crm-1"), a_request())
    (record,) = world.memory.records.values()
    made = payment_id_in(world.create(link_of(customer="crm-1"), a_request()))
    assert made == record.payment_id
    assert len(world.provider.customers) == 1
    assert found(world, "crm-1").provider_generation == (1 if fault == "stored" else 0)


def test_a_customer_whom_the_provider_refuses_leaves_no_payment_and_a_free_key(
    world: World,
) -> None:
    create(world, external_id="crm-1")
    world.provider.fail("create_customer", "rejected")
    with pytest.raises(ProviderRejectedError):
        world.create(link_of(customer="crm-1"), a_request())
    assert world.memory.payments == {}
    world.create(link_of(customer="crm-1"), a_request(request_hash="other"))


def test_a_customer_who_is_gone_at_the_provider_is_made_again_once(world: World) -> None:
    create(world, external_id="crm-1")
    first = world.new_payment(customer="crm-1")
    world.provider.customers.clear()
    second = world.new_payment(customer="crm-1")
    assert world.provider.called("create_customer") == 2
    (provider_id,) = world.provider.customers
    (_, session) = world.payment(second).sessions
    assert world.provider.checkouts[session.id or ""].customer == provider_id
    # The old link's checkout ended, with the customer; the next one is for the new customer.
    world.provider.expire_session(world.session(first))
    world.clock.advance(hours=25)
    world.open(first)
    session_id = world.session(first)
    assert world.provider.checkouts[session_id].customer == provider_id
    assert world.provider.called("create_customer") == 2


def test_who_finds_a_customer_gone_late_keeps_the_new_one(world: World) -> None:
    create(world, external_id="crm-1")
    gone = ensured(world, found(world, "crm-1"))
    world.provider.customers.clear()
    world.new_payment(customer="crm-1")
    made = found(world, "crm-1")
    for read in (gone, made):
        late = without_gone(
            read, gone.provider_customer_id or "", customers=world.customers, now=world.clock()
        )
        assert late == made == found(world, "crm-1")


# -- payment methods


def paid_by(world: World, *cards: Any) -> Customer:
    create(world, external_id="crm-1")
    for card in cards:
        payment_id = world.new_payment(customer="crm-1")
        world.clock.advance(seconds=1)
        world.provider.pay(world.session(payment_id), card)
        world.hear(payment_id)
    return found(world, "crm-1")


def remove(world: World, method_id: str) -> None:
    remove_payment_method(
        "crm-1", method_id, OWNER, customers=world.customers, providers=world.providers
    )


OTHER = replace(CARD, key="fp_5555", last4="4444", brand="mastercard")


def test_a_card_is_detached_under_every_id_and_the_newest_of_the_rest_is_the_default(
    world: World,
) -> None:
    customer = paid_by(world, OTHER, CARD, CARD)
    card, other = world.customers.payment_methods(customer)
    assert len(card.provider_ids) == 2
    assert (card.default, other.default) == (True, False)
    remove(world, card.id)
    assert set(world.provider.detached) == card.provider_ids
    assert found(world, "crm-1").default_payment_method == OTHER.key
    with pytest.raises(PaymentMethodNotFoundError):
        remove(world, card.id)
    remove(world, other.id)
    assert found(world, "crm-1").default_payment_method is None


def test_a_method_that_is_no_default_leaves_the_default_alone(world: World) -> None:
    customer = paid_by(world, OTHER, CARD)
    remove(world, world.customers.payment_methods(customer)[1].id)
    assert found(world, "crm-1").default_payment_method == CARD.key


def test_a_removal_that_broke_off_goes_on(world: World) -> None:
    customer = paid_by(world, CARD, CARD)
    (card,) = world.customers.payment_methods(customer)
    world.provider.fail("detach_payment_method", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        remove(world, card.id)
    assert world.customers.payment_methods(found(world, "crm-1")) == [card]
    remove(world, card.id)
    assert set(world.provider.detached) == card.provider_ids


def test_a_payment_that_vaults_the_card_meanwhile_has_its_id_detached_too(world: World) -> None:
    customer = paid_by(world, CARD)
    (card,) = world.customers.payment_methods(customer)
    payment_id = world.new_payment(customer="crm-1")

    def pay_again() -> None:
        world.provider.pay(world.session(payment_id), CARD)
        world.hear(payment_id)

    world.provider.interrupt("detach_payment_method", pay_again)
    remove(world, card.id)
    assert len(set(world.provider.detached)) == 2
    assert world.customers.payment_methods(found(world, "crm-1")) == []


def test_a_payment_does_not_write_over_a_change_and_a_change_not_over_a_payment(
    world: World,
) -> None:
    create(world, external_id="crm-1", address=Address(country="DE"))
    payment_id = world.new_payment(customer="crm-1")

    def settle() -> None:
        world.provider.pay(world.session(payment_id))
        world.hear(payment_id)

    world.customers.interruptions.append(settle)
    change(world, "crm-1", metadata={"a": "b"})
    customer = found(world, "crm-1")
    assert customer.metadata == {"a": "b"}
    assert customer.default_payment_method == CARD.key
    assert customer.address == Address(country="DE")
