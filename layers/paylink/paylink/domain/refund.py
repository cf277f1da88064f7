"""Refunds: how much of a transaction may still go back, and what did.

As with payments, the provider is asked which refunds there are and the records are moved there, so
that refunds made in its dashboard appear, and news of them may come late, twice, or in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from paylink.domain import events
from paylink.domain.errors import DuplicateError, ValidationError
from paylink.domain.events import DomainEvent
from paylink.domain.ids import derived_id
from paylink.domain.money import currency_named
from paylink.domain.payment import (
    UNFINISHED_FOR,
    Change,
    Payment,
    Refund,
    RefundStatus,
    Transaction,
)
from paylink.domain.standing import event_about_money, standing

REFUNDABLE = frozenset({"succeeded", "refunded", "disputed"})


@dataclass(frozen=True)
class RefundState:
    """How one refund stands at the provider now; ``amount`` in minor units."""

    provider_id: str
    refund_id: str | None
    """Our mark on it; None for one that was made in the provider's dashboard."""
    amount: int
    status: RefundStatus
    created_at: datetime
    charge_id: str | None = None
    reason: str | None = None


def refund_of(
    payment: Payment,
    transaction: Transaction,
    refund_id: str,
    amount: int | None,
    reason: str | None,
    now: datetime,
) -> Refund:
    """A refund to ask for: of ``amount``, or of all that is left.

    Raises DuplicateError if nothing is left, ValidationError for more than is left.
    """
    mine = [r for r in payment.refunds if r.transaction_id == transaction.id]
    gone = payment.returned(transaction.id)
    asked = sum(r.amount for r in mine if r.provider_id is None)
    if gone >= transaction.amount_total:
        raise DuplicateError("This transaction has been refunded in full.")
    left = transaction.amount_total - gone - asked
    if left <= 0:
        raise DuplicateError("A refund of all that is left is under way.")
    if amount is not None:
        step = currency_named(transaction.currency).step
        if amount > left:
            raise ValidationError.of(
                "amount", f"Only {left} (minor units) of this transaction can still be refunded."
            )
        if amount % step:
            raise ValidationError.of("amount", f"It must be a multiple of {step} minor units.")
    return Refund(
        id=refund_id,
        transaction_id=transaction.id,
        amount=left if amount is None else amount,
        status="pending",
        created_at=now,
        charge_id=transaction.charge_id,
        reason=reason,
    )


def with_refund(payment: Payment, refund: Refund) -> Payment:
    """The payment with a refund that is to be asked for added, or replaced."""
    others = tuple(r for r in payment.refunds if r.id != refund.id)
    return replace(payment, refunds=(*others, refund))


def without_refund(payment: Payment, refund_id: str) -> Payment:
    """The payment without a refund that the provider doesn't have."""
    kept = tuple(r for r in payment.refunds if r.id != refund_id or r.provider_id is not None)
    return replace(payment, refunds=kept)


def observe_refunds(
    payment: Payment, transaction: Transaction, states: Sequence[RefundState], now: datetime
) -> Change | None:
    """Moves the refunds of one transaction to where the provider says they are; None if they are.

    Each refund is announced once, when the provider is first known to have it, and once more if it
    fails after that. What the provider
    doesn't tell of stays as it is, but for what was asked for so long ago that nobody asks again.
    """
    refunds = [
        r
        for r in payment.refunds
        if r.provider_id is not None or now - r.created_at < UNFINISHED_FOR
    ]
    announced = []
    for state in sorted(states, key=lambda s: (s.created_at, s.provider_id)):
        position, known = _known(refunds, transaction, state)
        seen = replace(
            known,
            provider_id=state.provider_id,
            amount=state.amount,
            status=state.status,
            charge_id=state.charge_id or known.charge_id,
            reason=known.reason or state.reason,
        )
        refunds[position : position + 1] = [seen]
        if seen.counts and known.provider_id is None:
            announced.append(seen)
    if tuple(refunds) == payment.refunds:
        return None
    moved = replace(payment, refunds=tuple(refunds), updated_at=now)
    returned = moved.returned(payment.paid_by_transaction)
    after = replace(moved, amount_refunded=min(returned, payment.amount_total))
    failed = newly_failed(payment, after)
    return Change(
        payment,
        after,
        (
            *(_event(events.PAYMENT_REFUNDED, after, transaction, r, now) for r in announced),
            *(_event(events.PAYMENT_REFUND_FAILED, after, transaction, r, now) for r in failed),
        ),
        standing(after, transaction, now),
    )


def newly_failed(before: Payment, after: Payment) -> list[Refund]:
    """Refunds that counted before and don't any more: the seller has the money again."""
    counted = {r.id for r in before.refunds if r.counts}
    return [r for r in after.refunds if r.id in counted and not r.counts]


def _known(
    refunds: Sequence[Refund], transaction: Transaction, state: RefundState
) -> tuple[int, Refund]:
    """The refund that a state is about and where it stands, or a new one and the end."""
    for position, refund in enumerate(refunds):
        if refund.provider_id == state.provider_id:
            return position, refund
    for position, refund in enumerate(refunds):
        if refund.provider_id is None and refund.id == state.refund_id:
            return position, refund
    taken = {refund.id for refund in refunds}
    marked = state.refund_id if state.refund_id not in taken else None
    return len(refunds), Refund(
        id=marked or derived_id("ref", transaction.id, state.provider_id),
        transaction_id=transaction.id,
        amount=state.amount,
        status=state.status,
        created_at=state.created_at,
    )


def _event(
    kind: str, payment: Payment, transaction: Transaction, refund: Refund, now: datetime
) -> DomainEvent:
    return event_about_money(
        payment,
        transaction,
        kind,
        now,
        {
            "refundId": refund.id,
            "refundAmount": refund.amount,
            "amountRefunded": payment.amount_refunded,
            "chargeId": refund.charge_id,
            "reason": refund.reason,
        },
    )
