"""Whatever the provider tells, in any order and number: the payment ends where its money is."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from paylink.domain import events
from paylink.domain.customer import PaymentMethod
from paylink.domain.errors import (
    ProviderUnavailableError,
    StateConflictError,
    UnknownPaymentError,
)
from paylink.domain.payment import guest_customer_id, paying_transaction_id
from paylink.ports import Commit
from paylink.services.settle_payment import settle_payment
from tests.unit.fakes import BUYER, CARD, START
from tests.unit.world import MODE, ORGANIZATION, World, event_of


def told(world: World, payment_id: str) -> Counter[str]:
    return Counter(event.type for event in world.memory.events_about(payment_id))


def test_success_is_one_transition_with_all_that_belongs_to_it(world: World) -> None:
    payment_id = world.paid()
    payment = world.payment(payment_id)
    assert (payment.amount_subtotal, payment.tax_amount, payment.amount_total) == (1000, 200, 1200)
    assert told(world, payment_id) == {events.PAYMENT_CREATED: 1, events.PAYMENT_SUCCEEDED: 1}
    (transaction,) = world.memory.transactions.values()
    assert (transaction.status, transaction.amount_total) == ("succeeded", 1200)
    assert world.provider.taken(payment_id) == 1200
    customer = world.customers.find(ORGANIZATION, MODE, payment.customer_id or "")
    assert customer is not None
    assert (customer.email, customer.full_name) == (BUYER.email, BUYER.name)
    assert customer.default_payment_method == CARD.key
    vaulted = world.memory.methods[ORGANIZATION, MODE, customer.id]
    assert list(vaulted) == [CARD.key]


def test_ten_copies_at_once_beside_another_event_of_the_same_money_move_it_once(
    world: World,
) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.pay(session)
    intent = world.provider.checkouts[session].intent_id
    copies = [event_of(payment_id, session_id=session, id="evt_copy") for _ in range(10)]
    others = [
        event_of(payment_id, type="payment_intent.succeeded", payment_intent_id=intent, id=f"e{n}")
        for n in range(5)
    ]
    start = threading.Barrier(15)

    def deliver(number: int) -> str:
        start.wait()
        return world.notify((copies + others)[number])

    with ThreadPoolExecutor(15) as pool:
        answers = set(pool.map(deliver, range(15)))
    assert answers <= {"succeeded", "seen before"}
    assert told(world, payment_id) == {events.PAYMENT_CREATED: 1, events.PAYMENT_SUCCEEDED: 1}
    assert len(world.memory.transactions) == 1
    assert len(world.memory.customers) == 1
    assert [len(methods) for methods in world.memory.methods.values()] == [1]


def test_what_crashed_once_is_done_by_the_next_delivery(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    event = event_of(payment_id, session_id=world.session(payment_id))

    def crash(_commit: Commit) -> None:
        raise ConnectionError

    world.payments.interruptions.append(crash)
    with pytest.raises(ConnectionError):
        world.notify(event)
    assert world.memory.transactions == {}
    assert world.payment(payment_id).status == "pending"
    assert world.notify(event) == "succeeded"
    assert world.notify(event) == "seen before"
    assert told(world, payment_id)[events.PAYMENT_SUCCEEDED] == 1


def test_a_provider_that_fails_while_it_is_asked_is_asked_again_later(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    world.provider.fail("fetch_checkout", "unavailable")
    event = event_of(payment_id, session_id=world.session(payment_id))
    with pytest.raises(ProviderUnavailableError):
        world.notify(event)
    assert world.notify(event) == "succeeded"


def test_news_of_a_failure_after_the_money_changes_nothing(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.decline(session)
    world.provider.pay(session)
    for event_type in ("checkout.session.completed", "payment_intent.payment_failed"):
        event = event_of(payment_id, session_id=session, type=event_type, id=event_type)
        assert world.notify(event) == "succeeded"
    assert told(world, payment_id) == {events.PAYMENT_CREATED: 1, events.PAYMENT_SUCCEEDED: 1}
    assert [t.status for t in world.memory.transactions.values()] == ["succeeded"]


def test_declined_and_then_paid_in_the_same_checkout(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.decline(session, "insufficient_funds")
    assert world.hear(payment_id) == "failed"
    failed = world.payment(payment_id)
    assert failed.failure_code == "insufficient_funds"
    assert failed.payable(world.clock())
    world.provider.pay(session)
    assert world.hear(payment_id) == "succeeded"
    assert sorted(t.status for t in world.memory.transactions.values()) == ["failed", "succeeded"]


def test_each_decline_is_told_once_however_often_it_is_heard_of(world: World) -> None:
    payment_id = world.new_payment()
    for _ in range(3):
        world.provider.decline(world.session(payment_id))
        for _ in range(3):
            assert world.hear(payment_id) == "failed"
    assert told(world, payment_id)[events.PAYMENT_FAILED] == 3
    assert len(world.memory.transactions) == 3


def test_the_first_tries_failure_heard_late_leaves_the_second_processing(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.decline(session)
    world.provider.debit(session)
    assert world.hear(payment_id) == "processing"
    late = event_of(payment_id, type="payment_intent.payment_failed", session_id=session)
    assert world.notify(late) == "processing"
    assert told(world, payment_id)[events.PAYMENT_FAILED] == 0


@pytest.mark.parametrize("settles", [True, False])
def test_a_debit_stays_processing_through_the_sweep_until_the_bank_answers(
    world: World, settles: bool
) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(hours=1))
    session = world.session(payment_id)
    world.provider.debit(session)
    assert world.hear(payment_id) == "processing"
    world.clock.advance(hours=2)
    assert world.sweep().canceled == 0
    assert world.payment(payment_id).status == "processing"
    assert world.memory.numbers == {}
    world.clock.advance(days=3)
    if settles:
        world.provider.settle_debit(session)
        assert world.hear(payment_id) == "succeeded"
        assert world.issue(payment_id).number == "INV-2026-000001"
        return
    world.provider.bounce_debit(session)
    assert world.hear(payment_id) == "failed"
    assert world.payment(payment_id).failure_code == "debit_not_authorized"
    assert world.hear(payment_id) == "failed"
    assert told(world, payment_id)[events.PAYMENT_FAILED] == 1
    assert world.memory.invoices == {}


def test_3ds_approved_and_refused(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.ask_for_3ds(session)
    assert world.hear(payment_id) == "requires_action"
    world.provider.refuse_3ds(session)
    assert world.hear(payment_id) == "failed"
    world.provider.ask_for_3ds(session)
    assert world.hear(payment_id) == "requires_action"
    world.provider.approve_3ds(session)
    assert world.hear(payment_id) == "succeeded"


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_in_whatever_order_the_news_come_the_end_is_the_same(
    world: World, order: tuple[int, ...]
) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.decline(session)
    world.provider.ask_for_3ds(session)
    world.provider.approve_3ds(session)
    types = (
        "payment_intent.payment_failed",
        "payment_intent.requires_action",
        "checkout.session.completed",
    )
    for number in order:
        event = event_of(payment_id, session_id=session, type=types[number], id=f"evt_{number}")
        assert world.notify(event) == "succeeded"
    assert told(world, payment_id) == {events.PAYMENT_CREATED: 1, events.PAYMENT_SUCCEEDED: 1}


def test_a_payment_intents_event_finds_its_checkout_by_asking(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.pay(session)
    intent = world.provider.checkouts[session].intent_id
    event = event_of(payment_id, type="payment_intent.succeeded", payment_intent_id=intent)
    assert world.notify(event) == "succeeded"
    assert world.provider.called("session_of_payment_intent") == 1


def test_once_settled_the_intent_is_known_even_without_marks(world: World) -> None:
    payment_id = world.paid()
    intent = world.provider.checkouts[world.session(payment_id)].intent_id
    event = event_of(None, deployment_id=None, organization_id=None, payment_intent_id=intent)
    assert world.notify(replace(event, id="evt_late")) == "succeeded"
    assert world.provider.called("session_of_payment_intent") == 0


@pytest.mark.parametrize("by_intent", [True, False])
def test_what_paid_and_has_ended_is_not_asked_for_again(world: World, by_intent: bool) -> None:
    payment_id = world.paid()
    session = world.session(payment_id)
    named = {"payment_intent_id": world.provider.checkouts[session].intent_id}
    before = world.payment(payment_id)
    world.provider.calls.clear()
    told_again = named if by_intent else {"session_id": session}
    assert world.notify(event_of(payment_id, id="evt_again", **told_again)) == "succeeded"
    assert world.provider.calls == []
    assert world.payment(payment_id) == before


def test_what_paid_is_asked_for_until_it_is_known_to_have_ended(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.pay(session)
    world.provider.checkouts[session].status = "open"
    assert world.hear(payment_id) == "succeeded"
    world.provider.checkouts[session].status = "complete"
    assert world.hear(payment_id) == "succeeded"
    ended = world.payment(payment_id).session_named(session)
    assert ended is not None
    assert ended.ended


def test_an_intent_that_no_checkout_made_is_ignored(world: World) -> None:
    payment_id = world.new_payment()
    event = event_of(payment_id, type="payment_intent.succeeded", payment_intent_id="pi_alien")
    assert world.notify(event) == "ignored: no session"
    nothing = event_of(payment_id)
    assert world.notify(nothing) == "ignored: no session"
    assert world.payment(payment_id).status == "pending"


def test_an_event_of_ours_before_our_write_is_seen_comes_again(world: World) -> None:
    with pytest.raises(UnknownPaymentError) as unknown:
        world.notify(event_of("pay_unknown", session_id="cs_1"))
    assert unknown.value.status == 503


@pytest.mark.parametrize(
    "foreign",
    [
        {"deployment_id": None, "organization_id": None, "payment_id": None},
        {"deployment_id": None, "organization_id": None},
        {"deployment_id": None},
        {"deployment_id": "deployment_2"},
        {"organization_id": "org_2"},
        {"mode": "live"},
    ],
)
def test_what_is_not_this_deployments_organizations_and_modes_is_ignored(
    world: World, foreign: dict[str, Any]
) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    event = event_of(payment_id, session_id=world.session(payment_id))
    before = len(world.provider.calls)
    assert world.notify(replace(event, **foreign)).startswith("ignored")
    assert world.payment(payment_id).status == "pending"
    assert len(world.provider.calls) == before


def test_nothing_is_no_event(world: World) -> None:
    assert world.notify(None).startswith("ignored")


@pytest.mark.parametrize("named", ["org_1", "org_2", None])
def test_an_organizations_secret_moves_no_other_organizations_payment(
    world: World, named: str | None
) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))
    event = event_of(payment_id, session_id=world.session(payment_id), organization_id=named)
    assert world.notify(event, organization_id="org_2").startswith("ignored")
    assert world.payment(payment_id).status == "pending"


def test_another_checkout_that_claims_our_payment_is_refused_with_a_200(world: World) -> None:
    victim, cheap = world.new_payment(amount=100_000), world.new_payment(amount=100)
    world.provider.pay(world.session(cheap))
    event = event_of(victim, session_id=world.session(cheap))
    assert world.notify(event) == "refused: does not match"
    assert world.payment(victim).status == "pending"
    intent = world.provider.checkouts[world.session(cheap)].intent_id
    event = event_of(victim, type="payment_intent.succeeded", payment_intent_id=intent)
    assert world.notify(event) == "refused: does not match"


def test_news_of_a_checkout_whose_id_is_not_on_record_yet_come_again(world: World) -> None:
    payment_id = world.new_payment()
    world.clock.advance(hours=25)
    world.provider.fail("create_session", "timeout")
    with pytest.raises(ProviderUnavailableError):
        world.open(payment_id)
    (session,) = world.provider.live(payment_id)
    world.provider.pay(session)
    event = event_of(payment_id, session_id=session)
    with pytest.raises(UnknownPaymentError):
        world.notify(event)
    world.open(payment_id)  # finds the very one that was made
    assert world.session(payment_id) == session
    assert world.notify(event) == "succeeded"


@pytest.mark.parametrize("kind", ["checkout.session.expired", "payment_intent.canceled"])
def test_the_end_of_a_checkout_whose_link_was_never_made_need_not_come_again(
    world: World, kind: str
) -> None:
    ended = event_of("pay_never", type=kind, session_id="cs_1", about_an_end=True)
    assert world.notify(ended) == "ignored: its link was never made"
    with pytest.raises(UnknownPaymentError):
        world.notify(event_of("pay_never", session_id="cs_1"))


@pytest.mark.parametrize("changes", [{"currency": "jpy"}, {"amount": 999}])
def test_a_checkout_of_another_amount_or_currency_is_refused(
    world: World, changes: dict[str, object]
) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.pay(session)
    for name, value in changes.items():
        setattr(world.provider.checkouts[session], name, value)
    assert world.hear(payment_id) == "refused: does not match"
    assert world.payment(payment_id).status == "pending"


def test_a_second_paid_checkout_is_recorded_and_announced_once(world: World) -> None:
    payment_id = world.new_payment()
    first = world.session(payment_id)
    world.clock.advance(hours=25)
    world.open(payment_id)
    second = world.session(payment_id)
    world.provider.pay(second)
    assert world.hear(payment_id) == "succeeded"
    settled = world.payment(payment_id).settlement
    # The first one's page was still open somewhere and, against its word, took money too.
    world.provider.checkouts[first].status = "open"
    world.provider.checkouts[first].expires_at = world.clock() + timedelta(minutes=1)
    world.provider.pay(first)
    told_by = {"payment_intent_id": world.provider.checkouts[first].intent_id}
    assert world.notify(event_of(payment_id, id="evt_intent", **told_by)) == "succeeded"
    for _ in range(3):
        assert world.hear(payment_id, first) == "succeeded"
    assert world.payment(payment_id).settlement == settled
    counts = told(world, payment_id)
    assert (counts[events.PAYMENT_RECEIVED_TWICE], counts[events.PAYMENT_SUCCEEDED]) == (1, 1)
    assert [t.status for t in world.memory.transactions.values()] == ["succeeded"] * 2
    assert sum(t.amount_total for t in world.memory.transactions.values()) == (
        world.provider.taken(payment_id)
    )
    twice = next(e for e in world.memory.events if e.type == events.PAYMENT_RECEIVED_TWICE)
    intent = world.provider.checkouts[first].intent_id
    assert twice.data["paymentIntentId"] == intent
    assert intent is not None
    # What becomes of the second money is told by its intent, so it must lead here.
    found = world.payments.transaction(paying_transaction_id(ORGANIZATION, MODE, intent))
    assert found is not None
    assert found.payment_id == payment_id


def test_money_for_a_link_that_was_ended_still_counts(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(minutes=30))
    session = world.session(payment_id)
    world.clock.advance(minutes=30)
    assert world.sweep().canceled == 1
    world.provider.checkouts[session].status = "open"
    world.provider.pay(session)
    assert world.hear(payment_id) == "succeeded"
    payment = world.payment(payment_id)
    assert payment.cancellation_reason is None
    assert world.issue(payment_id).amount_total == world.provider.taken(payment_id)


def test_an_expired_checkout_ends_itself_and_not_the_link(world: World) -> None:
    payment_id = world.new_payment()
    world.clock.advance(hours=25)
    assert world.hear(payment_id) == "pending"
    assert world.payment(payment_id).current_session.ended  # type: ignore[union-attr]
    assert told(world, payment_id) == {events.PAYMENT_CREATED: 1}


def settle(world: World, payment_id: str) -> None:
    settle_payment(
        payment_id,
        world.session(payment_id),
        cause="evt",
        payments=world.payments,
        provider=world.provider,
        clock=world.clock,
    )


def test_after_a_conflict_payment_and_provider_are_both_read_again(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.decline(session)

    def rival(_commit: Commit) -> None:
        world.provider.pay(session)
        assert world.hear(payment_id) == "succeeded"

    world.payments.interruptions.append(rival)
    settle(world, payment_id)
    assert world.payment(payment_id).status == "succeeded"
    assert told(world, payment_id)[events.PAYMENT_FAILED] == 0


def test_what_the_provider_said_before_a_rivals_write_is_not_decided_from(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.provider.decline(session)

    def rival() -> None:
        world.provider.debit(session)
        assert world.hear(payment_id) == "processing"

    world.provider.interrupt("fetch_checkout", rival)
    settle(world, payment_id)
    assert world.payment(payment_id).status == "processing"
    assert told(world, payment_id)[events.PAYMENT_FAILED] == 0


def test_rivals_without_end_are_a_conflict_to_retry(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.pay(world.session(payment_id))

    def rival(_commit: Commit) -> None:
        stored = world.payment(payment_id)
        world.memory.payments[payment_id] = replace(stored, version=stored.version + 1)

    world.payments.interruptions += [rival] * 20
    with pytest.raises(StateConflictError):
        settle(world, payment_id)
    world.payments.interruptions.clear()
    settle(world, payment_id)
    assert world.payment(payment_id).status == "succeeded"


def test_an_unknown_payment_cannot_be_settled(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    world.memory.payments.clear()
    with pytest.raises(UnknownPaymentError):
        settle_payment(
            payment_id,
            session,
            cause="evt",
            payments=world.payments,
            provider=world.provider,
            clock=world.clock,
        )


def test_two_guests_with_one_email_are_two_customers(world: World) -> None:
    first, second = world.paid(), world.paid()
    customers = {world.payment(p).customer_id for p in (first, second)}
    assert customers == {guest_customer_id(first), guest_customer_id(second)}
    assert {c.email for c in world.memory.customers.values()} == {BUYER.email}


def test_a_customer_who_pays_twice_with_one_card_has_one_card(world: World) -> None:
    world.customer(external_id="crm-1", email="known@example.com")
    for _ in range(2):
        payment_id = world.new_payment(customer="crm-1")
        world.provider.pay(world.session(payment_id))
        assert world.hear(payment_id) == "succeeded"
    vaulted = world.memory.methods[ORGANIZATION, MODE, "cus_1"]
    assert list(vaulted) == [CARD.key]
    assert len(vaulted[CARD.key].provider_ids) == 2
    customer = world.customers.find(ORGANIZATION, MODE, "crm-1")
    assert customer is not None
    assert (customer.email, customer.full_name) == ("known@example.com", BUYER.name)
    assert len(world.memory.customers) == 1


def test_a_card_that_may_not_be_charged_again_is_not_kept(world: World) -> None:
    payment_id = world.new_payment()
    once = PaymentMethod("fp_once", "pm_once", "card", "visa", "0341", reusable=False)
    world.provider.pay(world.session(payment_id), once)
    assert world.hear(payment_id) == "succeeded"
    assert dict(world.memory.methods) == {}
    customer = world.customers.find(ORGANIZATION, MODE, guest_customer_id(payment_id))
    assert customer is not None
    assert customer.default_payment_method is None


def test_an_event_about_a_checkout_that_is_not_there_changes_nothing(world: World) -> None:
    payment_id = world.new_payment()
    outcome = world.notify(event_of(payment_id, session_id="cs_forged", id="evt_forged"))
    assert outcome == "refused: does not match"
    assert world.payment(payment_id).status == "pending"
