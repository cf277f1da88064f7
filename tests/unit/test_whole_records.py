"""What is kept and told of money, member by member: one that got lost, or another's, would show."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import get_args

import pytest

from paylink.domain import events
from paylink.domain.charge import ChargeState, given_up, observe_charge, refuse
from paylink.domain.credit_note import CreditNote, credit
from paylink.domain.credit_note import facts as credit_note_facts
from paylink.domain.customer import Buyer, Customer, PaymentMethod, VaultedMethod, vaulted
from paylink.domain.dispute import Dispute, DisputeState, newly_opened, observe_disputes
from paylink.domain.errors import (
    DuplicateError,
    ProviderRejectedError,
    ProviderUnavailableError,
    TaxCalculationError,
    ValidationError,
)
from paylink.domain.events import DomainEvent
from paylink.domain.ids import derived_id
from paylink.domain.invoice import announcement, facts, issue
from paylink.domain.organization import Address, Organization
from paylink.domain.payment import (
    Attempt,
    Change,
    ChargeTerms,
    CheckoutSession,
    CheckoutState,
    HistoryEntry,
    LineItem,
    Outcome,
    Payment,
    Refund,
    Settlement,
    Transaction,
    cancel,
    event_about,
    observe,
    told_of,
)
from paylink.domain.refund import RefundState, observe_refunds, refund_of
from tests.unit.fakes import START
from tests.unit.world import a_payment

LATER = START + timedelta(minutes=5)
CARD = PaymentMethod("fingerprint", "pm_1", "card", "visa", "4242", 12, 2031, reusable=True)
DEBIT = PaymentMethod("mandate", "pm_2", "sepa_debit", None, "3000")
BUYER = Buyer("ada@example.com", "Ada Lovelace", Address(country="FR"))
SESSION = CheckoutSession(
    1, "pay_1:1", {}, START + timedelta(hours=24), "cs_1", "https://x.example"
)
LINK = a_payment(
    customer_id="cus_1", customer_public_id="user_17", metadata={"order": "7"}, sessions=(SESSION,)
)
TRANSACTION = Transaction(
    id="txn_1",
    organization_id="org_1",
    mode="sandbox",
    payment_id="pay_1",
    status="succeeded",
    amount_subtotal=1000,
    tax_amount=200,
    currency="eur",
    created_at=START,
    updated_at=START,
    payment_method=CARD,
    charge_id="ch_1",
    payment_intent_id="pi_1",
)
PAID = replace(
    LINK,
    status="succeeded",
    tax_amount=200,
    tax_status="final",
    paid_at=START,
    settlement=Settlement("txn_1", "cs_1", "pi_1", "ch_1", BUYER, (), CARD),
)


def checkout(outcome: str, attempt: Attempt | None) -> CheckoutState:
    return CheckoutState(
        session_id="cs_1",
        session_status="open",
        outcome=outcome,  # type: ignore[arg-type]
        currency="eur",
        amount_subtotal=1000,
        tax_amount=200,
        tax_status="final",
        tax_lines=(),
        payment_intent_id="pi_1",
        provider_customer_id="cus_provider",
        attempt=attempt,
        buyer=BUYER,
        paid_at=None,
    )


def changed(change: Change | None) -> Change:
    assert change is not None
    return change


def told(change: Change) -> DomainEvent:
    (event,) = change.events
    return event


# ------------------------------------------------------------------ attempts


def test_a_declined_attempt() -> None:
    attempt = Attempt("ch_9", CARD, "card_declined", "Declined.", "ch_9", "lost_card")
    change = changed(observe(LINK, checkout("failed", attempt), LATER, "evt_1"))
    assert change.before == LINK
    assert change.after == replace(
        LINK,
        status="failed",
        tax_amount=200,
        tax_status="final",
        failure_code="card_declined",
        failure_message="Declined.",
        decline_code="lost_card",
        last_attempt_id="ch_9",
        updated_at=LATER,
        history=(HistoryEntry(LATER, "failed", "evt_1"),),
        check_at=change.after.check_at,  # its own tests are those of the sweep
    )
    assert change.transaction == replace(
        TRANSACTION,
        id=derived_id("txn", "pay_1", "ch_9"),
        status="failed",
        created_at=LATER,
        updated_at=LATER,
        customer_id="cus_1",
        customer_email="ada@example.com",
        customer_name="Ada Lovelace",
        charge_id="ch_9",
        failure_code="card_declined",
        failure_message="Declined.",
    )
    event = told(change)
    assert (event.type, event.time) == (events.PAYMENT_FAILED, LATER)
    told_members = {
        "paymentTransactionId": change.transaction.id,
        "paymentMethod": "card",
        "subPaymentMethod": "visa",
        "failureCode": "card_declined",
        "failureMessage": "Declined.",
    }
    assert told_members.items() <= event.data.items()


def test_what_events_tell_of_their_payment() -> None:
    told = {
        "paymentId": "pay_1",
        "kind": "link",
        "status": "succeeded",
        "amount": 1200,
        "amountSubtotal": 1000,
        "taxAmount": 200,
        "currency": "eur",
        "description": "Design work",
        "customerId": "user_17",
    }
    paid_with = {
        "paymentTransactionId": "txn_1",
        "paymentMethod": "card",
        "subPaymentMethod": "visa",
    }
    assert told_of(PAID, events.PAYMENT_REFUNDED) == told
    assert told_of(PAID, events.PAYMENT_SUCCEEDED) == {**told, **paid_with}
    asked = {**told, "status": "pending", "amount": 1000, "taxAmount": 0}
    assert told_of(LINK, events.PAYMENT_CREATED) == {**asked, "url": LINK.url}
    assert told_of(LINK, events.PAYMENT_SUCCEEDED) == asked
    assert (LINK.paid_with, LINK.paid_by_transaction) == (None, None)


def test_money_settles_the_payment_unless_it_is_surplus_or_never_came() -> None:
    paid = replace(TRANSACTION, paid_at=START)
    assert paid.settles
    assert not replace(paid, surplus=True).settles
    assert not TRANSACTION.settles


def test_a_paid_one_has_no_failure_whatever_the_attempt_says() -> None:
    attempt = Attempt("ch_9", CARD, "card_declined", "Declined.", "ch_9", "lost_card")
    after = changed(observe(LINK, checkout("paid", attempt), LATER, "evt_1")).after
    assert (after.failure_code, after.failure_message, after.decline_code) == (None, None, None)
    assert after.paid_at == LATER


def test_a_cancellation() -> None:
    watched = replace(LINK, sessions=(replace(SESSION, ended=True),), check_at=LATER, checks=3)
    change = cancel(watched, "requested", LATER, "key_1")
    assert change.before == watched
    assert (change.after.status, change.after.updated_at) == ("canceled", LATER)
    assert (change.after.check_at, change.after.checks) == (None, 0)
    event = told(change)
    assert (event.type, event.time, event.data["reason"]) == (
        events.PAYMENT_CANCELED,
        LATER,
        "requested",
    )


# ------------------------------------------------------------------ charges


def charge_state(outcome: str, attempt: Attempt | None = None) -> ChargeState:
    return ChargeState(
        intent_id="pi_1",
        status="open",
        outcome=outcome,  # type: ignore[arg-type]
        currency="eur",
        amount=1200,
        payment_id="pay_1",
        provider_customer_id="cus_provider",
        attempt=attempt,
    )


def test_a_charge_that_was_given_up_says_what_it_waited_for() -> None:
    asked = charge_state("requires_action", Attempt("ch_1", CARD, charge_id="ch_1"))
    assert given_up(asked) == replace(
        asked,
        status="expired",
        outcome="failed",
        attempt=Attempt(
            "ch_1",
            CARD,
            "authentication_required",
            "The buyer would have to confirm this payment.",
            "ch_1",
        ),
    )
    never_tried = charge_state("pending")
    assert given_up(never_tried).attempt == Attempt(
        "pi_1:given_up", None, "charge_not_completed", "The charge was not completed."
    )
    declined = charge_state("failed", Attempt("ch_1", CARD, "card_declined", "Declined.", "ch_1"))
    assert given_up(declined) == replace(declined, status="expired")


def test_a_charge_is_pending_while_nothing_is_known_of_its_money() -> None:
    pending = [outcome for outcome in get_args(Outcome) if charge_state(outcome).pending]
    assert pending == ["unpaid", "requires_action"]


def test_a_charge_that_was_refused_before_money_was_asked_for() -> None:
    charge = a_payment(
        kind="charge", customer_public_id="user_17", check_at=LATER, checks=2, url=None
    )
    change = refuse(charge, "tax_failed", "No tax.", LATER, "charge")
    assert change.before == charge
    assert change.after == replace(
        charge,
        status="failed",
        failure_code="tax_failed",
        failure_message="No tax.",
        updated_at=LATER,
        history=(HistoryEntry(LATER, "failed", "charge"),),
        check_at=None,
        checks=0,
    )
    event = told(change)
    assert (event.type, event.time, event.mode) == (events.PAYMENT_FAILED, LATER, "sandbox")
    assert {
        "paymentTransactionId": None,
        "paymentMethod": None,
        "subPaymentMethod": None,
        "failureCode": "tax_failed",
        "failureMessage": "No tax.",
    }.items() <= event.data.items()


# ------------------------------------------------------------------ refunds, disputes


def test_a_refund_as_it_is_asked_for() -> None:
    assert refund_of(PAID, TRANSACTION, "ref_1", 500, "requested_by_customer", LATER) == Refund(
        id="ref_1",
        transaction_id="txn_1",
        amount=500,
        status="pending",
        created_at=LATER,
        charge_id="ch_1",
        reason="requested_by_customer",
    )


def refunded(amount: int, provider_id: str | None = None) -> Payment:
    refund = Refund("ref_0", "txn_1", amount, "succeeded", START, provider_id)
    return replace(PAID, refunds=(refund,))


def test_the_last_minor_unit_can_go_back_and_no_more() -> None:
    assert refund_of(refunded(1199, "re_0"), TRANSACTION, "ref_1", None, None, LATER).amount == 1
    with pytest.raises(DuplicateError) as gone:
        refund_of(refunded(1200, "re_0"), TRANSACTION, "ref_1", None, None, LATER)
    assert gone.value.message == "This transaction has been refunded in full."
    with pytest.raises(DuplicateError) as under_way:
        refund_of(refunded(1200), TRANSACTION, "ref_1", None, None, LATER)
    assert under_way.value.message == "A refund of all that is left is under way."
    with pytest.raises(ValidationError) as too_much:
        refund_of(PAID, TRANSACTION, "ref_1", 1201, None, LATER)
    assert too_much.value.param == "amount"
    whole_units = replace(TRANSACTION, currency="isk", amount_subtotal=100_000, tax_amount=0)
    with pytest.raises(ValidationError) as split:
        refund_of(PAID, whole_units, "ref_1", 150, None, LATER)
    assert (split.value.param, split.value.message) == (
        "amount",
        "amount: It must be a multiple of 100 minor units.",
    )


def state(**changes: object) -> RefundState:
    made = RefundState("re_1", None, 300, "succeeded", START, "ch_1", "duplicate")
    return replace(made, **changes)  # type: ignore[arg-type]


def test_a_refund_of_the_dashboard_as_it_is_kept_and_told() -> None:
    change = changed(observe_refunds(PAID, TRANSACTION, [state()], LATER))
    kept = Refund(
        id=derived_id("ref", "txn_1", "re_1"),
        transaction_id="txn_1",
        amount=300,
        status="succeeded",
        created_at=START,
        provider_id="re_1",
        charge_id="ch_1",
        reason="duplicate",
    )
    assert change.before == PAID
    assert change.after == replace(PAID, refunds=(kept,), amount_refunded=300, updated_at=LATER)
    event = told(change)
    assert (event.type, event.time) == (events.PAYMENT_REFUNDED, LATER)
    assert {
        "refundId": kept.id,
        "refundAmount": 300,
        "amountRefunded": 300,
        "chargeId": "ch_1",
        "reason": "duplicate",
        "paymentLinkId": "pay_1",
    }.items() <= event.data.items()


def test_one_of_ours_keeps_its_id_and_reason_and_takes_the_rest_from_the_provider() -> None:
    asked = Refund("ref_1", "txn_1", 500, "pending", START, charge_id="ch_1", reason="fraudulent")
    payment = replace(PAID, refunds=(asked,))
    seen = state(refund_id="ref_1", amount=450, charge_id=None)
    (kept,) = changed(observe_refunds(payment, TRANSACTION, [seen], LATER)).after.refunds
    assert kept == replace(asked, provider_id="re_1", amount=450, status="succeeded")


def test_a_mark_of_ours_on_a_second_refund_does_not_make_it_the_first() -> None:
    first = Refund("ref_1", "txn_1", 300, "succeeded", START, "re_0", "ch_1")
    payment = replace(PAID, refunds=(first,), amount_refunded=300)
    copied = [state(provider_id="re_0", refund_id="ref_1"), state(refund_id="ref_1")]
    after = changed(observe_refunds(payment, TRANSACTION, copied, LATER)).after
    assert [r.id for r in after.refunds] == ["ref_1", derived_id("ref", "txn_1", "re_1")]
    # Made by us and not on record any more, or not yet: our own mark names it.
    lost = changed(observe_refunds(PAID, TRANSACTION, [state(refund_id="ref_1")], LATER)).after
    assert [r.id for r in lost.refunds] == ["ref_1"]


def test_only_what_is_new_and_open_is_a_newly_opened_dispute() -> None:
    def dispute(name: str, status: str) -> Dispute:
        return Dispute(name, "txn_1", 1200, status, "fraudulent", START)  # type: ignore[arg-type]

    before = replace(PAID, disputes=(dispute("dp_1", "open"),))
    new = dispute("dp_2", "open")
    after = replace(PAID, disputes=(dispute("dp_1", "open"), new, dispute("dp_3", "won")))
    assert newly_opened(Change(before, after)) == [new]


def test_a_dispute_as_it_is_kept_and_told() -> None:
    inquiry = DisputeState("dp_0", 1200, "inquiry", START)
    opened = DisputeState("dp_1", 1200, "open", START, "fraudulent")
    change = changed(observe_disputes(PAID, TRANSACTION, [inquiry, opened], LATER))
    (kept,) = change.after.disputes
    assert (kept.amount, kept.status, kept.reason, kept.created_at) == (
        1200,
        "open",
        "fraudulent",
        START,
    )
    assert change.after.updated_at == LATER
    assert change.transaction == replace(
        TRANSACTION, status="disputed", dispute_status="open", updated_at=LATER
    )
    event = told(change)
    assert (event.type, event.time, event.data["disputeId"]) == (
        events.PAYMENT_DISPUTED,
        LATER,
        kept.id,
    )
    charge = replace(PAID, kind="charge", url=None)
    by_charge = told(changed(observe_disputes(charge, TRANSACTION, [opened], LATER)))
    assert by_charge.data["paymentLinkId"] is None


def test_a_transaction_that_stands_as_before_is_not_written_again() -> None:
    part = changed(observe_refunds(PAID, TRANSACTION, [state()], LATER))
    assert part.transaction is None
    whole = changed(observe_refunds(PAID, TRANSACTION, [state(amount=1200)], LATER))
    assert whole.transaction == replace(TRANSACTION, status="refunded", updated_at=LATER)


def test_a_refund_that_fails_later_is_told_of_at_that_time() -> None:
    before = changed(observe_refunds(PAID, TRANSACTION, [state()], START)).after
    event = told(changed(observe_refunds(before, TRANSACTION, [state(status="failed")], LATER)))
    assert (event.type, event.time) == (events.PAYMENT_REFUND_FAILED, LATER)


def test_an_intent_that_is_taken_for_ours_is_kept_without_any_news() -> None:
    terms = ChargeTerms("cus_provider", CARD, BUYER)
    unnamed = replace(SESSION, id=None, url=None)
    charge = a_payment(kind="charge", url=None, charge=terms, sessions=(unnamed,), tax_amount=200)
    waiting = charge_state("pending")
    adopted = charge.with_session(replace(unnamed, id="pi_1"))
    assert observe_charge(charge, waiting, LATER, "evt_1") == Change(charge, adopted)
    assert observe_charge(adopted, waiting, LATER, "evt_1") is None
    paid = replace(
        charge_state("paid", Attempt("ch_1", CARD, charge_id="ch_1")),
        status="complete",
        paid_at=START,
    )
    change = changed(observe_charge(charge, paid, LATER, "evt_1"))
    assert change.before == charge
    assert (change.after.status, change.after.paid_at) == ("succeeded", START)
    assert change.after.history[-1] == HistoryEntry(LATER, "succeeded", "evt_1")
    assert change.after.sessions[0].ended


def test_a_credit_note_says_what_its_invoice_said_and_what_went_back() -> None:
    seller = Organization("org_1", "Northwind Studio", Address(country="AT"))
    invoice = issue(PAID, seller, 2026, 7, START)
    refund = Refund("ref_1", "txn_1", 600, "succeeded", LATER, "re_1", reason="duplicate")
    note = credit(refund, invoice, (), 2026, 3, LATER + timedelta(seconds=1))
    assert note == CreditNote(
        id=derived_id("cn", "ref_1"),
        number="CN-2026-000003",
        organization_id="org_1",
        mode="sandbox",
        payment_id="pay_1",
        transaction_id="txn_1",
        refund_id="ref_1",
        invoice_id=invoice.id,
        invoice_number="INV-2026-000007",
        invoice_issued_at=START,
        in_full=False,
        status="issued",
        currency="eur",
        amount_subtotal=500,
        tax_amount=100,
        line_items=(LineItem("Design work", 500),),
        tax_lines=(),
        seller=invoice.seller,
        buyer=BUYER,
        issued_at=LATER + timedelta(seconds=1),
        refunded_at=LATER,
        customer_id="cus_1",
        customer_public_id="user_17",
        payment_method=invoice.payment_method,
        reason="duplicate",
        language=invoice.language,
    )
    assert credit_note_facts(note) == {
        "creditNoteId": note.id,
        "creditNoteNumber": "CN-2026-000003",
        "creditNoteStatus": "issued",
        "creditNoteTotal": 600,
        "refundId": "ref_1",
        "invoiceId": invoice.id,
        "invoiceNumber": "INV-2026-000007",
    }
    rest = replace(refund, id="ref_2", amount=700)
    assert credit(rest, invoice, (note,), 2026, 4, LATER).amount_total == 600


# ------------------------------------------------------------------ invoices, customers, methods


def test_what_an_invoice_tells() -> None:
    seller = Organization("org_1", "Northwind Studio", Address(country="AT"))
    invoice = issue(replace(PAID, paid_at=LATER), seller, 2026, 7, LATER + timedelta(seconds=1))
    assert (invoice.customer_id, invoice.customer_public_id) == ("cus_1", "user_17")
    assert (invoice.paid_at, invoice.language) == (LATER, "fr-FR")
    nowhere = replace(PAID, settlement=replace(PAID.settlement, buyer=Buyer()))  # type: ignore[type-var]
    assert issue(nowhere, seller, 2026, 7, LATER).language == "de-AT"
    paid, issued = "2026-11-25T12:05:00.000Z", "2026-11-25T12:05:01.000Z"
    unknown = replace(PAID, settlement=replace(PAID.settlement, payment_method=None))  # type: ignore[type-var]
    assert issue(unknown, seller, 2026, 7, LATER).payment_method is None
    unsaid = announcement(invoice, unknown).data
    assert (unsaid["paymentMethod"], unsaid["subPaymentMethod"]) == (None, None)
    event = announcement(invoice, PAID)
    assert (event.type, event.organization_id, event.mode) == ("invoice.issued", "org_1", "sandbox")
    assert facts(invoice).items() <= event.data.items()
    assert (event.data["paymentMethod"], event.data["subPaymentMethod"]) == ("card", "visa")
    assert facts(invoice) == {
        "paymentId": "pay_1",
        "amount": 1200,
        "amountSubtotal": 1000,
        "taxAmount": 200,
        "currency": "eur",
        "description": "Design work",
        "invoiceId": invoice.id,
        "invoiceNumber": "INV-2026-000007",
        "invoiceStatus": "paid",
        "invoiceTotal": 1200,
        "subtotal": 1000,
        "total": 1200,
        "grossAmount": 1200,
        "periodStart": paid,
        "periodEnd": paid,
        "issueDate": issued,
        "dueDate": issued,
        "paidAt": paid,
        "paymentTransactionId": "txn_1",
        "customerId": "user_17",
        "customerEmail": "ada@example.com",
    }


@pytest.mark.parametrize(
    ("method", "card"),
    [
        (CARD, {"brand": "visa", "last4": "4242", "expMonth": 12, "expYear": 2031}),
        (
            PaymentMethod("fingerprint", "pm_1", "card"),
            {"brand": "", "last4": "", "expMonth": None, "expYear": None},
        ),
        (DEBIT, None),
    ],
)
def test_what_is_told_of_a_vaulted_method(method: PaymentMethod, card: object) -> None:
    assert PAID.settlement is not None
    payment = replace(PAID, settlement=replace(PAID.settlement, payment_method=method))
    event = event_about(payment, events.PAYMENT_METHOD_ATTACHED, LATER)
    assert event == DomainEvent(
        "payment_method.attached",
        LATER,
        "org_1",
        "sandbox",
        {"customerId": "user_17", "type": method.type, "card": card},
        event.id,
    )


def test_a_vaulted_method_as_its_customer_has_it() -> None:
    customer = Customer("cus_1", "org_1", "live", START, START, default_payment_method="mandate")
    expected = VaultedMethod(
        id=derived_id("pm", "org_1", "live", "cus_1", "fingerprint"),
        mode="live",
        method=CARD,
        provider_ids=frozenset({"pm_1", "pm_7"}),
        vaulted_at=LATER,
        default=False,
    )
    assert vaulted(customer, CARD, ["pm_1", "pm_7"], LATER) == expected
    assert vaulted(customer, DEBIT, ["pm_2"], LATER).default


def test_without_the_providers_customer_nothing_is_vaulted_and_the_next_one_is_another() -> None:
    customer = Customer(
        "cus_1",
        "org_1",
        "live",
        START,
        START,
        provider_customer_id="cus_provider",
        default_payment_method="fingerprint",
        provider_generation=2,
        provider_stale=True,
    )
    assert customer.without_provider_customer(LATER) == Customer(
        "cus_1", "org_1", "live", START, START, provider_generation=3, methods_since=LATER
    )


@pytest.mark.parametrize(
    ("since", "has"), [(None, True), (START, True), (START + timedelta(microseconds=1), False)]
)
def test_what_was_vaulted_at_the_very_moment_is_still_there(
    since: datetime | None, has: bool
) -> None:
    assert Customer("c", "o", "live", START, START, methods_since=since).has_since(START) is has


# ------------------------------------------------------------------ errors


def test_errors_name_the_field_and_the_code_where_there_is_one() -> None:
    named = ProviderRejectedError("Too small.", param="amount")
    assert (named.param, named.details) == (
        "amount",
        [{"field": "amount", "message": "Too small."}],
    )
    assert ProviderRejectedError("No.").details is None
    assert TaxCalculationError("No.", provider_code="tax_id_invalid").details == {
        "code": "tax_id_invalid"
    }
    assert TaxCalculationError("No.").details is None
    assert ValidationError.of("", "It is no object.").message == "It is no object."
    busy = ProviderUnavailableError("Busy.", headers={"retry-after": "1"})
    assert (busy.message, busy.headers) == ("Busy.", {"retry-after": "1"})
