"""Invoices: one per paid payment, with consecutive numbers, whatever happens in between."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from paylink.domain import events
from paylink.domain.customer import Buyer, PaymentMethod
from paylink.domain.errors import PaylinkError, UnknownPaymentError
from paylink.domain.invoice import (
    Invoice,
    format_number,
    invoice_id_for,
    issue,
    series_year,
)
from paylink.domain.organization import Address, Mode, Organization
from paylink.ports import MOST_NUMBERS, IssuedInvoice
from paylink.services.issue_invoice import issue_invoice, number_invoices
from paylink.services.settle_payment import settle_payment
from tests.unit.fakes import BUYER, START, Memory, MemoryInvoices
from tests.unit.world import MODE, ORGANIZATION, SELLER, World, a_payment, payment_id_in


def test_an_invoice_is_a_snapshot_of_what_was_sold_to_whom(world: World) -> None:
    payment_id = world.paid(amount=1000, metadata={"order": "7"})
    invoice = world.issue(payment_id)
    payment = world.payment(payment_id)
    assert payment.invoice_id == invoice.id == invoice_id_for(payment_id)
    assert invoice.number == "INV-2026-000001"
    assert (invoice.amount_subtotal, invoice.tax_amount, invoice.amount_total) == (1000, 200, 1200)
    assert invoice.line_items == payment.line_items
    assert [line.amount for line in invoice.tax_lines] == [200]
    assert (invoice.seller, invoice.buyer) == (SELLER, BUYER)
    assert invoice.payment_method == "Visa •••• 4242"
    assert invoice.metadata == {"order": "7"}
    world.organizations.put(replace(SELLER, name="Renamed"))
    assert world.issue(payment_id).seller.name == SELLER.name


def test_its_event_tells_the_number_and_what_was_paid(world: World) -> None:
    payment_id = world.paid()
    invoice = world.issue(payment_id)
    (event,) = [e for e in world.memory.events if e.type == events.INVOICE_ISSUED]
    assert event.data["invoiceNumber"] == invoice.number
    assert event.data["invoiceId"] == invoice.id
    assert event.data["paymentTransactionId"] in world.memory.transactions
    assert (event.data["amount"], event.data["paymentMethod"]) == (1200, "card")


def test_an_announcement_that_comes_again_takes_no_second_number(world: World) -> None:
    first = world.paid()
    for _ in range(3):
        assert world.issue(first).number == "INV-2026-000001"
    assert world.issue(world.paid()).number == "INV-2026-000002"
    assert len(world.memory.invoices) == 2
    assert sum(e.type == events.INVOICE_ISSUED for e in world.memory.events) == 2


def test_a_pdf_that_failed_is_filled_in_under_the_same_number(world: World) -> None:
    payment_id = world.paid()
    world.store.failures = 1
    with pytest.raises(ConnectionError):
        world.issue(payment_id)
    assert world.payment(payment_id).invoice_id is not None
    assert world.store.documents == {}
    invoice = world.issue(payment_id)
    assert invoice.number == "INV-2026-000001"
    assert world.store.documents == {invoice.document_key: b"INV-2026-000001"}
    assert invoice.document_key == f"{ORGANIZATION}/sandbox/{invoice.id}.pdf"
    assert world.invoices.get(invoice.id) == invoice
    assert world.memory.numbers == {(ORGANIZATION, "sandbox", 2026): 1}


def test_a_pdf_is_made_once(world: World) -> None:
    payment_id = world.paid()
    made: list[str] = []

    def render(invoice: Invoice) -> bytes:
        made.append(invoice.number)
        return b"a PDF"

    ports = replace(world.issue_ports, render=render)
    for _ in range(3):
        issue_invoice(payment_id, ports)
    assert made == ["INV-2026-000001"]


@pytest.mark.parametrize("what", ["pending", "failed", "processing", "canceled"])
def test_what_is_not_paid_gets_no_invoice_and_uses_no_number(world: World, what: str) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    if what == "failed":
        world.provider.decline(session)
    if what == "processing":
        world.provider.debit(session)
    if what == "canceled":
        world.sweep(days=31)
    else:
        world.hear(payment_id)
    assert world.payment(payment_id).status == what
    with pytest.raises(ValueError, match="only a paid payment"):
        world.issue(payment_id)
    assert world.memory.invoices == {}
    assert world.memory.numbers == {}


def test_an_unknown_payment_or_seller_is_tried_again_later(world: World) -> None:
    with pytest.raises(UnknownPaymentError):
        world.issue("pay_unknown")
    payment_id = world.paid()
    world.memory.organizations.clear()
    with pytest.raises(PaylinkError):
        world.issue(payment_id)
    assert world.memory.numbers == {}


def test_many_at_once_get_consecutive_numbers_and_each_payment_one(world: World) -> None:
    paid = [world.paid() for _ in range(12)]
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda p: world.issue(p).number, paid * 3))
    assert sorted(set(numbers)) == [format_number("INV", 2026, n) for n in range(1, 13)]
    assert numbers[:12] == numbers[12:24] == numbers[24:]
    assert len(world.memory.invoices) == 12
    assert sum(e.type == events.INVOICE_ISSUED for e in world.memory.events) == 12


def test_payments_of_one_batch_are_numbered_in_one_write_in_their_order(world: World) -> None:
    paid = [world.paid() for _ in range(10)]
    world.invoices = Counted(world.memory)
    invoices = world.issue_together(paid)
    assert [i.number for i in invoices] == [format_number("INV", 2026, n) for n in range(1, 11)]
    assert [i.payment_id for i in invoices] == paid
    assert world.invoices.writes == [10]
    assert len(world.store.documents) == 10
    told = [e.data["invoiceNumber"] for e in world.memory.events if e.type == events.INVOICE_ISSUED]
    assert told == [i.number for i in invoices]


def test_a_batch_may_be_larger_than_a_write(world: World) -> None:
    paid = [world.paid() for _ in range(MOST_NUMBERS + 3)]
    world.invoices = Counted(world.memory)
    numbers = [invoice.number for invoice in world.issue_together(paid)]
    assert numbers == [format_number("INV", 2026, n) for n in range(1, MOST_NUMBERS + 4)]
    assert world.invoices.writes == [MOST_NUMBERS, 3]


def test_one_bad_payment_holds_up_no_other_of_its_batch(world: World) -> None:
    good = [world.paid(), world.paid()]
    unpaid = world.new_payment()
    numbered = number_invoices([good[0], "pay_unknown", unpaid, good[1]], world.issue_ports)
    assert [numbered[p].invoice.number for p in good] == ["INV-2026-000001", "INV-2026-000002"]
    assert set(numbered) == set(good)
    for bad, why in (("pay_unknown", UnknownPaymentError), (unpaid, ValueError)):
        with pytest.raises(why):
            world.issue(bad)
    assert world.memory.numbers == {(ORGANIZATION, MODE, 2026): 2}


def test_what_a_write_of_several_fails_for_is_told_one_by_one(world: World) -> None:
    good, poisonous = [world.paid(), world.paid()], world.paid()
    world.invoices = Refusing(world.memory, poisonous)
    batch = [good[0], poisonous, good[1]]
    assert number_invoices(batch, world.issue_ports) == {}
    with pytest.raises(OverflowError):
        world.issue(poisonous)
    assert [world.issue(p).number for p in good] == ["INV-2026-000001", "INV-2026-000002"]


def test_a_payment_twice_in_a_batch_or_issued_before_has_one_number(world: World) -> None:
    before, twice, last = world.paid(), world.paid(), world.paid()
    world.issue(before)
    numbers = [i.number for i in world.issue_together([twice, before, twice, last])]
    assert numbers == [
        "INV-2026-000002",
        "INV-2026-000001",
        "INV-2026-000002",
        "INV-2026-000003",
    ]
    assert len(world.memory.invoices) == 3


def test_batches_side_by_side_that_share_payments_leave_no_gap(world: World) -> None:
    paid = [world.paid() for _ in range(30)]
    batches = [paid[at : at + 10] for at in (0, 5, 10, 15, 20)] * 2
    with ThreadPoolExecutor(8) as pool:
        issued = [invoice for batch in pool.map(world.issue_together, batches) for invoice in batch]
    assert {i.payment_id: i.number for i in issued} == {
        i.payment_id: i.number for i in world.memory.invoices.values()
    }
    numbers = sorted(i.number for i in world.memory.invoices.values())
    assert numbers == [format_number("INV", 2026, n) for n in range(1, 31)]
    assert sum(e.type == events.INVOICE_ISSUED for e in world.memory.events) == 30


class Counted(MemoryInvoices):
    """Notes how many invoices each write had."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.writes: list[int] = []

    def add(self, issued: Sequence[IssuedInvoice], year: int, first: int) -> None:
        self.writes.append(len(issued))
        super().add(issued, year, first)


