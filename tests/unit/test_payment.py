"""A payment goes where its money is: each row of the state machine, and what never moves it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain import events
from paylink.domain.customer import Buyer
from paylink.domain.organization import Address
from paylink.domain.payment import (
    PAYABLE,
    TRANSITIONS,
    Attempt,
    Change,
    CheckoutMismatchError,
    CheckoutSession,
    CheckoutState,
    HistoryEntry,
    Outcome,
    Payment,
    Settlement,
    Status,
    Surplus,
    announce,
    as_made,
    cancel,
    guest_customer_id,
    observe,
)
from tests.unit.fakes import BUYER, CARD, START
from tests.unit.world import a_payment

LATER = START + timedelta(minutes=5)
STATUSES: tuple[Status, ...] = get_args(Status)
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

EXPECTED: dict[tuple[Status, Outcome], Status] = {
    ("pending", "requires_action"): "requires_action",
    ("pending", "processing"): "processing",
    ("pending", "failed"): "failed",
    ("pending", "paid"): "succeeded",
    ("requires_action", "processing"): "processing",
    ("requires_action", "failed"): "failed",
    ("requires_action", "paid"): "succeeded",
    ("processing", "failed"): "failed",
    ("processing", "paid"): "succeeded",
    ("failed", "requires_action"): "requires_action",
    ("failed", "processing"): "processing",
    ("failed", "failed"): "failed",
    ("failed", "paid"): "succeeded",
    ("canceled", "processing"): "processing",
    ("canceled", "paid"): "succeeded",
}
"""Written out a second time on purpose: a slip in the product's table must show."""


def session(generation: int = 1, **changes: Any) -> CheckoutSession:
    values: dict[str, Any] = {
        "generation": generation,
        "idempotency_key": f"pay_1:{generation}",
        "request": {},
        "expires_at": START + timedelta(hours=23),
        "id": f"cs_{generation}",
        "url": f"https://checkout.example/cs_{generation}",
    }
    return CheckoutSession(**values | changes)


def state(outcome: Outcome = "paid", **changes: Any) -> CheckoutState:
    values: dict[str, Any] = {
        "session_id": "cs_1",
        "session_status": "complete" if outcome in {"paid", "processing"} else "open",
        "outcome": outcome,
        "currency": "eur",
        "amount_subtotal": 1000,
        "tax_amount": 200,
        "tax_status": "final",
        "payment_intent_id": "pi_1",
        "attempt": Attempt("ch_1", CARD, charge_id="ch_1"),
        "buyer": BUYER,
    }
    return CheckoutState(**values | changes)


def in_status(status: Status, **changes: Any) -> Payment:
    values: dict[str, Any] = {"status": status, "sessions": (session(),)}
    if status == "succeeded":
        values["settlement"] = Settlement("txn_1", "cs_1", "pi_1", "ch_1", BUYER, (), CARD)
    return a_payment(**values | changes)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_each_status_and_outcome_lead_where_the_table_says(
    status: Status, outcome: Outcome
) -> None:
    change = observe(in_status(status), state(outcome), LATER, "evt_1")
    target = EXPECTED.get((status, outcome))
    if target is None:
        assert change is None or (change.after.status == status and change.events == ())
        return
    assert change is not None
    assert change.after.status == target
    assert change.after.history == (HistoryEntry(LATER, target, "evt_1"),)
    assert [event.type for event in change.events] == [f"payment.{target}"]
    assert change.events[0].data["status"] == target


def test_the_table_has_every_status_and_no_way_out_of_succeeded() -> None:
    assert set(TRANSITIONS) == set(STATUSES)
    assert TRANSITIONS["succeeded"] == {}
    assert {"pending", "requires_action", "failed"} == PAYABLE


@given(outcomes=st.lists(st.sampled_from(OUTCOMES), max_size=8))
def test_nothing_that_arrives_after_the_money_undoes_it(outcomes: list[Outcome]) -> None:
    payment = in_status("succeeded", amount_subtotal=1000, tax_amount=200)
    for number, outcome in enumerate(outcomes):
        attempt = Attempt(f"ch_late_{number}", CARD, "card_declined", "no")
        change = observe(payment, state(outcome, attempt=attempt, tax_amount=0), LATER, "evt")
        if change is not None:
            assert change.events == ()
            payment = change.after
    assert payment.status == "succeeded"
    assert payment.amount_total == 1200
    assert payment.failure_code is None


