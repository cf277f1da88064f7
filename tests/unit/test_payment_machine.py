"""Links, buyers, banks, sweeps and the provider's news in any order: what must hold always holds.

Buyers act at the provider; what the service learns of it comes late, twice, in any order, or never.
Calls fail before or after they did their work, and rivals get in between a read and its write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paylink.domain import events
from paylink.domain.credit_note import creditable
from paylink.domain.errors import PaylinkError
from paylink.domain.ids import derived_id
from paylink.domain.payment import PAYABLE, TRANSITIONS, Payment, Status, Transaction
from paylink.ports import Commit
from paylink.services import sweep_payments
from tests.unit.fake_charges import Bank
from tests.unit.world import MODE, ORGANIZATION, World, a_request, charge_of, event_of, link_of

PICK = st.integers(0, 10**6)
ISSUING = {events.PAYMENT_SUCCEEDED, events.PAYMENT_REFUNDED, events.PAYMENT_REFUND_FAILED}
BANKS: list[Bank] = ["pays", "declines", "asks", "waits", "unfinished"]


@pytest.fixture(autouse=True)
def _one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """What fails is then found again: threads would take crashes and faults in any order."""
    monkeypatch.setattr(sweep_payments, "_WORKERS", 1)
    monkeypatch.setattr(sweep_payments, "_CHECKERS", 1)


class CrashError(Exception):
    """A function ended in the middle of its work."""


class Payments(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.requests: list[tuple[str, int, int | None]] = []
        self.charges: list[tuple[str, int, str]] = []
        self.refunds: list[tuple[str, int | None, str]] = []
        self.news: list[tuple[str, str, str]] = []
        """Payment, session and id of each event that is still under way."""
        self.succeeded: dict[str, Payment] = {}
        self.told = 0
        self.deaf = False
        """The news that are under way in the end never come."""

    # The seller's side.

    @initialize(amount=st.integers(50, 10**6), deaf=st.booleans())
    def first_link(self, amount: int, deaf: bool) -> None:
        self.deaf = deaf
        self.world.vaulted_customer()
        self.create(amount, None)

    @precondition(lambda self: len(self.requests) < 4)
    @rule(
        amount=st.integers(50, 10**6),
        minutes=st.sampled_from([30, None, 31, 90, 60 * 24, 60 * 49]),
    )
    def create(self, amount: int, minutes: int | None) -> None:
        self.requests.append((f"K{len(self.requests)}", amount, minutes))
        self.send_again(len(self.requests) - 1)

    @rule(pick=PICK)
    def send_again(self, pick: int) -> None:
        """A caller's retry: the same request under the same key, a moment later."""
        key, amount, minutes = self.requests[pick % len(self.requests)]
        end = None if minutes is None else self.world.clock() + timedelta(minutes=minutes)
        request = a_request(key, request_hash=f"{amount}")
        with suppress(PaylinkError, CrashError):
            self.world.create(link_of(amount, expires_at=end), request)

    @rule()
    def sweep(self) -> None:
        self.world.sweep()

    @precondition(lambda self: self.world.memory.payments)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        payment = self.a_payment(pick)
        with suppress(PaylinkError, CrashError):
            assert self.world.cancel(payment.id).status == "canceled"
            assert self.world.provider.live(payment.id) == []

    @precondition(lambda self: self.vaulted() and len(self.charges) < 4)
    @rule(amount=st.integers(50, 10**6), pick=PICK, bank=st.sampled_from(BANKS))
    def charge(self, amount: int, pick: int, bank: Bank) -> None:
        customers = self.vaulted()
        self.charges.append((f"C{len(self.charges)}", amount, customers[pick % len(customers)]))
        self.charge_again(len(self.charges) - 1, bank)

    @precondition(lambda self: self.charges)
    @rule(pick=PICK, bank=st.sampled_from(BANKS))
    def charge_again(self, pick: int, bank: Bank) -> None:
        key, amount, customer = self.charges[pick % len(self.charges)]
        request = a_request(key, f"{amount}", operation="POST /payments/charge")
        self.world.provider.bank = bank
        with suppress(PaylinkError, CrashError):
            self.world.charge(charge_of(customer, amount), request)

    @precondition(lambda self: self.world.memory.payments)
    @rule(pick=PICK)
    def sweep_at_the_end(self, pick: int) -> None:
        end = self.a_payment(pick).expires_at
        if end is None:
            return
        self.world.clock.now = max(self.world.clock.now, end)
        self.world.sweep()

    @precondition(lambda self: self.due())
    @rule()
    def look_at_what_is_due(self) -> None:
        self.world.clock.now = max(self.world.clock.now, min(self.due()))
        self.world.sweep()

    @rule(seconds=st.sampled_from([1, 40, 60 * 20, 3600 * 5, 3600 * 25]))
    def wait(self, seconds: int) -> None:
        self.world.clock.advance(seconds=seconds)

    @precondition(lambda self: self.world.memory.events)
    @rule(pick=PICK)
    def consume(self, pick: int) -> None:
        """The bus delivers any event that was announced, any number of times."""
        announced = self.world.memory.events
        event = announced[pick % len(announced)]
        if event.type in ISSUING:
            with suppress(PaylinkError, CrashError, ConnectionError):
                self.world.issue(event.data["paymentId"])
                self.world.credit_notes_of(event.data["paymentId"])

    @precondition(lambda self: self.paid_transactions())
    @rule(pick=PICK, amount=st.one_of(st.none(), st.integers(1, 10**6)), keyed=st.booleans())
    def refund(self, pick: int, amount: int | None, keyed: bool) -> None:
        paid = self.paid_transactions()
        transaction = paid[pick % len(paid)]
        seed = f"R{len(self.refunds)}" if keyed else None
        if seed is not None:
            self.refunds.append((transaction.id, amount, seed))
        with suppress(PaylinkError, CrashError):
            self.world.refund(transaction.id, amount, seed)

    @precondition(lambda self: self.refunds)
    @rule(pick=PICK)
    def refund_again(self, pick: int) -> None:
        with suppress(PaylinkError, CrashError):
            self.world.refund(*self.refunds[pick % len(self.refunds)])

    @precondition(lambda self: self.paid_transactions())
    @rule(pick=PICK, amount=st.one_of(st.none(), st.integers(1, 10**6)))
    def refund_in_the_dashboard(self, pick: int, amount: int | None) -> None:
        paid = self.paid_transactions()
        with suppress(PaylinkError):
            self.world.provider.refund(paid[pick % len(paid)].payment_intent_id or "", amount)

    @precondition(lambda self: self.world.provider.refunds)
    @rule(pick=PICK)
    def a_refund_fails(self, pick: int) -> None:
        made = list(self.world.provider.refunds)
        self.world.provider.end_refund(made[pick % len(made)], "failed")

    @precondition(lambda self: self.world.provider.refunds)
    @rule(pick=PICK)
    def hear_of_a_refund(self, pick: int) -> None:
        made = list(self.world.provider.refunds.values())
        with suppress(PaylinkError, CrashError):
            self.world.hear_refunds(made[pick % len(made)].intent_id)

    @precondition(lambda self: self.paid_transactions())
    @rule(pick=PICK, share=st.integers(1, 100), inquiry=st.booleans())
    def a_bank_disputes(self, pick: int, share: int, inquiry: bool) -> None:
        paid = self.paid_transactions()
        transaction = paid[pick % len(paid)]
        intent_id = transaction.payment_intent_id or ""
        if all(d.intent_id != intent_id for d in self.world.provider.disputes.values()):
            amount = max(1, transaction.amount_total * share // 100)
            self.world.provider.dispute(intent_id, amount, "inquiry" if inquiry else "open")

    @precondition(lambda self: self.undecided())
    @rule(pick=PICK, outcome=st.sampled_from(["open", "won", "lost", "inquiry"]))
    def a_dispute_is_decided(self, pick: int, outcome: str) -> None:
        """Or an inquiry becomes one."""
        undecided = self.undecided()
        dispute_id = undecided[pick % len(undecided)]
        asked = self.world.provider.disputes[dispute_id].state.status == "inquiry"
        if asked == (outcome in {"open", "inquiry"}):
            self.world.provider.decide(dispute_id, outcome)  # type: ignore[arg-type]

    @precondition(lambda self: self.world.provider.disputes)
    @rule(pick=PICK)
    def hear_of_a_dispute(self, pick: int) -> None:
        made = list(self.world.provider.disputes.values())
        with suppress(PaylinkError, CrashError):
            self.world.hear_disputes(made[pick % len(made)].intent_id)

    # The buyer's side.

    @precondition(lambda self: self.world.memory.payments)
    @rule(pick=PICK)
    def open(self, pick: int) -> None:
        with suppress(PaylinkError, CrashError):
            self.world.open(self.a_payment(pick).id)

    @precondition(lambda self: self.world.memory.payments)
    @rule(pick=PICK)
    def come_back_the_next_day(self, pick: int) -> None:
        self.world.clock.advance(hours=25)
        self.open(pick)

    @rule(pick=PICK, what=st.sampled_from(["pay", "decline", "ask_for_3ds", "debit"]))
    def confirm(self, pick: int, what: str) -> None:
        for payment_id, session_id in self.checkouts(pick, "open"):
            getattr(self.world.provider, what)(session_id)
            self.happened(payment_id, session_id)

    @rule(pick=PICK, what=st.sampled_from(["approve_3ds", "refuse_3ds"]))
    def answer_3ds(self, pick: int, what: str) -> None:
        for payment_id, session_id in self.checkouts(pick, "open", "requires_action"):
            getattr(self.world.provider, what)(session_id)
            self.happened(payment_id, session_id)

    @rule(pick=PICK, what=st.sampled_from(["settle_debit", "bounce_debit"]))
    def bank_answers(self, pick: int, what: str) -> None:
        for payment_id, session_id in self.checkouts(pick, "complete", "processing"):
            getattr(self.world.provider, what)(session_id)
            self.happened(payment_id, session_id)

    @precondition(lambda self: self.world.provider.intents)
    @rule(pick=PICK, what=st.sampled_from(["settle_charge", "bounce_charge"]))
    def bank_answers_a_charge(self, pick: int, what: str) -> None:
        intents = self.world.provider.intents
        waiting = [name for name, i in intents.items() if i.state.outcome == "processing"]
        if waiting:
            getattr(self.world.provider, what)(waiting[pick % len(waiting)])

    # The provider's news.

    @precondition(lambda self: self.world.provider.intents)
    @rule(pick=PICK)
    def hear_of_a_charge(self, pick: int) -> None:
        intents = list(self.world.provider.intents)
        with suppress(PaylinkError, CrashError):
            self.hear_charge(intents[pick % len(intents)])

    @precondition(lambda self: self.news)
    @rule(pick=PICK, again=st.booleans())
    def deliver(self, pick: int, again: bool) -> None:
        """In any order; ``again``: the provider takes it for undelivered and will repeat it."""
        position = pick % len(self.news)
        payment_id, session_id, event_id = self.news[position]
        with suppress(PaylinkError, CrashError):
            self.world.notify(event_of(payment_id, session_id=session_id, id=event_id))
            if not again:
                del self.news[position]

    # What goes wrong.

    @precondition(lambda self: self.news)
    @rule(pick=PICK)
    def lose(self, pick: int) -> None:
        del self.news[pick % len(self.news)]

    @rule(
        operation=st.sampled_from(
            [
                *("create_session", "expire_session", "fetch_checkout"),
                *("calculate_tax", "create_charge", "find_charge", "fetch_charge", "cancel_charge"),
                *("create_refund", "refunds_of", "disputes_of", "marks_of_payment_intent"),
            ]
        ),
        fault=st.sampled_from(["unavailable", "timeout", "stored", "done_but_stored"]),
    )
    def provider_fails(self, operation: str, fault: str) -> None:
        self.world.provider.fail(operation, fault)  # type: ignore[arg-type]

    @rule(skipped=st.integers(0, 2))
    def crash(self, skipped: int) -> None:
        self.interrupt(skipped, self.end_in_the_middle)

    @precondition(lambda self: self.news)
    @rule(skipped=st.integers(0, 2), pick=PICK)
    def rival_delivery(self, skipped: int, pick: int) -> None:
        payment_id, session_id, _ = self.news[pick % len(self.news)]
        event = event_of(payment_id, session_id=session_id, id=f"evt_rival_{pick}")

        def deliver(_commit: Commit) -> None:
            with suppress(PaylinkError, CrashError):
                self.world.notify(event)

        self.interrupt(skipped, deliver)

    @rule(skipped=st.integers(0, 2), what=st.sampled_from(["open", "sweep", "cancel", "pay"]))
    def rival(self, skipped: int, what: str) -> None:
        def act(commit: Commit) -> None:
            payment_id = commit.payment.id
            with suppress(PaylinkError, CrashError):
                if what == "open" and payment_id in self.world.memory.payments:
                    self.world.open(payment_id)
                elif what == "sweep":
                    self.world.sweep()
                elif what == "cancel":
                    self.world.cancel(payment_id)
                else:
                    for live in self.recorded_and_open(payment_id):
                        self.world.provider.pay(live)
                        self.happened(payment_id, live)

        self.interrupt(skipped, act)

    @rule(what=st.sampled_from(["pay", "decline", "debit", "ask_for_3ds"]), pick=PICK)
    def rival_while_the_provider_answers(self, what: str, pick: int) -> None:
        """A buyer acts, and it is heard of, between the provider's answer and our use of it."""

        def act() -> None:
            for payment_id, session_id in self.checkouts(pick, "open"):
                getattr(self.world.provider, what)(session_id)
                with suppress(PaylinkError, CrashError):
                    self.world.hear(payment_id, session_id)
                self.happened(payment_id, session_id)

        self.world.provider.interrupt("fetch_checkout", act)

    # What must hold.

    @invariant()
    def success_is_never_undone(self) -> None:
        for payment_id, before in self.succeeded.items():
            now = self.world.payment(payment_id)
            assert now.status == "succeeded"
            assert (now.settlement, now.amount_total) == (before.settlement, before.amount_total)
            assert now.failure_code is None
            assert now.cancellation_reason is None
        for payment in self.world.memory.payments.values():
            if payment.status == "succeeded":
                self.succeeded.setdefault(payment.id, payment)

    @invariant()
    def subtotal_and_tax_are_the_total_everywhere(self) -> None:
        memory = self.world.memory
        for event in (e for e in memory.events if "paymentId" in e.data):
            assert event.data["amountSubtotal"] + event.data["taxAmount"] == event.data["amount"]
        for invoice in memory.invoices.values():
            payment = self.world.payment(invoice.payment_id)
            assert payment.status == "succeeded"
            assert payment.invoice_id == invoice.id
            assert (invoice.amount_subtotal, invoice.tax_amount, invoice.amount_total) == (
                payment.amount_subtotal,
                payment.tax_amount,
                payment.amount_total,
            )

    @invariant()
    def there_is_one_invoice_per_paid_payment_and_their_numbers_have_no_gap(self) -> None:
        invoices = self.world.memory.invoices.values()
        assert len({invoice.payment_id for invoice in invoices}) == len(invoices)
        by_year = Counter(invoice.number[:8] for invoice in invoices)
        expected = {
            f"{year}-{n:06}" for year, count in by_year.items() for n in range(1, count + 1)
        }
        assert {invoice.number for invoice in invoices} == expected

    @invariant()
    def each_transition_has_exactly_one_event(self) -> None:
        for payment in self.world.memory.payments.values():
            told = Counter(e.type for e in self.world.memory.events_about(payment.id))
            for later in (
                events.INVOICE_ISSUED,
                events.CREDIT_NOTE_ISSUED,
                events.CREDIT_NOTE_VOIDED,
                events.PAYMENT_REFUNDED,
                events.PAYMENT_REFUND_FAILED,
                events.PAYMENT_DISPUTED,
                events.PAYMENT_DISPUTE_RESOLVED,
            ):
                told.pop(later, None)
            moves = Counter(f"payment.{entry.status}" for entry in payment.history)
            moves[events.PAYMENT_CREATED] = moves.pop("payment.pending", 0)
            assert told == +moves
        assert len({e.id for e in self.world.memory.events}) == len(self.world.memory.events)

    @invariant()
    def only_moves_of_the_table_were_made(self) -> None:
        for payment in self.world.memory.payments.values():
            status: Status = "pending"
            for entry in payment.history:
                possible = {*TRANSITIONS[status].values(), "canceled"}
                assert entry.status in possible | ({"pending"} if status == "pending" else set())
                status = entry.status
            assert status == payment.status

    @invariant()
    def a_payment_has_one_live_checkout_at_most_and_takes_money_once(self) -> None:
        provider = self.world.provider
        for payment in self.world.memory.payments.values():
            live = provider.live(payment.id)
            assert len(live) <= 1
            recorded = [s for s in payment.sessions if s.id is not None and not s.ended]
            assert len(recorded) <= 1
            assert [s.generation for s in payment.sessions] == [
                n + 1 for n in range(len(payment.sessions))
            ]
            if payment.status in {"succeeded", "canceled"}:
                assert not self.recorded_and_open(payment.id)
            paid = [
                c
                for c in provider.checkouts.values()
                if c.payment_id == payment.id and c.outcome == "paid"
            ]
            assert len(paid) <= 1

    @invariant()
    def a_charge_takes_money_once_and_a_finished_one_leaves_nothing_open(self) -> None:
        provider = self.world.provider
        for payment in self.charged():
            mine = [i.state for i in provider.intents.values() if i.state.payment_id == payment.id]
            assert sum(state.outcome in {"paid", "processing"} for state in mine) <= 1
            if payment.status in {"failed", "succeeded"}:
                assert all(state.status != "open" for state in mine)

    @invariant()
    def never_more_goes_back_than_came_and_each_refund_is_told_of_once(self) -> None:
        memory = self.world.memory
        told = [e for e in memory.events if e.type == events.PAYMENT_REFUNDED]
        ids = [event.data["refundId"] for event in told]
        assert len(set(ids)) == len(ids)
        failed = Counter(
            e.data["refundId"] for e in memory.events if e.type == events.PAYMENT_REFUND_FAILED
        )
        known = [r for payment in memory.payments.values() for r in payment.refunds]
        assert failed == Counter(r.id for r in known if r.id in ids and not r.counts)
        for payment in memory.payments.values():
            assert 0 <= payment.amount_refunded <= payment.amount_total
            assert payment.amount_refunded == sum(r.amount for r in payment.refunds if r.counts)
            assert {r.id for r in payment.refunds if r.counts} <= set(ids)
            settlement = payment.settlement
            if settlement is not None:
                full = payment.amount_refunded == payment.amount_total
                paid = memory.transactions[settlement.transaction_id]
                taken = {d.status for d in payment.disputes} & {"open", "lost"}
                expected = "refunded" if full else "succeeded"
                assert paid.status == ("disputed" if taken else expected)
        for transaction_id, amount, seed in self.refunds:
            made = [
                r
                for r in self.world.provider.refunds.values()
                if r.state.refund_id == refund_id_of(transaction_id, amount, seed)
            ]
            assert len(made) <= 1

    @invariant()
    def a_credit_note_is_of_one_refund_that_took_effect_and_void_once_it_failed(self) -> None:
        memory = self.world.memory
        notes = list(memory.credit_notes.values())
        assert len({note.refund_id for note in notes}) == len(notes)
        by_year = Counter(note.number[:7] for note in notes)
        expected = {
            f"{year}-{n:06}" for year, count in by_year.items() for n in range(1, count + 1)
        }
        assert {note.number for note in notes} == expected
        told = [e.data["refundId"] for e in memory.events if e.type == events.PAYMENT_REFUNDED]
        assert {note.refund_id for note in notes} <= set(told)
        for note in notes:
            refunds = {r.id: r for r in creditable(self.world.payment(note.payment_id))}
            assert note.status == "issued" or not refunds[note.refund_id].counts
            assert note.amount_subtotal + note.tax_amount == note.amount_total > 0
            assert sum(line.amount for line in note.tax_lines) == note.tax_amount
        for kind, those in (
            (events.CREDIT_NOTE_ISSUED, notes),
            (events.CREDIT_NOTE_VOIDED, [note for note in notes if note.status == "void"]),
        ):
            told = [e.data["creditNoteId"] for e in memory.events if e.type == kind]
            assert Counter(told) == Counter(note.id for note in those)

    @invariant()
    def whoever_may_bring_money_is_looked_after(self) -> None:
        for payment in self.world.memory.payments.values():
            waiting = {"processing", *(PAYABLE if payment.kind == "link" else {"pending"})}
            if payment.status in waiting:
                assert payment.due_at is not None
            elif payment.status == "succeeded":
                assert payment.due_at is None

    @invariant()
    def each_dispute_and_its_outcome_are_told_of_once(self) -> None:
        memory = self.world.memory
        opened = Counter(
            e.data["disputeId"] for e in memory.events if e.type == events.PAYMENT_DISPUTED
        )
        outcomes = {
            (e.data["disputeId"], e.data["outcome"]): e
            for e in memory.events
            if e.type == events.PAYMENT_DISPUTE_RESOLVED
        }
        assert len(outcomes) == sum(
            1 for e in memory.events if e.type == events.PAYMENT_DISPUTE_RESOLVED
        )
        known = [d for payment in memory.payments.values() for d in payment.disputes]
        assert opened == Counter(d.id for d in known)
        assert set(outcomes) == {(d.id, d.status) for d in known if d.status != "open"}
        for transaction in memory.transactions.values():
            assert 0 <= transaction.amount_lost <= transaction.amount_total
            lost = [d for d in known if (d.transaction_id, d.status) == (transaction.id, "lost")]
            assert transaction.amount_lost == sum(d.amount for d in lost)

    @invariant()
    def a_request_makes_one_payment(self) -> None:
        living = Counter(r.payment_id for r in self.world.memory.records.values())
        assert all(count == 1 for count in living.values())

    def teardown(self) -> None:
        """Once all news have come, or all that was due was looked at, each payment is where its
        money is, and has its invoice."""
        world = self.world
        world.payments.interruptions.clear()
        world.provider.forget_failures()
        if self.deaf:
            self.look_until_nothing_is_due()
            self.hear_what_was_not_delivered()
        for payment in list(world.memory.payments.values()):
            if payment.kind == "charge":
                self.finish_charge(payment)
            elif not self.deaf:
                for session in payment.sessions:
                    if session.id is not None:
                        world.hear(payment.id, session.id)
            paid = world.provider.taken(payment.id) + world.provider.charged(payment.id)
            payment = world.payment(payment.id)  # noqa: PLW2901
            assert (payment.status == "succeeded") == (paid > 0)
            checkouts = world.provider.checkouts.values()
            mine = {c.outcome for c in checkouts if c.payment_id == payment.id}
            intents = world.provider.intents.values()
            mine |= {i.state.outcome for i in intents if i.state.payment_id == payment.id}
            assert paid or (payment.status == "processing") == ("processing" in mine)
            if paid:
                world.issue(payment.id)
                world.issue(payment.id)
                assert payment.amount_total == paid
            came = {"succeeded", "refunded", "disputed"}
            recorded = [t for t in world.memory.transactions.values() if t.status in came]
            settlement = payment.settlement
            if settlement is not None:
                if not self.deaf:
                    self.hear_of_all_disputes(settlement.payment_intent_id)
                refunded = {r.intent_id for r in world.provider.refunds.values()}
                if settlement.payment_intent_id in refunded and not self.deaf:
                    world.hear_refunds(settlement.payment_intent_id)
                assert world.payment(payment.id).amount_refunded == (
                    world.provider.returned(settlement.payment_intent_id)
                )
                self.expect_credit_notes(payment.id)
            assert sum(t.amount_total for t in recorded if t.payment_id == payment.id) == paid
        self.success_is_never_undone()
        self.subtotal_and_tax_are_the_total_everywhere()
        self.there_is_one_invoice_per_paid_payment_and_their_numbers_have_no_gap()
        self.each_transition_has_exactly_one_event()
        self.never_more_goes_back_than_came_and_each_refund_is_told_of_once()
        self.a_credit_note_is_of_one_refund_that_took_effect_and_void_once_it_failed()
        self.each_dispute_and_its_outcome_are_told_of_once()
        assert {i.payment_id for i in world.memory.invoices.values()} == {
            p.id for p in world.memory.payments.values() if p.status == "succeeded"
        }

    def expect_credit_notes(self, payment_id: str) -> None:
        """Once every announcement was consumed, what stands is what went back, split exactly."""
        world = self.world
        for _ in range(2):
            notes = world.credit_notes_of(payment_id)
        payment = world.payment(payment_id)
        standing = [note for note in notes if note.status == "issued"]
        assert {note.refund_id for note in standing} == {
            refund.id for refund in creditable(payment) if refund.counts
        }
        assert sum(note.amount_total for note in standing) == payment.amount_refunded
        if payment.amount_refunded == payment.amount_total:
            assert sum(note.amount_subtotal for note in standing) == payment.amount_subtotal
            assert sum(note.tax_amount for note in standing) == payment.tax_amount

    # Helpers.

    def due(self) -> list[datetime]:
        """When the sweep has something to do; what a bank has to answer it asks daily for ever."""
        payments = self.world.memory.payments.values()
        waiting = [p for p in payments if not (p.status == "processing" and p.checks)]
        return [payment.due_at for payment in waiting if payment.due_at is not None]

    def look_until_nothing_is_due(self) -> None:
        self.world.clock.advance(hours=24)  # what was processing is asked for once more
        self.world.sweep()
        for _ in range(400):
            if not self.due():
                return
            self.look_at_what_is_due()
        raise AssertionError(self.due())

    def hear_what_was_not_delivered(self) -> None:
        world = self.world
        now = world.clock()
        world.memory.heard[ORGANIZATION, MODE] = now - timedelta(hours=1)
        for refund in world.provider.refunds.values():
            event = world.refund_event(refund.intent_id)
            world.provider.undelivered.append(replace(event, at=now))
        heard = world.hear_undelivered()
        assert (heard.accounts, heard.waiting, heard.failed) == (1, 0, 0)

    def a_payment(self, pick: int) -> Payment:
        payments = list(self.world.memory.payments.values())
        return payments[pick % len(payments)]

    def recorded_and_open(self, payment_id: str) -> list[str]:
        """The checkouts that a buyer can have been led to, and still pay at."""
        payment = self.world.memory.payments.get(payment_id)
        known = {session.id for session in payment.sessions} if payment else set()
        return [live for live in self.world.provider.live(payment_id) if live in known]

    def paid_transactions(self) -> list[Transaction]:
        transactions = self.world.memory.transactions.values()
        return [t for t in transactions if t.status in {"succeeded", "refunded", "disputed"}]

    def undecided(self) -> list[str]:
        """Disputes and inquiries that are open at the provider."""
        made = self.world.provider.disputes.items()
        return [name for name, d in made if d.state.status in {"open", "inquiry"}]

    def hear_of_all_disputes(self, intent_id: str) -> None:
        """After that, what the provider says of a payment intent's dispute is what we say."""
        disputes = self.world.provider.disputes.values()
        made = {d.state.provider_id: d for d in disputes if d.intent_id == intent_id}
        if made:
            self.world.hear_disputes(intent_id)
        stand = {name: d.state.status for name, d in made.items() if d.state.status != "inquiry"}
        known = [d for p in self.world.memory.payments.values() for d in p.disputes]
        assert {d.id: d.status for d in known if d.id in made} == stand

    def vaulted(self) -> list[str]:
        """Customers who can be charged."""
        customers = self.world.memory.customers.values()
        return [c.id for c in customers if c.default_payment_method is not None]

    def charged(self) -> list[Payment]:
        return [p for p in self.world.memory.payments.values() if p.kind == "charge"]

    def hear_charge(self, intent_id: str) -> None:
        state = self.world.provider.intents[intent_id].state
        self.world.hear_charge(state.payment_id, intent_id)

    def finish_charge(self, payment: Payment) -> None:
        """All news come at last; then nothing is open, and what is pending was never asked for."""
        mine = {k: i.state for k, i in self.world.provider.intents.items()
                if i.state.payment_id == payment.id}  # fmt: skip
        for intent_id in mine if not self.deaf else ():
            self.hear_charge(intent_id)
        status = self.world.payment(payment.id).status
        assert status != "pending" if mine or self.deaf else status in {"pending", "failed"}
        assert not set(mine) & set(self.world.provider.open_intents())

    def checkouts(
        self, pick: int, status: str, outcome: str | None = None
    ) -> list[tuple[str, str]]:
        """One checkout, if any, that stands so at the provider and that a buyer was led to."""
        found = [
            (payment.id, session.id)
            for payment in self.world.memory.payments.values()
            for session in payment.sessions
            if session.id is not None
            and payment.kind == "link"
            and (status != "open" or session.id in self.recorded_and_open(payment.id))
            and self.world.provider.checkouts[session.id].status == status
            and outcome in {None, self.world.provider.checkouts[session.id].outcome}
        ]
        return [found[pick % len(found)]] if found else []

    def happened(self, payment_id: str, session_id: str) -> None:
        self.told += 1
        self.news.append((payment_id, session_id, f"evt_{self.told}"))

    def interrupt(self, skipped: int, action: Callable[[Commit], None]) -> None:
        interruptions = self.world.payments.interruptions
        interruptions += [self.nothing] * skipped + [action]

    @staticmethod
    def nothing(_commit: Commit) -> None:
        return

    @staticmethod
    def end_in_the_middle(_commit: Commit) -> None:
        raise CrashError


def refund_id_of(transaction_id: str, amount: int | None, seed: str) -> str:
    """The refund that a request under a key is about."""
    return derived_id("ref", transaction_id, seed, "" if amount is None else str(amount))


TestPayments = Payments.TestCase
TestPayments.settings = settings(max_examples=300, stateful_step_count=50)
