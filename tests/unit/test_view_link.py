"""What a link shows in each state. Looking changes nothing and asks nobody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from paylink.domain.errors import PaymentNotFoundError
from paylink.domain.organization import Owner
from paylink.services.payments import read_payment
from paylink.services.view_link import Kind
from tests.unit.fakes import START
from tests.unit.world import ORGANIZATION, World


def declined(world: World, payment_id: str) -> None:
    world.provider.decline(world.session(payment_id))
    world.hear(payment_id)


def in_3ds(world: World, payment_id: str) -> None:
    world.provider.ask_for_3ds(world.session(payment_id))
    world.hear(payment_id)


def processing(world: World, payment_id: str) -> None:
    world.provider.debit(world.session(payment_id))
    world.hear(payment_id)


def bounced(world: World, payment_id: str) -> None:
    processing(world, payment_id)
    world.provider.bounce_debit(world.session(payment_id))
    world.hear(payment_id)


def paid(world: World, payment_id: str) -> None:
    world.provider.pay(world.session(payment_id))
    world.hear(payment_id)


def a_day_later(world: World, _payment_id: str) -> None:
    world.clock.advance(hours=25)


def at_its_end(world: World, _payment_id: str) -> None:
    world.clock.advance(days=30)


def swept(world: World, _payment_id: str) -> None:
    world.clock.advance(days=30)
    world.sweep()


def prepared_only(world: World, payment_id: str) -> None:
    payment = world.payment(payment_id)
    prepared = replace(payment.sessions[0], id=None, url=None)
    world.memory.payments[payment_id] = payment.with_session(prepared)


def nothing(_world: World, _payment_id: str) -> None:
    return


CASES: list[tuple[Callable[[World, str], None], Kind, bool]] = [
    (nothing, "checkout", True),
    (declined, "checkout", True),
    (in_3ds, "checkout", True),
    (prepared_only, "payable", True),
    (a_day_later, "payable", True),
    (bounced, "payable", True),
    (processing, "confirming", False),
    (paid, "receipt", False),
    (at_its_end, "ended", False),
    (swept, "ended", False),
]


@pytest.mark.parametrize(("happens", "kind", "can_pay"), CASES)
def test_each_state_has_its_page_and_looking_changes_nothing(
    world: World, happens: Callable[[World, str], None], kind: Kind, can_pay: bool
) -> None:
    payment_id = world.new_payment()
    happens(world, payment_id)
    payment, calls = world.payment(payment_id), len(world.provider.calls)
    view = world.view(payment_id)
    assert (view.kind, view.can_pay) == (kind, can_pay)
    assert (view.payment, view.seller.id) == (payment, ORGANIZATION)
    assert world.payment(payment_id) == payment
    assert len(world.provider.calls) == calls


def test_coming_back_without_having_paid_proves_nothing(world: World) -> None:
    payment_id = world.new_payment()
    view = world.view(payment_id, world.session(payment_id))
    assert view.kind == "confirming"
    assert view.can_pay
    assert world.payment(payment_id).status == "pending"


@pytest.mark.parametrize(
    ("happens", "kind"),
    [(paid, "receipt"), (processing, "confirming"), (at_its_end, "confirming"), (swept, "ended")],
)
def test_coming_back_shows_the_true_state(
    world: World, happens: Callable[[World, str], None], kind: Kind
) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    happens(world, payment_id)
    assert world.view(payment_id, session).kind == kind


@pytest.mark.parametrize("session", ["cs_other", "", "{CHECKOUT_SESSION_ID}", "\x00", "x" * 9999])
def test_a_made_up_session_is_like_none(world: World, session: str) -> None:
    payment_id = world.new_payment()
    assert world.view(payment_id, session).kind == "checkout"


def test_an_earlier_checkout_is_one_to_come_back_from_too(world: World) -> None:
    payment_id = world.new_payment()
    first = world.session(payment_id)
    world.clock.advance(hours=25)
    world.open(payment_id)
    assert world.view(payment_id, first).kind == "confirming"


def test_a_receipt_has_its_invoice_as_soon_as_there_is_one(world: World) -> None:
    payment_id = world.paid()
    view = world.view(payment_id)
    assert (view.kind, view.invoice, view.download_token) == ("receipt", None, None)
    invoice = world.issue(payment_id)
    view = world.view(payment_id)
    assert view.invoice is not None
    assert view.invoice.number == invoice.number
    assert view.download_token is not None


def test_a_receipt_has_the_credit_notes_that_count(world: World) -> None:
    payment_id = world.paid()
    world.issue(payment_id)
    transaction = world.transaction(payment_id)
    for amount in (100, 200, 300):
        world.refund(transaction.id, amount)
        world.clock.advance(seconds=1)
    assert world.view(payment_id).credit_notes == ()
    made = world.credit_notes_of(payment_id)
    second = world.payment(payment_id).refunds[1]
    world.provider.end_refund(second.provider_id or "", "failed")
    world.hear_refunds(transaction.payment_intent_id or "", payment_id)
    for _ in range(2):  # before its note is void, and after
        shown = world.view(payment_id).credit_notes
        assert [note.id for note, _ in shown] == [made[0].id, made[2].id]
        assert all(token for _, token in shown)
        world.credit_notes_of(payment_id)


def test_an_unknown_link_or_seller_is_not_found(world: World) -> None:
    with pytest.raises(PaymentNotFoundError):
        world.view("pay_unknown")
    payment_id = world.new_payment()
    world.memory.organizations.clear()
    with pytest.raises(PaymentNotFoundError):
        world.view(payment_id)


def test_a_caller_reads_only_what_is_theirs_in_their_mode(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(hours=1))
    mine: Owner = (ORGANIZATION, "sandbox")
    assert read_payment(payment_id, mine, world.payments).id == payment_id
    others: tuple[Owner, ...] = (("org_2", "sandbox"), (ORGANIZATION, "live"))
    for owner in others:
        with pytest.raises(PaymentNotFoundError):
            read_payment(payment_id, owner, world.payments)
    with pytest.raises(PaymentNotFoundError):
        read_payment("pay_unknown", mine, world.payments)


def test_a_charge_has_no_link_to_look_at(world: World) -> None:
    payment_id = world.new_payment()
    world.memory.payments[payment_id] = replace(world.payment(payment_id), kind="charge", url=None)
    with pytest.raises(PaymentNotFoundError):
        world.view(payment_id)