def test_success_keeps_all_that_the_invoice_needs() -> None:
    change = observe(in_status("pending"), state(paid_at=START), LATER, "evt_1")
    assert change is not None
    assert change.transaction is not None
    after, transaction = change.after, change.transaction
    assert (after.amount_subtotal, after.tax_amount, after.amount_total) == (1000, 200, 1200)
    assert after.tax_status == "final"
    assert after.paid_at == START
    assert after.settlement == Settlement(transaction.id, "cs_1", "pi_1", "ch_1", BUYER, (), CARD)
    assert transaction.status == "succeeded"
    assert transaction.amount_total == 1200
    assert (transaction.customer_email, transaction.customer_name) == (BUYER.email, BUYER.name)
    assert change.events[0].data["paymentTransactionId"] == transaction.id
    assert change.events[0].data["amount"] == 1200
    assert change.events[0].data["paymentMethod"] == "card"
    assert change.events[0].data["subPaymentMethod"] == "visa"


def test_a_guest_gets_a_customer_of_their_own_by_payment_and_not_by_email() -> None:
    first = observe(in_status("pending"), state(), LATER, "evt_1")
    again = observe(in_status("pending"), state(), LATER, "evt_2")
    other = observe(in_status("pending", id="pay_2"), state(), LATER, "evt_3")
    assert first is not None
    assert again is not None
    assert other is not None
    assert first.after.customer_id == again.after.customer_id == guest_customer_id("pay_1")
    assert first.after.customer_public_id == first.after.customer_id
    assert other.after.customer_id != first.after.customer_id


def test_a_known_customer_stays_and_is_shown_by_the_callers_own_id() -> None:
    payment = in_status("pending", customer_id="cus_1", customer_public_id="crm-7")
    change = observe(payment, state(), LATER, "evt_1")
    assert change is not None
    assert (change.after.customer_id, change.after.customer_public_id) == ("cus_1", "crm-7")


def test_a_failure_tells_why_and_a_later_success_forgets_it() -> None:
    declined = Attempt("ch_1", CARD, "card_declined", "Your card was declined.", "ch_1")
    failed = observe(in_status("pending"), state("failed", attempt=declined), LATER, "evt_1")
    assert failed is not None
    assert (failed.after.failure_code, failed.after.failure_message) == (
        "card_declined",
        "Your card was declined.",
    )
    assert failed.transaction is not None
    assert failed.transaction.status == "failed"
    assert failed.transaction.customer_id is None
    assert failed.events[0].data["failureCode"] == "card_declined"
    paid = observe(failed.after, state(attempt=Attempt("ch_2", CARD)), LATER, "evt_2")
    assert paid is not None
    assert paid.after.status == "succeeded"
    assert (paid.after.failure_code, paid.after.failure_message) == (None, None)
    assert paid.transaction is not None
    assert paid.transaction.id != failed.transaction.id


def test_the_same_failed_attempt_is_told_once_and_the_next_one_again() -> None:
    first = state("failed", attempt=Attempt("ch_1", CARD, "card_declined"))
    payment = in_status("pending")
    change = observe(payment, first, LATER, "evt_1")
    assert change is not None
    assert observe(change.after, first, LATER, "evt_2") is None
    second = state("failed", attempt=Attempt("ch_2", CARD, "card_declined"))
    again = observe(change.after, second, LATER, "evt_3")
    assert again is not None
    assert [event.type for event in again.events] == [events.PAYMENT_FAILED]


def test_a_debit_that_bounces_fails_under_the_very_charge_that_was_processing() -> None:
    debit = Attempt("py_1", CARD, charge_id="py_1")
    processing = observe(in_status("pending"), state("processing", attempt=debit), LATER, "evt_1")
    assert processing is not None
    bounced = state(
        "failed",
        session_status="complete",
        attempt=replace(debit, failure_code="debit_not_authorized"),
    )
    change = observe(processing.after, bounced, LATER, "evt_2")
    assert change is not None
    assert change.after.status == "failed"
    assert change.after.failure_code == "debit_not_authorized"


