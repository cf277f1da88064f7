"""Charging a vaulted method: once, whatever fails in between, and nothing is left open."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from paylink.domain import events
from paylink.domain.charge import ChargeState, observe_charge
from paylink.domain.errors import (
    ChargeInProgressError,
    CustomerNotFoundError,
    IdempotencyInProgressError,
    IdempotencyKeyMismatchError,
    NoPaymentMethodError,
    ProviderRejectedError,
    ProviderUnavailableError,
    UnknownPaymentError,
)
from paylink.domain.payment import CheckoutMismatchError, Payment, paying_transaction_id
from paylink.ports import ChargeLease, Commit
from paylink.services.charge_payment import NewCharge
from paylink.services.create_payment import Answer
from paylink.services.sweep_payments import Sweep
from tests.unit.fake_charges import Bank
from tests.unit.fakes import CARD, START, Fault
from tests.unit.world import MODE, ORGANIZATION, World, a_request, charge_of, data_of

OPERATION = "POST /payments/charge"


class CrashError(Exception):
    """The function ended in the middle of its work."""


def crash(_commit: Commit) -> None:
    raise CrashError


@pytest.fixture
def world(world: World) -> World:
    """With one customer who paid a link by card."""
    world.customer_id = world.vaulted_customer()  # type: ignore[attr-defined]
    world.memory.events.clear()
    return world


def charge(world: World, key: str | None = "K", amount: int = 1000, **changes: Any) -> Answer:
    request = a_request(key, f"{amount}", operation=OPERATION) if key else None
    return world.charge(asked(world, amount, **changes), request)


def asked(world: World, amount: int = 1000, **changes: Any) -> NewCharge:
    return charge_of(world.customer_id, amount, **changes)  # type: ignore[attr-defined]


def charges(world: World) -> list[Payment]:
    return [p for p in world.memory.payments.values() if p.kind == "charge"]


def the_charge(world: World) -> Payment:
    (payment,) = charges(world)
    return payment


def told(world: World, payment: Payment) -> list[str]:
    return [event.type for event in world.memory.events_about(payment.id)]


def error_in(answer: Answer) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer.body)["error"]
    return error


def assert_charged_once(world: World) -> Payment:
    payment = the_charge(world)
    assert payment.status == "succeeded"
    assert world.provider.charged(payment.id) == payment.amount_total
    assert len(world.provider.intents) == 1
    assert told(world, payment) == [events.PAYMENT_SUCCEEDED]
    assert world.memory.leases == {}
    return payment


def test_the_money_comes_and_everything_is_on_record(world: World) -> None:
    answer = charge(world, metadata={"order": "7"})
    assert answer.status == 201
    data = data_of(answer)
    payment = assert_charged_once(world)
    assert (data["kind"], data["status"]) == ("charge", "succeeded")
    assert (data["url"], data["expiresAt"]) == (None, None)
    assert (data["amountSubtotal"], data["taxAmount"], data["amountTotal"]) == (1000, 200, 1200)
    assert (data["taxStatus"], data["metadata"]) == ("final", {"order": "7"})
    assert data["customerId"] == world.customer_id  # type: ignore[attr-defined]
    (session,) = payment.sessions
    intent = world.provider.intents[str(session.id)].state
    assert intent.amount == 1200
    transactions = [t for t in world.memory.transactions.values() if t.payment_id == payment.id]
    assert [(t.status, t.amount_total) for t in transactions] == [("succeeded", 1200)]
    found = world.payments.transaction(paying_transaction_id(ORGANIZATION, MODE, intent.intent_id))
    assert found is not None
    assert found.payment_id == payment.id


def test_its_invoice_shows_the_same_three_numbers_and_who_was_charged(world: World) -> None:
    charge(world)
    payment = the_charge(world)
    invoice = world.issue(payment.id)
    assert (invoice.amount_subtotal, invoice.tax_amount, invoice.amount_total) == (1000, 200, 1200)
    assert invoice.buyer.email == "buyer@example.com"
    assert invoice.buyer.name == "Bea Buyer"
    assert invoice.buyer.address.country == "FR"
    assert sum(line.amount for line in invoice.tax_lines) == 200
    assert invoice.payment_method == "Visa •••• 4242"


def test_the_exact_parameters_are_on_record_before_the_money_is_asked_for(world: World) -> None:
    world.provider.fail("create_charge", "timeout")
    with pytest.raises(ProviderUnavailableError):
        charge(world)
    payment = the_charge(world)
    (session,) = payment.sessions
    assert (session.id, session.idempotency_key) == (None, f"{payment.id}:1")
    assert session.request["amount"] == payment.amount_total == 1200
    assert payment.status == "pending"


def test_the_same_request_is_answered_from_store(world: World) -> None:
    first, again = charge(world), charge(world)
    assert again == replace(first, replayed=True)
    assert_charged_once(world)


def test_another_body_under_the_key_is_a_conflict(world: World) -> None:
    charge(world)
    with pytest.raises(IdempotencyKeyMismatchError):
        charge(world, amount=2000)
    assert_charged_once(world)


def test_without_a_key_each_request_is_a_charge(world: World) -> None:
    assert data_of(charge(world, None))["id"] != data_of(charge(world, None))["id"]


@pytest.mark.parametrize(
    ("bank", "code", "decline"),
    [
        ("declines", "card_declined", "insufficient_funds"),
        ("asks", "authentication_required", None),
        ("unfinished", "authentication_required", None),
    ],
)
def test_without_money_it_failed_and_nothing_stays_open(
    world: World, bank: Bank, code: str, decline: str | None
) -> None:
    world.provider.bank = bank
    answer = charge(world)
    payment = the_charge(world)
    assert answer.status == 402
    error = error_in(answer)
    assert (error["type"], error["code"]) == ("billing_error", "payment_failed")
    assert error["details"] == {"paymentId": payment.id, "code": code, "declineCode": decline}
    assert (payment.status, payment.failure_code) == ("failed", code)
    assert world.provider.open_intents() == []
    assert told(world, payment) == [events.PAYMENT_FAILED]
    assert world.memory.leases == {}
    world.provider.bank = "pays"
    assert charge(world) == replace(answer, replayed=True)
    assert charge(world, "another").status == 201


def test_while_the_open_intent_cannot_be_canceled_nothing_is_called_failed(world: World) -> None:
    world.provider.bank = "declines"
    world.provider.fail("cancel_charge", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        charge(world)
    assert the_charge(world).status == "pending"
    assert charge(world).status == 402
    assert len(world.provider.intents) == 1
    assert world.provider.open_intents() == []
    assert the_charge(world).failure_code == "card_declined"


def test_an_unknown_customer_and_one_without_a_method_are_refused_for_good(world: World) -> None:
    request = a_request(operation=OPERATION)
    with pytest.raises(CustomerNotFoundError):
        world.charge(charge_of("cus_unknown"), request)
    replayed = world.charge(charge_of("cus_unknown"), request)
    assert (replayed.status, replayed.replayed) == (404, True)
    world.customer(id="cus_bare", provider_customer_id="cus_x")
    other = a_request("L", operation=OPERATION)
    with pytest.raises(NoPaymentMethodError):
        world.charge(charge_of("cus_bare"), other)
    assert world.charge(charge_of("cus_bare"), other).status == 409
    assert charges(world) == []


def test_a_method_that_is_gone_at_the_provider_leaves_no_payment(world: World) -> None:
    world.provider.bank = "gone"
    with pytest.raises(NoPaymentMethodError):
        charge(world)
    assert charges(world) == []
    replayed = charge(world)
    assert (replayed.status, replayed.replayed) == (409, True)
    assert world.memory.leases == {}


def test_a_customer_who_was_deleted_at_the_provider_has_nothing_vaulted_any_more(
    world: World,
) -> None:
    world.clock.advance(seconds=1)
    world.provider.bank = "deleted"
    with pytest.raises(NoPaymentMethodError):
        charge(world)
    customer = world.customers.find(ORGANIZATION, MODE, asked(world).customer)
    assert customer is not None
    assert customer.provider_customer_id is None
    assert world.customers.payment_methods(customer) == []
    assert charges(world) == []
    assert (charge(world).status, charge(world).replayed) == (409, True)


def test_what_the_provider_refuses_leaves_no_payment_and_frees_the_key(world: World) -> None:
    world.provider.fail("create_charge", "rejected")
    with pytest.raises(ProviderRejectedError):
        charge(world)
    assert charges(world) == []
    assert charge(world, amount=2000).status == 201


def test_tax_that_cannot_be_calculated_fails_the_payment_before_money_is_asked(
    world: World,
) -> None:
    key = (ORGANIZATION, MODE, world.customer_id)  # type: ignore[attr-defined]
    world.memory.customers[key] = replace(world.memory.customers[key], address=None)
    world.provider.where = None
    answer = charge(world)
    payment = the_charge(world)
    assert answer.status == 402
    assert error_in(answer)["details"] == {
        "paymentId": payment.id,
        "code": "customer_tax_location_invalid",
        "declineCode": None,
    }
    assert payment.status == "failed"
    assert world.provider.intents == {}
    assert told(world, payment) == [events.PAYMENT_FAILED]
    assert charge(world) == replace(answer, replayed=True)


def test_where_the_seller_is_not_registered_it_says_so(world: World) -> None:
    world.provider.registered = False
    data = data_of(charge(world))
    assert (data["taxAmount"], data["taxStatus"], data["amountTotal"]) == (
        0,
        "not_collecting",
        1000,
    )


@pytest.mark.parametrize("fault", ["unavailable", "stored", "timeout", "done_but_stored"])
@pytest.mark.parametrize("times", [1, 2])
def test_i4_after_the_providers_failures_the_retry_charges_once(
    world: World, fault: Fault, times: int
) -> None:
    for _ in range(times):
        world.provider.fail("create_charge", fault)
        if world.provider.intents:
            break
        with pytest.raises(ProviderUnavailableError):
            charge(world)
    world.provider.forget_failures()
    payment_id = the_charge(world).id
    answer = charge(world)
    assert (answer.status, answer.replayed) == (201, False)
    assert data_of(answer)["id"] == payment_id
    assert_charged_once(world)
    assert charge(world) == replace(answer, replayed=True)


def test_after_a_stored_failure_it_looks_before_it_asks_under_the_next_key(world: World) -> None:
    world.provider.fail("create_charge", "stored")
    with pytest.raises(ProviderUnavailableError):
        charge(world)
    before = len(world.provider.calls)
    charge(world)
    asked_for = [name for name, _ in world.provider.calls[before:]]
    assert asked_for == ["find_charge", "create_charge"]
    assert the_charge(world).sessions[-1].idempotency_key.endswith(":2")


def test_a_provider_that_forgot_the_key_is_not_asked_under_it_again(world: World) -> None:
    world.provider.fail("create_charge", "unavailable")
    with pytest.raises(ProviderUnavailableError):
        charge(world)
    world.clock.advance(hours=23, minutes=30)
    charge(world)
    assert assert_charged_once(world).sessions[-1].generation == 2


@pytest.mark.parametrize("operation", ["calculate_tax", "find_charge"])
def test_other_calls_that_fail_are_tried_again(world: World, operation: str) -> None:
    if operation == "find_charge":
        world.provider.fail("create_charge", "timeout")
        with pytest.raises(ProviderUnavailableError):
            charge(world)
    world.provider.fail(operation, "unavailable")
    with pytest.raises(ProviderUnavailableError):
        charge(world)
    assert charge(world).status == 201
    assert_charged_once(world)


def test_not_being_told_is_not_being_told_that_there_is_none(world: World) -> None:
    world.provider.fail("create_charge", "done_but_stored")
    with pytest.raises(ProviderUnavailableError):
        charge(world)
    world.provider.fail("find_charge", "rejected")
    with pytest.raises(ProviderUnavailableError):
        charge(world)
    assert charge(world).status == 201
    assert_charged_once(world)


def test_a_refusal_after_a_failure_leaves_what_news_may_be_about(world: World) -> None:
    world.provider.fail("create_charge", "stored")
    with pytest.raises(ProviderUnavailableError):
        charge(world)
    world.provider.bank = "gone"
    with pytest.raises(NoPaymentMethodError):
        charge(world)
    assert the_charge(world).status == "pending"


@pytest.mark.parametrize("bank", ["pays", "declines", "waits"])
@pytest.mark.parametrize("at", [0, 1])
def test_a_crash_at_any_write_is_finished_by_the_retry(world: World, bank: Bank, at: int) -> None:
    world.provider.bank = bank
    world.payments.interruptions += [lambda _: None] * at + [crash]
    with pytest.raises(CrashError):
        charge(world)
    with pytest.raises(IdempotencyInProgressError):
        charge(world)
    world.clock.advance(seconds=31)
    answer = charge(world)
    expected = {"pays": "succeeded", "declines": "failed", "waits": "processing"}[bank]
    assert the_charge(world).status == expected
    assert answer.status == (402 if bank == "declines" else 201)
    assert len(world.provider.intents) == 1
    assert world.provider.open_intents() == []


@pytest.mark.parametrize("bank", ["pays", "declines", "asks", "waits"])
def test_a_crash_without_a_key_is_finished_by_the_providers_news(world: World, bank: Bank) -> None:
    world.provider.bank = bank
    world.payments.interruptions += [lambda _: None, crash]
    with pytest.raises(CrashError):
        charge(world, None)
    payment = the_charge(world)
    assert payment.status == "pending"
    (intent_id,) = world.provider.intents
    expected = {"pays": "succeeded", "waits": "processing"}.get(bank, "failed")
    assert world.hear_charge(payment.id, intent_id) == expected
    assert the_charge(world).sessions[0].id == intent_id
    assert world.provider.open_intents() == []
    assert world.hear_charge(payment.id, intent_id) == expected


def test_a_webhook_that_is_faster_than_the_answer_changes_nothing_of_it(world: World) -> None:
    def hear(commit: Commit) -> None:
        (intent_id,) = world.provider.intents
        assert world.hear_charge(commit.payment.id, intent_id) == "succeeded"

    world.payments.interruptions += [lambda _: None, hear]
    answer = charge(world)
    assert (answer.status, data_of(answer)["status"]) == (201, "succeeded")
    assert_charged_once(world)
    assert charge(world) == replace(answer, replayed=True)


def test_a_retry_after_a_faster_webhook_answers_what_became_of_it(world: World) -> None:
    world.provider.bank = "declines"
    world.payments.interruptions += [lambda _: None, crash]
    with pytest.raises(CrashError):
        charge(world)
    (intent_id,) = world.provider.intents
    world.hear_charge(the_charge(world).id, intent_id)
    world.clock.advance(seconds=31)
    calls = len(world.provider.calls)
    answer = charge(world)
    assert error_in(answer)["details"]["declineCode"] == "insufficient_funds"
    assert len(world.provider.calls) == calls
    assert charge(world).replayed


@pytest.mark.parametrize("bank", ["pays", "declines", "waits"])
@pytest.mark.parametrize("at", [0, 1])
def test_what_nobody_finished_the_sweep_finishes(world: World, bank: Bank, at: int) -> None:
    world.provider.bank = bank
    world.payments.interruptions += [lambda _: None] * at + [crash]
    with pytest.raises(CrashError):
        charge(world, None)
    world.clock.advance(minutes=15)
    assert world.sweep() == (Sweep(settled=1) if at else Sweep(checked=1))
    if not at:  # nobody has asked for the money yet, and a retry still may
        assert the_charge(world).status == "pending"
        world.clock.advance(hours=24, minutes=45, seconds=-1)
        assert world.sweep() == Sweep(checked=1)
        world.clock.advance(seconds=1)
        assert world.sweep() == Sweep(settled=1)
    expected = {"pays": "succeeded", "waits": "processing"}.get(bank, "failed") if at else "failed"
    payment = the_charge(world)
    assert payment.status == expected
    if not at:
        assert payment.failure_code == "charge_not_completed"
    assert world.provider.open_intents() == []
    assert len(told(world, payment)) == 1
    assert world.sweep() == Sweep()


# Bank debits.


def test_a_debit_is_processing_until_the_bank_answers(world: World) -> None:
    world.provider.bank = "waits"
    answer = charge(world)
    assert (answer.status, data_of(answer)["status"]) == (201, "processing")
    payment = the_charge(world)
    (intent_id,) = world.provider.intents
    world.provider.settle_charge(intent_id)
    assert world.hear_charge(payment.id, intent_id) == "succeeded"
    assert told(world, payment) == [events.PAYMENT_PROCESSING, events.PAYMENT_SUCCEEDED]
    assert world.issue(payment.id).amount_total == 1200


def test_a_bounced_debit_failed_and_leaves_nothing_open(world: World) -> None:
    world.provider.bank = "waits"
    charge(world)
    payment = the_charge(world)
    (intent_id,) = world.provider.intents
    world.provider.bounce_charge(intent_id)
    assert world.hear_charge(payment.id, intent_id) == "failed"
    assert the_charge(world).failure_code == "insufficient_funds"
    assert world.provider.open_intents() == []
    assert told(world, payment) == [events.PAYMENT_PROCESSING, events.PAYMENT_FAILED]


# Races.


def test_a_second_charge_of_the_customer_waits_for_its_turn(world: World) -> None:
    def second() -> None:
        with pytest.raises(ChargeInProgressError):
            charge(world, "L")

    world.provider.interrupt("create_charge", second)
    assert charge(world).status == 201
    assert_charged_once(world)
    replayed = charge(world, "L")
    assert (replayed.status, replayed.replayed) == (409, True)
    assert charge(world, "M").status == 201


def test_the_same_request_while_it_runs_is_in_progress(world: World) -> None:
    def again() -> None:
        with pytest.raises(IdempotencyInProgressError):
            charge(world)

    world.provider.interrupt("create_charge", again)
    assert charge(world).status == 201
    assert_charged_once(world)


def test_another_customer_is_charged_meanwhile(world: World) -> None:
    other = world.vaulted_customer()
    world.provider.interrupt(
        "create_charge", lambda: world.charge(charge_of(other), a_request("L", operation=OPERATION))
    )
    assert charge(world).status == 201
    assert [p.status for p in charges(world)] == ["succeeded", "succeeded"]


def test_a_crashed_charge_keeps_the_customer_for_its_lease_only(world: World) -> None:
    held = ChargeLease(ORGANIZATION, MODE, asked(world).customer, "pay_x", START)
    world.payments.hold(replace(held, until=world.clock() + timedelta(seconds=29)), world.clock())
    with pytest.raises(ChargeInProgressError):
        charge(world, None)
    assert charges(world) == []
    world.clock.advance(seconds=29)
    assert charge(world).status == 201


def test_a_retry_during_another_charge_of_the_customer_keeps_its_place(world: World) -> None:
    world.provider.fail("create_charge", "timeout")
    with pytest.raises(ProviderUnavailableError):
        charge(world)

    def retry() -> None:
        with pytest.raises(ChargeInProgressError):
            charge(world)

    world.provider.interrupt("create_charge", retry)
    assert charge(world, "L").status == 201
    assert (charge(world).status, charge(world).replayed) == (201, True)
    assert len(world.provider.intents) == 2


# What events may not do.


def test_an_intent_that_only_claims_to_be_ours_settles_nothing(world: World) -> None:
    world.payments.interruptions += [lambda _: None, crash]
    with pytest.raises(CrashError):
        charge(world)
    payment = the_charge(world)
    (intent_id,) = world.provider.intents
    true = world.provider.intents[intent_id].state
    forgeries: list[dict[str, Any]] = [
        {"amount": 100},
        {"currency": "usd"},
        {"provider_customer_id": "cus_other"},
        {"payment_id": "pay_other"},
    ]
    for forgery in forgeries:
        world.provider.intents[intent_id].state = replace(true, **forgery)
        assert world.hear_charge(payment.id, intent_id) == "refused: does not match"
    assert the_charge(world).status == "pending"
    world.provider.intents[intent_id].state = true
    assert world.hear_charge(payment.id, intent_id) == "succeeded"


def test_a_second_intent_of_a_paid_charge_is_no_part_of_it(world: World) -> None:
    charge(world)
    payment = the_charge(world)
    other = ChargeState(
        "pi_other", "complete", "paid", "eur", 1200, payment.id, "cus_acct", paid_at=START
    )
    with pytest.raises(CheckoutMismatchError, match=f"{payment.id} has no payment intent pi_other"):
        observe_charge(payment, other, START, "evt")


def test_a_charge_that_paid_is_not_asked_for_again(world: World) -> None:
    charge(world)
    payment = the_charge(world)
    (intent_id,) = world.provider.intents
    world.provider.calls.clear()
    assert world.hear_charge(payment.id, intent_id) == "succeeded"
    assert world.provider.calls == []


def test_an_intent_moves_no_link(world: World) -> None:
    payment = world.payment(world.new_payment())
    intent = ChargeState("pi_1", "complete", "paid", "eur", 1000, payment.id, "cus_acct")
    with pytest.raises(CheckoutMismatchError, match=f"{payment.id} is no charge"):
        observe_charge(payment, intent, START, "evt")


def test_events_of_a_checkout_say_nothing_about_a_charge(world: World) -> None:
    charge(world)
    payment = the_charge(world)
    outcome = world.hear_charge(payment.id, "pi_x", session_id="cs_x")
    assert outcome == "ignored: a charge has no checkout"


def test_news_of_a_charge_that_is_not_visible_yet_come_again(world: World) -> None:
    with pytest.raises(UnknownPaymentError):
        world.hear_charge("pay_unknown", "pi_1")


def test_a_charge_vaults_and_overwrites_nothing(world: World) -> None:
    key = (ORGANIZATION, MODE, asked(world).customer)
    before = (world.memory.customers[key], dict(world.memory.methods[key]))
    charge(world)
    assert (world.memory.customers[key], dict(world.memory.methods[key])) == before
    assert CARD.key in before[1]


def test_without_a_key_an_unknown_outcome_keeps_the_next_charge_waiting(world: World) -> None:
    world.provider.fail("create_charge", "timeout")
    with pytest.raises(ProviderUnavailableError):
        charge(world, None)
    with pytest.raises(ChargeInProgressError):
        charge(world, None)
    assert len(charges(world)) == 1
    world.clock.advance(seconds=30)
    assert charge(world, None).status == 201
