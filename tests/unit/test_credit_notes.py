"""Credit notes: one per refund that counts, whose parts add up to the invoice they take back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain import events
from paylink.domain.credit_note import CreditNote, credit, credit_note_id_for, creditable
from paylink.domain.errors import UnknownInvoiceError, UnknownPaymentError
from paylink.domain.invoice import Invoice
from paylink.domain.organization import Address
from paylink.domain.payment import LineItem, Payment, Refund
from paylink.domain.tax import TaxLine
from tests.unit.fakes import BUYER, START
from tests.unit.world import MODE, ORGANIZATION, SELLER, World


def invoice_of(subtotal: int, taxes: tuple[int, ...], currency: str = "eur") -> Invoice:
    return Invoice(
        id="inv_1",
        number="INV-2026-000042",
        organization_id=ORGANIZATION,
        mode=MODE,
        payment_id="pay_1",
        transaction_id="txn_1",
        status="paid",
        currency=currency,
        amount_subtotal=subtotal,
        tax_amount=sum(taxes),
        line_items=(LineItem("Consulting", subtotal),),
        tax_lines=tuple(TaxLine("VAT", "19", subtotal, tax) for tax in taxes),
        seller=SELLER,
        buyer=BUYER,
        issued_at=START,
        paid_at=START,
        language="de-AT",
    )


def refund_of(amount: int, number: int = 1) -> Refund:
    return Refund(f"ref_{number}", "txn_1", amount, "succeeded", START, f"re_{number}")


def credited(invoice: Invoice, amounts: list[int]) -> list[CreditNote]:
    notes: list[CreditNote] = []
    for number, amount in enumerate(amounts, 1):
        notes.append(credit(refund_of(amount, number), invoice, notes, 2026, number, START))
    return notes


def check_parts(invoice: Invoice, note: CreditNote) -> None:
    assert note.amount_subtotal >= 0
    assert note.tax_amount >= 0
    assert [item.unit_amount for item in note.line_items] == [note.amount_subtotal]
    assert len(note.tax_lines) == len(invoice.tax_lines)
    assert all(line.amount >= 0 and line.taxable_amount >= 0 for line in note.tax_lines)
    assert sum(line.amount for line in note.tax_lines) == note.tax_amount


def check_whole(invoice: Invoice, notes: list[CreditNote]) -> None:
    """Together they are the invoice, line by line."""
    assert sum(note.amount_subtotal for note in notes) == invoice.amount_subtotal
    assert sum(note.tax_amount for note in notes) == invoice.tax_amount
    for position, line in enumerate(invoice.tax_lines):
        assert sum(n.tax_lines[position].amount for n in notes) == line.amount
        assert sum(n.tax_lines[position].taxable_amount for n in notes) == line.taxable_amount


invoices = st.builds(
    invoice_of,
    st.integers(1, 100_000),
    st.lists(st.integers(0, 20_000), max_size=3).map(tuple),
)


@given(invoice=invoices, data=st.data())
def test_parts_of_a_full_refund_are_the_invoice(invoice: Invoice, data: st.DataObject) -> None:
    total = invoice.amount_total
    cuts = sorted(data.draw(st.sets(st.integers(1, total), max_size=6)) | {total})
    amounts = [end - start for start, end in zip([0, *cuts], cuts, strict=False)]
    notes = credited(invoice, amounts)
    for note, amount in zip(notes, amounts, strict=True):
        check_parts(invoice, note)
        assert note.amount_total == amount
    check_whole(invoice, notes)
    assert [note.in_full for note in notes] == [cut == total for cut in cuts]


@given(invoice=invoices, data=st.data())
def test_parts_add_up_whichever_note_became_void(invoice: Invoice, data: st.DataObject) -> None:
    standing: list[CreditNote] = []
    for number in range(1, 8):
        left = invoice.amount_total - sum(note.amount_total for note in standing)
        if left == 0:
            break
        amount = data.draw(st.integers(1, left))
        note = credit(refund_of(amount, number), invoice, standing, 2026, number, START)
        check_parts(invoice, note)
        standing.append(note)
        if data.draw(st.booleans()):
            del standing[data.draw(st.integers(0, len(standing) - 1))]
    left = invoice.amount_total - sum(note.amount_total for note in standing)
    if left:
        standing.append(credit(refund_of(left, 9), invoice, standing, 2026, 9, START))
        check_parts(invoice, standing[-1])
    check_whole(invoice, standing)


def test_tax_of_a_part_is_its_share_of_all_that_went_back() -> None:
    notes = credited(invoice_of(4900, (931,)), [300, 200, 500, 4831])
    # 931 / 5831 of 300, of 500, of 1000 and of all, each less what was credited before.
    assert [note.tax_amount for note in notes] == [48, 32, 80, 771]
    assert [note.number for note in notes] == [f"CN-2026-{n:06d}" for n in (1, 2, 3, 4)]


def test_of_several_taxes_the_largest_remainder_gets_the_unit_that_is_left() -> None:
    # 4 of 6 are 3 1/3 of 5 and 2/3 of 1.
    (note,) = credited(invoice_of(6, (5, 1)), [8])
    assert [line.amount for line in note.tax_lines] == [3, 1]
    # Of equal ones the first.
    (note,) = credited(invoice_of(8, (2, 2)), [3])
    assert [line.amount for line in note.tax_lines] == [1, 0]


def test_tax_is_never_more_than_what_went_back() -> None:
    invoice = invoice_of(10, (10,))
    notes = credited(invoice, [1, 1, 1, 1])
    assert [note.tax_amount for note in notes] == [1, 0, 1, 0]
    left = [notes[1], notes[3]]
    fifth = credit(refund_of(1, 5), invoice, left, 2026, 5, START)
    assert (fifth.amount_subtotal, fifth.tax_amount) == (0, 1)


def test_tax_stays_payable_in_a_currency_of_whole_units() -> None:
    notes = credited(invoice_of(10_000, (1_900,), "isk"), [3_300, 8_600])
    assert [note.tax_amount for note in notes] == [500, 1_400]


@pytest.mark.parametrize(("tax", "parts"), [(1_949, [1_000, 900, 49]), (1_980, [1_000, 980, 0])])
def test_a_full_refund_takes_back_the_whole_tax_even_if_it_was_no_payable_amount(
    tax: int, parts: list[int]
) -> None:
    invoice = invoice_of(10_000, (tax,), "isk")
    notes = credited(invoice, [6_000, invoice.amount_total - 6_100, 100])
    for note in notes:
        check_parts(invoice, note)
    check_whole(invoice, notes)
    assert [note.tax_amount for note in notes] == parts


def test_a_refund_that_did_not_happen_has_no_credit_note() -> None:
    failed = replace(refund_of(100), status="failed")
    with pytest.raises(ValueError, match="no money went back"):
        credit(failed, invoice_of(4900, (931,)), [], 2026, 1, START)


# -- issuing


def refunded(world: World, *amounts: int) -> str:
    """A paid payment of 1200 with its invoice and refunds of these amounts."""
    payment_id = world.paid()
    world.issue(payment_id)
    for amount in amounts:
        world.refund(world.transaction(payment_id).id, amount)
    return payment_id


def fail(world: World, payment_id: str, refund: Refund) -> None:
    world.provider.end_refund(refund.provider_id or "", "failed")
    world.hear_refunds(world.transaction(payment_id).payment_intent_id or "", payment_id)


def standing(world: World, payment: Payment) -> int:
    return sum(
        note.amount_total
        for note in world.memory.credit_notes.values()
        if note.payment_id == payment.id and note.status == "issued"
    )


def test_a_credit_note_is_a_snapshot_of_what_went_back(world: World) -> None:
    payment_id = refunded(world, 600)
    invoice = world.invoices.get(world.payment(payment_id).invoice_id or "")
    assert invoice is not None
    world.organizations.put(replace(SELLER, name="Renamed", address=Address("AT")))
    (note,) = world.credit_notes_of(payment_id)
    (refund,) = world.payment(payment_id).refunds
    assert (note.id, note.refund_id) == (credit_note_id_for(refund.id), refund.id)
    assert (note.number, note.status) == ("CN-2026-000001", "issued")
    assert (note.amount_subtotal, note.tax_amount, note.amount_total) == (500, 100, 600)
    assert (note.seller, note.buyer) == (SELLER, BUYER)
    assert (note.invoice_id, note.invoice_number) == (invoice.id, invoice.number)
    assert (note.language, note.payment_method) == (invoice.language, invoice.payment_method)
    assert (note.in_full, note.currency) == (False, "eur")
    assert world.memory.credit_notes[note.id] == note
    assert world.store.documents[note.document_key] == b"CN-2026-000001"


def test_an_announcement_that_comes_again_takes_no_second_number(world: World) -> None:
    payment_id = refunded(world, 300)
    for _ in range(3):
        world.credit_notes_of(payment_id)
    world.refund(world.transaction(payment_id).id)
    for _ in range(2):
        numbers = [note.number for note in world.credit_notes_of(payment_id)]
        assert numbers == ["CN-2026-000001", "CN-2026-000002"]
    assert [note.in_full for note in world.credit_notes_of(payment_id)] == [False, True]
    assert standing(world, world.payment(payment_id)) == 1200


def test_one_event_catches_up_with_all_refunds(world: World) -> None:
    payment_id = refunded(world, 100, 200, 300)
    assert [n.amount_total for n in world.credit_notes_of(payment_id)] == [100, 200, 300]


def test_a_payment_without_refunds_has_none(world: World) -> None:
    assert world.credit_notes_of(refunded(world)) == []
    with pytest.raises(UnknownPaymentError):
        world.credit_notes_of("pay_unknown")


def test_without_the_invoice_it_is_tried_again_later(world: World) -> None:
    payment_id = world.paid()
    world.refund(world.transaction(payment_id).id)
    with pytest.raises(UnknownInvoiceError):
        world.credit_notes_of(payment_id)
    assert world.memory.credit_note_numbers == {}


def test_a_refund_that_fails_later_makes_its_note_void(world: World) -> None:
    payment_id = refunded(world, 500)
    (issued,) = world.credit_notes_of(payment_id)
    (refund,) = world.payment(payment_id).refunds
    fail(world, payment_id, refund)
    told = world.memory.events_about(payment_id)[-1]
    assert (told.type, told.data["refundId"]) == (events.PAYMENT_REFUND_FAILED, refund.id)
    documents = dict(world.store.documents)
    for _ in range(2):
        (void,) = world.credit_notes_of(payment_id)
        assert (void.status, void.number) == ("void", issued.number)
        assert void.voided_at is not None
    assert world.store.documents == documents
    world.refund(world.transaction(payment_id).id)
    notes = world.credit_notes_of(payment_id)
    assert [(n.number, n.status, n.amount_total) for n in notes] == [
        ("CN-2026-000001", "void", 500),
        ("CN-2026-000002", "issued", 1200),
    ]


def test_a_refund_that_failed_before_has_no_note_and_uses_no_number(world: World) -> None:
    payment_id = refunded(world, 500)
    (refund,) = world.payment(payment_id).refunds
    fail(world, payment_id, refund)
    assert world.credit_notes_of(payment_id) == []
    assert world.memory.credit_note_numbers == {}


def test_a_pdf_that_failed_is_filled_in_under_the_same_number(world: World) -> None:
    payment_id = refunded(world, 300, 400)
    world.store.failures = 1
    with pytest.raises(ConnectionError):
        world.credit_notes_of(payment_id)
    assert len(world.memory.credit_notes) == 2
    assert [n.number for n in world.credit_notes_of(payment_id)] == [
        "CN-2026-000001",
        "CN-2026-000002",
    ]
    assert all(world.store.has(note.document_key) for note in world.memory.credit_notes.values())


def test_many_at_once_get_consecutive_numbers_and_each_refund_one(world: World) -> None:
    payments = [refunded(world, 500, 700) for _ in range(5)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(world.credit_notes_of, payments * 3))
    notes = world.memory.credit_notes.values()
    assert sorted(note.number for note in notes) == [f"CN-2026-{n:06d}" for n in range(1, 11)]
    for payment_id in payments:
        payment = world.payment(payment_id)
        assert standing(world, payment) == payment.amount_total
        mine = [note for note in notes if note.payment_id == payment_id]
        assert sum(note.tax_amount for note in mine) == payment.tax_amount


def test_its_year_is_the_sellers(world: World) -> None:
    payment_id = refunded(world, 500)
    world.clock.now = START.replace(month=12, day=31, hour=23, minute=30)
    (note,) = world.credit_notes_of(payment_id)
    assert note.number == "CN-2027-000001"
    assert note.issue_date.year == 2027


def test_only_refunds_of_what_paid_the_payment_are_credited(world: World) -> None:
    payment_id = world.paid()
    world.refund(world.transaction(payment_id).id, 300)
    payment = world.payment(payment_id)
    (mine,) = payment.refunds
    older = replace(mine, id="ref_older", created_at=START - timedelta(days=1))
    surplus = replace(mine, id="ref_surplus", transaction_id="txn_surplus")
    assert creditable(replace(payment, refunds=(mine, surplus, older))) == [older, mine]
    assert creditable(world.payment(world.new_payment())) == []