def test_an_ended_checkout_is_noted_without_a_word_to_anybody() -> None:
    payment = in_status("pending")
    change = observe(payment, state("unpaid", session_status="expired"), LATER, "evt_1")
    assert change is not None
    assert change.events == ()
    assert change.transaction is None
    assert change.after.status == "pending"
    ended = change.after.current_session
    assert ended is not None
    assert ended.ended
    assert observe(change.after, state("unpaid", session_status="expired"), LATER, "e") is None


@pytest.mark.parametrize("outcome", ["failed", "requires_action"])
def test_what_an_older_checkout_says_of_tries_is_stale(outcome: Outcome) -> None:
    payment = in_status("pending", sessions=(session(1, ended=True), session(2)))
    old = state(outcome, session_id="cs_1")
    assert observe(payment, old, LATER, "evt_1") is None
    assert observe(replace(payment, last_attempt_id="ch_1"), old, LATER, "evt_1") is None
    current = observe(payment, state(outcome, session_id="cs_2"), LATER, "evt_2")
    assert current is not None
    assert current.after.status == outcome


@pytest.mark.parametrize(("outcome", "target"), [("paid", "succeeded"), ("processing",) * 2])
def test_money_in_an_older_checkout_counts(outcome: Outcome, target: Status) -> None:
    payment = in_status("pending", sessions=(session(1, ended=True), session(2)))
    change = observe(payment, state(outcome, session_id="cs_1"), LATER, "evt_1")
    assert change is not None
    assert change.after.status == target


def test_a_debit_in_an_older_checkout_can_still_bounce() -> None:
    debit = Attempt("py_1", CARD, charge_id="py_1")
    payment = in_status(
        "processing",
        sessions=(session(1, ended=True), session(2)),
        last_attempt_id="py_1",
    )
    bounced = state("failed", session_id="cs_1", session_status="complete", attempt=debit)
    change = observe(payment, bounced, LATER, "evt_1")
    assert change is not None
    assert change.after.status == "failed"


def test_noting_the_end_of_an_older_checkout_leaves_the_current_one_current() -> None:
    payment = in_status("pending", sessions=(session(1), session(2)))
    change = observe(payment, state("unpaid", session_status="expired"), LATER, "evt_1")
    assert change is not None
    assert [s.generation for s in change.after.sessions] == [1, 2]
    assert change.after.current_session == session(2)


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        ({"session_id": "cs_other"}, "pay_1 has no session cs_other"),
        ({"currency": "usd"}, "pay_1 is 1000 eur, cs_1 is 1000 usd"),
        ({"amount_subtotal": 999}, "pay_1 is 1000 eur, cs_1 is 999 eur"),
        ({"amount_subtotal": 1}, "pay_1 is 1000 eur, cs_1 is 1 eur"),
        ({"currency": "", "amount_subtotal": 0}, "pay_1 is 1000 eur, cs_1 is 0 "),
    ],
)
@pytest.mark.parametrize("status", STATUSES)
def test_a_checkout_that_is_not_ours_moves_nothing_and_logs_can_say_why(
    status: Status, claim: dict[str, Any], reason: str
) -> None:
    with pytest.raises(CheckoutMismatchError) as mismatch:
        observe(in_status(status), state(**claim), LATER, "evt_1")
    assert str(mismatch.value) == reason