class Refusing(MemoryInvoices):
    """One payment's invoice is nothing that the table can hold."""

    def __init__(self, memory: Memory, payment_id: str) -> None:
        super().__init__(memory)
        self._payment_id = payment_id

    def add(self, issued: Sequence[IssuedInvoice], year: int, first: int) -> None:
        if self._payment_id in {invoice.payment_id for invoice, _ in issued}:
            raise OverflowError(self._payment_id)
        super().add(issued, year, first)


class Contested(MemoryInvoices):
    """Somebody else gets in once, between the look at the number and the taking of it."""

    def __init__(self, memory: Memory, rival: Callable[[], object]) -> None:
        super().__init__(memory)
        self._rivals = [rival]

    def next_sequence(self, organization_id: str, mode: Mode, year: int) -> int:
        sequence = super().next_sequence(organization_id, mode, year)
        if self._rivals:
            self._rivals.pop()()
        return sequence


def test_who_loses_the_race_for_a_number_takes_the_next(world: World) -> None:
    mine, theirs = world.paid(), world.paid()
    world.invoices = Contested(world.memory, lambda: world.issue(theirs))
    assert world.issue(mine).number == "INV-2026-000002"
    assert world.issue(theirs).number == "INV-2026-000001"


def test_who_loses_the_race_for_a_payment_has_the_winners_invoice(world: World) -> None:
    payment_id = world.paid()
    won: list[Invoice] = []
    world.invoices = Contested(world.memory, lambda: won.append(world.issue(payment_id)))
    assert world.issue(payment_id).number == won[0].number == "INV-2026-000001"
    assert world.memory.numbers == {(ORGANIZATION, MODE, 2026): 1}
    assert sum(e.type == events.INVOICE_ISSUED for e in world.memory.events) == 1


