"""What is left of somebody who asked to be forgotten: the books, and nobody in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from paylink.domain.customer import Buyer, Customer, PaymentMethod
from paylink.domain.erasure import erased_customer, erased_payment, erased_transaction
from paylink.domain.organization import Address
from paylink.domain.payment import CheckoutSession, Settlement
from paylink.domain.tax import Place, SettledTax, TaxLine
from tests.unit.fakes import START
from tests.unit.world import World, a_payment, charge_of

LATER = START + timedelta(days=3)
PLACE = Place("FR", tax_ids=("FR40303265045",))
TAX = SettledTax(1000, (TaxLine("VAT", "20", 1000, 200, "standard_rated"),), place=PLACE)
BUYER = Buyer(
    "ada@example.com",
    "Ada Lovelace",
    Address("8 rue de la Paix", None, "Paris", "IDF", "75002", "FR"),
    ("FR40303265045",),
)
SESSION = CheckoutSession(
    generation=1,
    idempotency_key="pay_1:1",
    request={"customer_email": "ada@example.com"},
    expires_at=LATER,
    id="cs_1",
    url="https://checkout.example.com/cs_1",
    tax=TAX,
    ended=True,
)
SETTLEMENT = Settlement(
    transaction_id="txn_1",
    session_id="cs_1",
    payment_intent_id="pi_1",
    charge_id="ch_1",
    buyer=BUYER,
    tax_lines=TAX.lines,
    payment_method=PaymentMethod("fingerprint", "pm_1", "card", "visa", "4242"),
)


def test_of_a_customer_only_our_own_id_is_left() -> None:
    customer = Customer(
        id="cus_1",
        organization_id="org_1",
        mode="live",
        created_at=START,
        updated_at=START,
        email="ada@example.com",
        external_id="user_17",
        full_name="Ada Lovelace",
        address=BUYER.address,
        tax_ids=BUYER.tax_ids,
        provider_customer_id="cus_provider",
        default_payment_method="fingerprint",
        time_zone="Europe/Paris",
        metadata={"plan": "gold"},
        provider_generation=2,
        provider_stale=True,
        erasing_since=START + timedelta(hours=1),
        version=7,
    )
    assert erased_customer(customer, LATER) == Customer(
        id="cus_1",
        organization_id="org_1",
        mode="live",
        created_at=START,
        updated_at=LATER,
        methods_since=LATER,
        erasing_since=START + timedelta(hours=1),
        erased_at=LATER,
        version=7,
    )


def test_a_paid_payment_keeps_money_and_country() -> None:
    payment = a_payment(
        customer_id="cus_1",
        customer_public_id="user_17",
        buyer_language="fr",
        sessions=(SESSION,),
        tax=TAX,
        settlement=SETTLEMENT,
    )
    unnumbered = replace(TAX, place=Place("FR"))
    erased = erased_payment(payment)
    assert erased == replace(
        payment,
        customer_public_id="cus_1",
        buyer_language=None,
        sessions=(replace(SESSION, request={}, url=None, tax=unnumbered),),
        tax=unnumbered,
        settlement=replace(SETTLEMENT, buyer=Buyer(address=Address(country="FR"))),
    )
    assert erased_payment(erased) == erased


def test_a_charge_forgets_its_buyer_too() -> None:
    world = World()
    customer = world.vaulted_customer()
    world.charge(charge_of(customer))
    (payment,) = (p for p in world.memory.payments.values() if p.kind == "charge")
    assert payment.charge is not None
    named = replace(payment, charge=replace(payment.charge, buyer=BUYER))
    erased = erased_payment(named)
    assert erased.charge is not None
    assert erased.charge.buyer == Buyer(address=Address(country="FR"))
    assert replace(erased.charge, buyer=BUYER) == named.charge


def test_an_unpaid_payment_without_a_person_stays_as_it_is() -> None:
    payment = a_payment(tax=SettledTax(1000, status="not_collecting"))
    assert erased_payment(payment) == payment


def test_a_transaction_keeps_its_amounts_and_loses_its_person() -> None:
    world = World()
    transaction = world.transaction(world.paid())
    named = replace(transaction, customer_email="ada@example.com", customer_name="Ada Lovelace")
    erased = erased_transaction(named)
    assert (erased.customer_email, erased.customer_name) == (None, None)
    assert replace(erased, customer_email="ada@example.com", customer_name="Ada Lovelace") == named


def test_what_is_known_of_the_providers_customer_can_be_carried_over() -> None:
    plain = Customer("cus_1", "org_1", "live", START, START, email="ada@example.com")
    newer = replace(
        plain,
        email="other@example.com",
        provider_customer_id="cus_provider",
        provider_generation=3,
        provider_stale=True,
        default_payment_method="fingerprint",
        methods_since=LATER,
    )
    assert plain.with_provider_state_of(newer) == replace(newer, email="ada@example.com")