def test_a_second_paid_checkout_is_recorded_once_and_leaves_the_first_alone() -> None:
    payment = in_status("succeeded", sessions=(session(1, ended=True), session(2)), tax_amount=200)
    second = state(
        session_id="cs_2", payment_intent_id="pi_2", attempt=Attempt("ch_2", CARD), tax_amount=0
    )
    change = observe(payment, second, LATER, "evt_1")
    assert change is not None
    assert change.after.status == "succeeded"
    assert change.after.settlement == payment.settlement
    assert change.after.amount_total == 1200
    assert change.transaction is not None
    assert change.transaction.id != "txn_1"
    assert change.transaction.payment_intent_id == "pi_2"
    assert [event.type for event in change.events] == [events.PAYMENT_RECEIVED_TWICE]
    assert change.events[0].data["paymentIntentId"] == "pi_2"
    assert change.after.surplus == (Surplus(change.transaction.id, "pi_2"),)
    assert change.after.history[-1] == HistoryEntry(LATER, "succeeded", change.transaction.id)
    told = (change.events[0].time, change.after.updated_at, change.transaction.created_at)
    assert told == (LATER, LATER, LATER)
    assert observe(change.after, second, LATER, "evt_2") is None


def test_money_undoes_a_cancellation() -> None:
    canceled = cancel(in_status("pending"), "expired", START, "sweep").after
    change = observe(canceled, state(), LATER, "evt_1")
    assert change is not None
    assert change.after.status == "succeeded"
    assert change.after.cancellation_reason is None


def test_a_link_is_announced_once() -> None:
    change = announce(in_status("pending"), LATER, "create")
    assert [event.type for event in change.events] == [events.PAYMENT_CREATED]
    assert change.events[0].data["url"] == "https://pay.example.com/pay/pay_1"
    assert (change.before, change.events[0].time) == (in_status("pending"), LATER)
    assert announce(change.after, LATER, "pay_page") == Change(change.after, change.after)


@pytest.mark.parametrize("reason", ["requested", "expired"])
def test_cancelling_ends_every_checkout_and_says_why(reason: Any) -> None:
    payment = in_status("failed", sessions=(session(1), session(2, id=None, url=None)))
    change = cancel(payment, reason, LATER, "sweep")
    assert change.after.status == "canceled"
    assert change.after.cancellation_reason == reason
    assert all(s.ended for s in change.after.sessions)
    assert [event.type for event in change.events] == [events.PAYMENT_CANCELED]
    assert change.events[0].data["reason"] == reason
    assert change.after.history[-1] == HistoryEntry(LATER, "canceled", "sweep")


@pytest.mark.parametrize("status", STATUSES)
def test_only_a_link_that_nobody_paid_is_payable_and_only_before_its_end(status: Status) -> None:
    payment = in_status(status)
    end = payment.expires_at
    assert end is not None
    assert payment.payable(end - timedelta(microseconds=1)) is (status in PAYABLE)
    assert not payment.payable(end)
    assert not replace(payment, kind="charge").payable(START)


def test_a_checkout_is_open_from_its_making_to_its_end() -> None:
    live = session()
    assert live.open_at(START)
    assert not live.open_at(live.expires_at)
    assert not replace(live, ended=True).open_at(START)
    assert not replace(live, id=None).open_at(START)


@given(subtotal=st.integers(1, 10**12), tax=st.integers(0, 10**12))
def test_subtotal_and_tax_are_always_the_total(subtotal: int, tax: int) -> None:
    seen = state(amount_subtotal=subtotal, tax_amount=tax)
    change = observe(in_status("pending", amount_subtotal=subtotal), seen, LATER, "evt_1")
    assert change is not None
    assert change.transaction is not None
    assert change.after.amount_total == subtotal + tax
    assert change.transaction.amount_total == subtotal + tax
    data = change.events[0].data
    assert (data["amountSubtotal"], data["taxAmount"], data["amount"]) == (
        subtotal,
        tax,
        subtotal + tax,
    )


def test_a_checkout_fills_only_what_was_unknown_of_a_customer(world: Any) -> None:
    known = world.customer(email="known@example.com", tax_ids=("DE1",))
    filled = replace(BUYER, tax_ids=("FR2",)).fill(known)
    assert filled.email == "known@example.com"
    assert filled.tax_ids == ("DE1",)
    assert filled.full_name == BUYER.name
    assert filled.address == BUYER.address


def test_an_address_that_was_not_collected_stays_unknown(world: Any) -> None:
    assert Buyer("b@example.com", address=Address()).fill(world.customer()).address is None