@pytest.mark.parametrize(
    ("zone", "moment", "number"),
    [
        ("UTC", "2026-12-31T23:59:59Z", "INV-2026-000001"),
        ("UTC", "2027-01-01T00:00:00Z", "INV-2027-000001"),
        ("Europe/Berlin", "2026-12-31T22:59:59Z", "INV-2026-000001"),
        ("Europe/Berlin", "2026-12-31T23:00:00Z", "INV-2027-000001"),
        ("America/Los_Angeles", "2027-01-01T07:59:59Z", "INV-2026-000001"),
        ("Pacific/Kiritimati", "2026-12-31T10:00:00Z", "INV-2027-000001"),
    ],
)
def test_the_year_of_a_number_is_that_of_the_sellers_calendar(
    world: World, zone: str, moment: str, number: str
) -> None:
    world.organizations.put(replace(SELLER, time_zone=zone))
    payment_id = world.paid()
    world.clock.now = datetime.fromisoformat(moment)
    invoice = world.issue(payment_id)
    assert invoice.number == number
    assert invoice.issue_date.year == int(number[4:8])


def test_each_year_has_a_series_of_its_own(world: World) -> None:
    first, second, third = world.paid(), world.paid(), world.paid()
    assert world.issue(first).number == "INV-2026-000001"
    assert world.issue(second).number == "INV-2026-000002"
    world.clock.now = datetime(2027, 1, 1, tzinfo=UTC)
    assert world.issue(third).number == "INV-2027-000001"


def test_numbers_are_padded_and_never_cut() -> None:
    assert format_number("INV", 2026, 42) == "INV-2026-000042"
    assert format_number("INV", 2026, 1_234_567) == "INV-2026-1234567"


def test_another_sellers_numbers_do_not_count(world: World) -> None:
    other = Organization("org_2", "Other", time_zone="UTC")
    world.organizations.put(other)
    world.issue(world.paid())
    theirs = payment_id_in(world.create(organization=other))
    world.provider.pay(world.session(theirs))
    settle_payment(
        theirs,
        world.session(theirs),
        cause="evt",
        payments=world.payments,
        provider=world.provider,
        clock=world.clock,
    )
    assert world.issue(theirs).number == "INV-2026-000001"


def test_the_domain_refuses_to_invoice_what_is_not_settled() -> None:
    with pytest.raises(ValueError, match="pending"):
        issue(a_payment(), SELLER, 2026, 1, START)
    with pytest.raises(ValueError, match="succeeded"):
        issue(a_payment(status="succeeded"), SELLER, 2026, 1, START)


def test_the_year_is_the_same_wherever_the_clock_is_read() -> None:
    moment = datetime.fromisoformat("2027-01-01T00:30:00+01:00")
    assert series_year(SELLER, moment) == series_year(SELLER, moment.astimezone(UTC)) == 2027
    assert series_year(SELLER, moment - timedelta(hours=1)) == 2026


@pytest.mark.parametrize(
    ("method", "label"),
    [
        (PaymentMethod("k", "pm", "card", "visa", "4242"), "Visa •••• 4242"),
        (PaymentMethod("k", "pm", "sepa_debit", None, "3000"), "Sepa Debit •••• 3000"),
        (PaymentMethod("k", "pm", "paypal"), "Paypal"),
    ],
)
def test_a_payment_method_is_printed_as_people_know_it(method: PaymentMethod, label: str) -> None:
    assert method.label == label


def test_a_buyer_who_said_nothing_has_an_empty_address() -> None:
    assert Buyer().address == Address()


@pytest.mark.parametrize(("reads", "language"), [("it", "it-FR"), (None, "fr-FR")])
def test_an_invoice_is_in_the_language_that_its_buyer_reads_else_in_the_countrys(
    world: World, reads: str | None, language: str
) -> None:
    payment_id = world.new_payment()
    world.clock.advance(hours=25)
    world.open_with(payment_id, None, reads)
    world.provider.pay(world.session(payment_id))
    world.hear(payment_id)
    assert world.issue(payment_id).language == language