def test_thousands_of_declines_are_remembered_in_part_and_the_first_entry_for_ever() -> None:
    payment = announce(in_status("pending"), START, "create").after
    for n in range(3000):
        tried = state("failed", attempt=Attempt(f"ch_{n}", failure_code="card_declined"))
        change = observe(payment, tried, LATER, f"evt_{n}")
        assert change is not None
        payment = change.after
    assert len(payment.history) == 100
    assert (payment.history[0].cause, payment.history[-1].cause) == ("create", "evt_2999")
    paid = observe(payment, state("paid"), LATER, "evt_paid")
    assert paid is not None
    assert paid.after.status == "succeeded"


def test_an_ended_checkout_leads_nowhere_and_keeps_no_request() -> None:
    open_one = replace(session(), url="https://checkout.example/1", request={"mode": "payment"})
    payment = (
        a_payment(sessions=()).with_session(open_one).with_session(replace(open_one, ended=True))
    )
    (ended,) = payment.sessions
    assert (ended.url, ended.request, ended.id) == (None, {}, open_one.id)


def test_a_link_is_looked_after_until_the_last_of_its_checkouts_has_ended() -> None:
    both = in_status("failed", sessions=(session(1), session(2)), check_at=LATER, checks=2)
    expired: dict[str, Any] = {"outcome": "unpaid", "session_status": "expired"}
    one = observe(both, state(session_id="cs_1", **expired), LATER, "evt_1")
    assert one is not None
    assert one.before == both
    assert (one.after.check_at, one.after.checks) == (LATER, 2)
    none = observe(one.after, state(session_id="cs_2", **expired), LATER, "evt_2")
    assert none is not None
    assert (none.after.check_at, none.after.checks) == (None, 0)


def test_a_debit_is_asked_about_although_its_checkout_has_ended() -> None:
    payment = in_status("processing", check_at=LATER, checks=2)
    change = observe(payment, state("processing"), LATER, "evt_1")
    assert change is not None
    assert change.after.sessions[0].ended
    assert (change.after.check_at, change.after.checks) == (LATER, 2)


def test_a_change_begins_the_looks_anew() -> None:
    looked_at = in_status("pending", check_at=START + timedelta(hours=2), checks=1)
    change = observe(looked_at, state("requires_action"), LATER, "evt_1")
    assert change is not None
    assert (change.after.check_at, change.after.checks) == (LATER + timedelta(minutes=15), 0)


def test_of_a_charge_that_failed_nothing_is_awaited() -> None:
    charge = in_status("pending", kind="charge", sessions=(session(id=None), session(2, id="pi_2")))
    assert charge.watched(LATER).check_at == LATER + timedelta(minutes=15)
    failed = replace(charge, status="failed")
    assert failed.watched(LATER).check_at is None
    # Of a link the next try may be on its way.
    assert replace(failed, kind="link").watched(LATER).check_at is not None


def test_of_a_paid_link_nothing_is_awaited_though_another_checkout_is_open() -> None:
    payment = in_status("pending", sessions=(session(1), session(2)), check_at=LATER)
    change = observe(payment, state(), LATER, "evt_1")
    assert change is not None
    assert change.after.check_at is None


def test_a_charges_transaction_says_that_it_is_one() -> None:
    change = observe(in_status("pending", kind="charge"), state(), LATER, "evt_1")
    assert change is not None
    assert change.transaction is not None
    assert change.transaction.payment_kind == "charge"


def test_a_link_as_it_was_made_is_found_again_once_it_is_paid() -> None:
    made = in_status(
        "pending",
        organization_id="org_7",
        mode="live",
        created_by="key_7",
        metadata={"order": "7"},
        sessions=(),
    )
    opened = replace(announce(made, LATER, "create").after, sessions=(session(),))
    change = observe(opened, state(), LATER, "evt_1")
    assert change is not None
    assert as_made(change.after) == made


def test_a_checkout_that_may_have_been_made_is_awaited_and_one_that_ended_is_not() -> None:
    asked_for = in_status("pending", sessions=(session(id=None, url=None),))
    assert asked_for.watched(LATER).check_at == LATER + timedelta(minutes=15)
    over = in_status("pending", sessions=(session(ended=True),))
    assert over.watched(LATER).check_at is None
