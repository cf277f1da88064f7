"""A payment and its life: which states there are, what moves it between them, and what never may.

The provider is asked how things stand (`CheckoutState`) and the payment is moved to where the money
is. Deciding from the present state rather than from events makes their order, repetition and loss
harmless. `TRANSITIONS` is the whole state machine as data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from paylink.domain import events
from paylink.domain.checks import AFTER_THE_END, TROUBLE, first_check, next_check
from paylink.domain.customer import Buyer, PaymentMethod
from paylink.domain.events import DomainEvent
from paylink.domain.ids import derived_id
from paylink.domain.organization import Mode, TaxMode
from paylink.domain.tax import SettledTax, TaxLine, TaxStatus

Status = Literal["pending", "requires_action", "processing", "failed", "succeeded", "canceled"]
Kind = Literal["link", "charge"]
CancellationReason = Literal["requested", "expired"]
TransactionStatus = Literal["pending", "succeeded", "failed", "refunded", "disputed"]
RefundStatus = Literal["pending", "requires_action", "succeeded", "failed", "canceled"]
DisputeStatus = Literal["open", "won", "lost"]
"""As the seller sees it: ``won``, the seller keeps the money; ``lost``, it is gone."""
Outcome = Literal["unpaid", "requires_action", "processing", "failed", "paid"]
"""How the money of one checkout stands; ``unpaid`` is: nothing was tried, or nothing came of it."""

CORRECTING: Final = "correct"
"""In a link's query: the buyer comes back from the checkout to say something else."""

_LONGEST_HISTORY: Final = 100

UNFINISHED_FOR: Final = timedelta(hours=25)
"""An hour longer than an idempotency key is kept, here and at the provider."""

PAYABLE: Final[frozenset[Status]] = frozenset({"pending", "requires_action", "failed"})

TRANSITIONS: Final[Mapping[Status, Mapping[Outcome, Status]]] = {
    "pending": {
        "requires_action": "requires_action",
        "processing": "processing",
        "failed": "failed",
        "paid": "succeeded",
    },
    "requires_action": {"processing": "processing", "failed": "failed", "paid": "succeeded"},
    "processing": {"failed": "failed", "paid": "succeeded"},
    "failed": {
        "requires_action": "requires_action",
        "processing": "processing",
        "failed": "failed",
        "paid": "succeeded",
    },
    # Money that arrives wins over our clock and over a cancellation.
    "canceled": {"processing": "processing", "paid": "succeeded"},
    "succeeded": {},
}
"""From a status, by what the provider says, to the next; what isn't listed changes nothing."""

_EVENT_OF: Final[Mapping[Status, str]] = {
    "requires_action": events.PAYMENT_REQUIRES_ACTION,
    "processing": events.PAYMENT_PROCESSING,
    "failed": events.PAYMENT_FAILED,
    "succeeded": events.PAYMENT_SUCCEEDED,
    "canceled": events.PAYMENT_CANCELED,
}


@dataclass(frozen=True)
class LineItem:
    """What is paid for; ``unit_amount`` in minor units, before tax."""

    description: str
    unit_amount: int
    quantity: int = 1


@dataclass(frozen=True)
class CheckoutSession:
    """One hosted checkout at the provider, recorded before the provider is asked for it.

    ``request`` holds the exact parameters and, with ``idempotency_key``, makes asking again safe:
    the provider replays its first answer only for the very same parameters.
    """

    generation: int
    idempotency_key: str
    request: Mapping[str, Any]
    expires_at: datetime
    id: str | None = None
    url: str | None = None
    tax: SettledTax | None = None
    """What it asks for in all, where the tax doesn't follow from it but was settled before."""
    ended: bool = False
    """The provider said that it can't be paid any more (or it never came to be)."""

    def open_at(self, now: datetime) -> bool:
        return self.id is not None and not self.ended and now < self.expires_at


def session_key(payment_id: str, generation: int) -> str:
    """The provider's idempotency key of a payment's checkout or charge."""
    return f"{payment_id}:{generation}"


@dataclass(frozen=True)
class Attempt:
    """The newest try to pay within one checkout."""

    id: str
    """The provider's charge or, where there was none, what else tells tries apart."""
    payment_method: PaymentMethod | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    charge_id: str | None = None
    decline_code: str | None = None
    """Why a bank declined, where it says so."""


@dataclass(frozen=True)
class CheckoutState:
    """How one checkout stands at the provider now; amounts in minor units."""

    session_id: str
    session_status: Literal["open", "complete", "expired"]
    outcome: Outcome
    currency: str
    amount_subtotal: int
    tax_amount: int
    tax_status: TaxStatus
    tax_lines: tuple[TaxLine, ...] = ()
    payment_intent_id: str | None = None
    provider_customer_id: str | None = None
    attempt: Attempt | None = None
    buyer: Buyer = field(default_factory=Buyer)
    paid_at: datetime | None = None


@dataclass(frozen=True)
class ChargeTerms:
    """What a charge takes from whom, settled before the provider is asked for any money."""

    provider_customer_id: str
    payment_method: PaymentMethod
    buyer: Buyer
    tax_calculation_id: str | None = None
    tax_lines: tuple[TaxLine, ...] = ()


@dataclass(frozen=True)
class Settlement:
    """What is known once the money came: the invoice is made from this and nothing else."""

    transaction_id: str
    session_id: str
    payment_intent_id: str
    charge_id: str | None
    buyer: Buyer
    tax_lines: tuple[TaxLine, ...]
    payment_method: PaymentMethod | None


@dataclass(frozen=True)
class Surplus:
    """Money of a second checkout that was paid as well, by its attempt: it goes back."""

    transaction_id: str
    payment_intent_id: str


@dataclass(frozen=True)
class Refund:
    """Money that went back, or is to go; recorded before the provider is asked for it.

    ``amount`` in minor units of the payment's currency.
    """

    id: str
    transaction_id: str
    amount: int
    status: RefundStatus
    created_at: datetime
    provider_id: str | None = None
    """None until the provider is known to have it."""
    generation: int = 1
    """Which key of the provider's it is asked for under."""
    charge_id: str | None = None
    reason: str | None = None

    @property
    def counts(self) -> bool:
        """Whether the provider has sent the money back, or is about to."""
        return self.provider_id is not None and self.status not in {"failed", "canceled"}

    @property
    def idempotency_key(self) -> str:
        return f"{self.id}:{self.generation}"


@dataclass(frozen=True)
class Dispute:
    """A buyer's bank takes money back, or tries to; ``amount`` in minor units."""

    id: str
    """The provider's."""
    transaction_id: str
    amount: int
    status: DisputeStatus
    created_at: datetime
    reason: str | None = None
    """The bank's: ``fraudulent``, ``product_not_received`` …"""


@dataclass(frozen=True)
class HistoryEntry:
    """One change of status, and what made it."""

    at: datetime
    status: Status
    cause: str


@dataclass(frozen=True)
class Payment:
    """One amount that one buyer is asked for, once; all amounts in minor units of ``currency``."""

    id: str
    organization_id: str
    mode: Mode
    kind: Kind
    status: Status
    amount_subtotal: int
    currency: str
    line_items: tuple[LineItem, ...]
    created_at: datetime
    updated_at: datetime
    created_by: str
    """The API key's id."""
    tax_amount: int = 0
    tax_status: TaxStatus = "pending"
    tax_mode: TaxMode = "stripe"
    """The seller's when the payment was made, as is the next one."""
    tax_inclusive: bool = False
    tax: SettledTax | None = None
    """Under the seller's own rates, or none: what the next checkout asks for."""
    metadata: Mapping[str, str] | None = None
    customer_id: str | None = None
    customer_public_id: str | None = None
    buyer_language: str | None = None
    """Of `domain.language`: what the buyer reads who asked for the newest checkout, if known."""
    success_url: str | None = None
    url: str | None = None
    expires_at: datetime | None = None
    cancellation_reason: CancellationReason | None = None
    amount_refunded: int = 0
    invoice_id: str | None = None
    """Of its invoice, where whoever read the payment asked for that, and once there is one; so is
    the number. Kept with the invoice alone."""
    invoice_number: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    decline_code: str | None = None
    last_attempt_id: str | None = None
    paid_at: datetime | None = None
    sessions: tuple[CheckoutSession, ...] = ()
    """Of a link its checkouts; of a charge its payment intents."""
    charge: ChargeTerms | None = None
    settlement: Settlement | None = None
    surplus: tuple[Surplus, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    history: tuple[HistoryEntry, ...] = ()
    check_at: datetime | None = None
    """When the provider is asked by itself; None: its news are all that can come, or none can."""
    checks: int = 0
    """How many such looks found nothing since the last change."""
    version: int = 0

    @property
    def description(self) -> str:
        return self.line_items[0].description

    @property
    def amount_total(self) -> int:
        return self.amount_subtotal + self.tax_amount

    @property
    def current_session(self) -> CheckoutSession | None:
        return self.sessions[-1] if self.sessions else None

    @property
    def paid_by_transaction(self) -> str | None:
        """The id of the one that paid it, once one has."""
        return self.settlement.transaction_id if self.settlement else None

    @property
    def paid_with(self) -> PaymentMethod | None:
        return self.settlement.payment_method if self.settlement else None

    @property
    def awaits_place(self) -> bool:
        """Whether nobody can pay before it is known where the buyer is."""
        return self.tax_mode == "rates" and self.tax is None

    @property
    def asks_place(self) -> bool:
        """Whether it is for the buyer to say where they are."""
        return self.tax_mode == "rates" and (self.tax is None or self.tax.asked)

    def payable(self, now: datetime) -> bool:
        """Whether the link may still be paid; past its end only the sweep's ``canceled`` is due."""
        return (
            self.kind == "link"
            and self.status in PAYABLE
            and self.expires_at is not None
            and now < self.expires_at
        )

    def over(self, now: datetime) -> bool:
        """Whether its time is up: a link's end, or of an unfinished charge that no retry of its
        request can come any more."""
        return self._ends_at is not None and self._ends_at <= now

    @property
    def _ends_at(self) -> datetime | None:
        if self.kind == "link":
            return self.expires_at if self.status in PAYABLE else None
        return self.created_at + UNFINISHED_FOR if self.status == "pending" else None

    @property
    def due_at(self) -> datetime | None:
        """When the sweep looks after it: at its end, or to ask the provider before."""
        return min((at for at in (self._ends_at, self.check_at) if at is not None), default=None)

    @property
    def sessions_in_question(self) -> tuple[str, ...]:
        """The checkouts that may bring money which wasn't heard of, newest first."""
        named = [s for s in reversed(self.sessions) if s.id is not None]
        live = [s for s in named if not s.ended]
        match self.status:
            case "succeeded":
                live = []
            case "processing":
                live = named  # its checkout has ended, and only the provider knows which it was
            case "canceled" | "failed" if self.kind == "link":
                live = live or named[:1]
        return tuple(s.id for s in live if s.id is not None)

    def watched(self, now: datetime) -> Payment:
        """The payment, to be looked after as is right after a change.

        A look that was about to come stays where it is: each shift of it writes the index.
        """
        waits = bool(self.sessions_in_question) or any(not s.ended for s in self.sessions)
        if self.kind == "charge" and self.status == "failed":
            waits = False  # nothing is left open of one that failed
        first = first_check(self.status, now) if waits else None
        known = self.check_at if self.checks == 0 and self.status != "processing" else None
        if first is not None and known is not None and now < known < first:
            first = known
        return replace(self, check_at=first, checks=0)

    def checked(self, now: datetime) -> Payment:
        """The payment after a look that found nothing new."""
        if self.kind == "charge":
            end = self._ends_at
        else:
            ends = [s.expires_at + AFTER_THE_END for s in self.sessions if s.id and not s.ended]
            end = max(ends, default=None)
        following = next_check(self.status, self.checks + 1, end, now)
        return replace(self, check_at=following, checks=self.checks + 1)

    def check_put_off(self, now: datetime) -> Payment:
        """The payment after a look that the provider didn't answer."""
        return replace(self, check_at=now + TROUBLE)

    def refund_named(self, refund_id: str) -> Refund | None:
        return next((refund for refund in self.refunds if refund.id == refund_id), None)

    def returned(self, transaction_id: str | None) -> int:
        """How much of a transaction went back by refunds, or is about to."""
        mine = (r for r in self.refunds if r.transaction_id == transaction_id)
        return sum(refund.amount for refund in mine if refund.counts)

    def dispute_status(self, transaction_id: str | None) -> DisputeStatus | None:
        """Where a transaction's disputes have got to; the one that matters most, if several."""
        found = {d.status for d in self.disputes if d.transaction_id == transaction_id}
        order: tuple[DisputeStatus, ...] = ("open", "lost", "won")
        return next((status for status in order if status in found), None)

    def amount_lost(self, transaction_id: str | None) -> int:
        """How much of a transaction banks took back for good."""
        mine = (d for d in self.disputes if d.transaction_id == transaction_id)
        return sum(dispute.amount for dispute in mine if dispute.status == "lost")

    def transaction_of_intent(self, intent_id: str | None) -> str | None:
        """The id of the transaction that brought a payment intent's money."""
        paid = (self.settlement,) if self.settlement else ()
        return next(
            (p.transaction_id for p in (*paid, *self.surplus) if p.payment_intent_id == intent_id),
            None,
        )

    def with_tax(self, tax: SettledTax) -> Payment:
        """The payment with its tax settled; its one line item comes to the subtotal."""
        item = replace(self.line_items[0], unit_amount=tax.amount_subtotal)
        return replace(
            self,
            amount_subtotal=tax.amount_subtotal,
            tax_amount=tax.tax_amount,
            tax_status=tax.status,
            line_items=(item,),
            tax=tax,
        )

    def session_named(self, session_id: str) -> CheckoutSession | None:
        return next((s for s in self.sessions if s.id == session_id), None)

    def settled_by(self, session_id: str) -> bool:
        """Whether this checkout, or charge, paid it and has ended: then `observe` finds nothing in
        it any more, whatever it says."""
        session = self.session_named(session_id)
        paid_by = self.settlement.session_id if self.settlement else None
        return session is not None and session.ended and session.id == paid_by

    def with_session(self, session: CheckoutSession) -> Payment:
        """The payment with this generation of its checkout added, or replaced."""
        if session.ended:
            # Nobody is sent there any more, and nobody asks for it again.
            session = replace(session, request={}, url=None)
        others = (s for s in self.sessions if s.generation != session.generation)
        ordered = sorted((*others, session), key=lambda s: s.generation)
        return replace(self, sessions=tuple(ordered))


@dataclass(frozen=True)
class Transaction:
    """One settled or failed attempt; amounts in minor units of ``currency``."""

    id: str
    organization_id: str
    mode: Mode
    payment_id: str
    status: TransactionStatus
    amount_subtotal: int
    tax_amount: int
    currency: str
    created_at: datetime
    updated_at: datetime
    payment_method: PaymentMethod | None = None
    customer_id: str | None = None
    customer_email: str | None = None
    customer_name: str | None = None
    paid_at: datetime | None = None
    invoice_id: str | None = None
    charge_id: str | None = None
    payment_intent_id: str | None = None
    failure_code: str | None = None
    failure_message: str | None = None
    payment_kind: Kind = "link"
    dispute_status: DisputeStatus | None = None
    amount_lost: int = 0
    """What banks took back by disputes that were lost."""
    surplus: bool = False
    """The payment had been paid before: this money is to be returned, and has no invoice."""

    @property
    def amount_total(self) -> int:
        return self.amount_subtotal + self.tax_amount

    @property
    def settles(self) -> bool:
        """Whether the payment was paid by it: then the payment's settlement leads to it."""
        return self.paid_at is not None and not self.surplus


@dataclass(frozen=True)
class Change:
    """A payment before and after, with the facts to announce and the attempt to record."""

    before: Payment
    after: Payment
    events: tuple[DomainEvent, ...] = ()
    transaction: Transaction | None = None


class CheckoutMismatchError(Exception):
    """A checkout that claims to pay this payment isn't the one we made for it."""


def snapshot(payment: Payment) -> dict[str, Any]:
    """What every event tells about its payment, in the contract's names."""
    return {
        "paymentId": payment.id,
        "kind": payment.kind,
        "status": payment.status,
        "amount": payment.amount_total,
        "amountSubtotal": payment.amount_subtotal,
        "taxAmount": payment.tax_amount,
        "currency": payment.currency,
        "description": payment.description,
        "customerId": payment.customer_public_id,
    }


def told_of(payment: Payment, event_type: str) -> dict[str, Any]:
    """What an event of this type tells that follows from the payment as the event left it."""
    if event_type == events.PAYMENT_METHOD_ATTACHED:
        return _attached(payment, payment.paid_with)
    told = snapshot(payment)
    if event_type == events.PAYMENT_CREATED:
        told["url"] = payment.url
    elif event_type == events.PAYMENT_CANCELED:
        told["reason"] = payment.cancellation_reason
    elif event_type == events.PAYMENT_FAILED:
        told |= {"failureCode": payment.failure_code, "failureMessage": payment.failure_message}
    elif event_type == events.PAYMENT_SUCCEEDED and payment.settlement is not None:
        told |= _attempted(payment.settlement.transaction_id, payment.paid_with)
    return told


def event_about(
    payment: Payment, event_type: str, now: datetime, extra: Mapping[str, Any] | None = None
) -> DomainEvent:
    data = {**told_of(payment, event_type), **(extra or {})}
    return DomainEvent(event_type, now, payment.organization_id, payment.mode, data)


def _attached(payment: Payment, method: PaymentMethod | None) -> dict[str, Any]:
    """What is told of a payment's method that was vaulted for its customer."""
    if method is None:
        return {}
    card = {
        "brand": method.brand or "",
        "last4": method.last4 or "",
        "expMonth": method.exp_month,
        "expYear": method.exp_year,
    }
    return {
        "customerId": payment.customer_public_id,
        "type": method.type,
        "card": card if method.type == "card" else None,
    }


def _attempted(transaction_id: str, method: PaymentMethod | None) -> dict[str, Any]:
    return {
        "paymentTransactionId": transaction_id,
        "paymentMethod": method.type if method else None,
        "subPaymentMethod": method.brand if method else None,
    }


def observe(payment: Payment, state: CheckoutState, now: datetime, cause: str) -> Change | None:
    """Moves a link to where the provider says its money is; None if it is there already.

    Raises CheckoutMismatchError if session, currency or subtotal aren't those we recorded: metadata
    can be written by anybody with the account's key and proves nothing.
    """
    session = payment.session_named(state.session_id)
    if session is None:
        raise CheckoutMismatchError(f"{payment.id} has no session {state.session_id}")
    state = _as_recorded(payment, session, state)
    ended = payment
    if state.session_status != "open" and not session.ended:
        ended = payment.with_session(replace(session, ended=True))
    if _paid_again(payment, state):
        return _received_twice(ended, state, now)
    target = TRANSITIONS[payment.status].get(state.outcome)
    known_attempt = (state.attempt.id if state.attempt else None) == payment.last_attempt_id
    # A debit fails under the charge that was processing, which an older checkout may have made.
    awaited = payment.status == "processing" and known_attempt
    only_current_counts = state.outcome in {"failed", "requires_action"} and not awaited
    stale = only_current_counts and session is not payment.current_session
    repeated = state.outcome == payment.status == "failed" and known_attempt
    if target is None or stale or repeated:
        return None if ended is payment else Change(payment, _unwatched(ended))
    if session.tax is not None:
        ended = ended.with_tax(session.tax)
    return _move(ended, target, state, now, cause)


def _unwatched(payment: Payment) -> Payment:
    """A link whose last checkout ended without a word about money: there is nothing to look for."""
    if payment.status not in PAYABLE or any(s.id and not s.ended for s in payment.sessions):
        return payment
    return replace(payment, check_at=None, checks=0)


def as_made(payment: Payment) -> Payment:
    """The payment as whoever made the link was told of it, as far as that can follow from what
    never changes: a guest's, whose tax is settled at the checkout or never."""
    return Payment(
        id=payment.id,
        organization_id=payment.organization_id,
        mode=payment.mode,
        kind=payment.kind,
        status="pending",
        # What was asked for: an inclusive price becomes subtotal and tax once the tax is known.
        amount_subtotal=payment.amount_total if payment.tax_inclusive else payment.amount_subtotal,
        currency=payment.currency,
        line_items=payment.line_items,
        created_at=payment.created_at,
        updated_at=payment.created_at,
        created_by=payment.created_by,
        tax_status="not_collecting" if payment.tax_mode == "none" else "pending",
        metadata=payment.metadata,
        url=payment.url,
        expires_at=payment.expires_at,
    )


def announce(payment: Payment, now: datetime, cause: str) -> Change:
    """The first checkout exists: the link is out in the world, which is told once."""
    if payment.history:
        return Change(payment, payment)
    after = replace(payment, history=(HistoryEntry(now, payment.status, cause),))
    event = event_about(after, events.PAYMENT_CREATED, now)
    return Change(payment, after, (event,))


def cancel(payment: Payment, reason: CancellationReason, now: datetime, cause: str) -> Change:
    """Ends a payable link. The caller has made sure that no session of it can be paid any more."""
    after = replace(
        payment,
        status="canceled",
        cancellation_reason=reason,
        sessions=tuple(replace(s, ended=True) for s in payment.sessions),
        updated_at=now,
        history=_remembered(payment, HistoryEntry(now, "canceled", cause)),
    )
    could_be_paid = any(s.id is not None and not s.ended for s in payment.sessions)
    after = after.watched(now) if could_be_paid else replace(after, check_at=None, checks=0)
    event = event_about(after, events.PAYMENT_CANCELED, now)
    return Change(payment, after, (event,))


def _as_recorded(payment: Payment, session: CheckoutSession, state: CheckoutState) -> CheckoutState:
    """The state, once currency and amounts are found to be those that the session was made with.

    Where tax was settled beforehand the provider has it as lines like any other, adds none to them,
    and only knows what they come to.
    """
    tax = session.tax
    expected = (payment.currency, payment.amount_subtotal, state.tax_amount)
    if tax is not None:
        expected = (payment.currency, tax.amount_total, 0)
    if (state.currency, state.amount_subtotal, state.tax_amount) != expected:
        raise CheckoutMismatchError(
            f"{payment.id} is {expected[1]} {payment.currency}, "
            f"{state.session_id} is {state.amount_subtotal} {state.currency}"
        )
    if tax is None:
        return state
    buyer = state.buyer
    if tax.place is not None:
        country = buyer.address.country or tax.place.country
        buyer = replace(
            buyer,
            address=replace(buyer.address, country=country),
            tax_ids=tax.place.tax_ids or buyer.tax_ids,
        )
    return replace(
        state,
        amount_subtotal=tax.amount_subtotal,
        tax_amount=tax.tax_amount,
        tax_status=tax.status,
        tax_lines=tax.lines,
        buyer=buyer,
    )


def _paid_again(payment: Payment, state: CheckoutState) -> bool:
    return (
        state.outcome == "paid"
        and payment.settlement is not None
        and payment.settlement.session_id != state.session_id
    )


def _received_twice(payment: Payment, state: CheckoutState, now: datetime) -> Change | None:
    """A second session was paid as well: recorded once, and announced to be returned."""
    transaction = replace(_transaction(payment, state, now, "succeeded"), surplus=True)
    if any(entry.cause == transaction.id for entry in payment.history):
        return None
    after = replace(
        payment,
        updated_at=now,
        surplus=(*payment.surplus, Surplus(transaction.id, state.payment_intent_id or "")),
        history=_remembered(payment, HistoryEntry(now, payment.status, transaction.id)),
    )
    event = event_about(
        after,
        events.PAYMENT_RECEIVED_TWICE,
        now,
        {"transactionId": transaction.id, "paymentIntentId": state.payment_intent_id},
    )
    return Change(payment, after, (event,), transaction)


def _move(
    payment: Payment, target: Status, state: CheckoutState, now: datetime, cause: str
) -> Change:
    attempt = state.attempt
    after = replace(
        payment,
        status=target,
        tax_amount=state.tax_amount,
        tax_status=state.tax_status,
        cancellation_reason=None,
        failure_code=attempt.failure_code if attempt and target == "failed" else None,
        failure_message=attempt.failure_message if attempt and target == "failed" else None,
        decline_code=attempt.decline_code if attempt and target == "failed" else None,
        last_attempt_id=attempt.id if attempt else payment.last_attempt_id,
        updated_at=now,
        history=_remembered(payment, HistoryEntry(now, target, cause)),
    )
    extra: dict[str, Any] = {}
    transaction = None
    if target in {"succeeded", "failed"}:
        transaction = _transaction(after, state, now, target)
        extra = _attempted(transaction.id, transaction.payment_method)
    if target == "succeeded" and transaction is not None:
        after = replace(
            after,
            paid_at=transaction.paid_at,
            customer_id=transaction.customer_id,
            settlement=Settlement(
                transaction_id=transaction.id,
                session_id=state.session_id,
                payment_intent_id=state.payment_intent_id or "",
                charge_id=transaction.charge_id,
                buyer=state.buyer,
                tax_lines=state.tax_lines,
                payment_method=transaction.payment_method,
            ),
        )
        after = replace(after, customer_public_id=after.customer_public_id or after.customer_id)
    after = after.watched(now)
    event = event_about(after, _EVENT_OF[target], now, extra)
    return Change(payment, after, (event,), transaction)


def _remembered(payment: Payment, entry: HistoryEntry) -> tuple[HistoryEntry, ...]:
    """The history with one entry more; the middle of a very long one is forgotten.

    Declines can come by the thousand, from somebody who tries out stolen cards, and an item that
    outgrows the table could never record a payment again.
    """
    first, rest = payment.history[:1], payment.history[1:]
    return (*first, *rest[-(_LONGEST_HISTORY - 2) :], entry)


def guest_customer_id(payment_id: str) -> str:
    """A guest's own customer, one per payment however often its success is handled."""
    return derived_id("cus", payment_id)


def paying_transaction_id(organization_id: str, mode: Mode, payment_intent_id: str) -> str:
    """The transaction that an intent's money becomes: news that name only the intent find it."""
    return derived_id("txn", organization_id, mode, payment_intent_id)


def _transaction(
    payment: Payment, state: CheckoutState, now: datetime, status: Literal["succeeded", "failed"]
) -> Transaction:
    attempt = state.attempt
    transaction_id = derived_id("txn", payment.id, attempt.id if attempt else state.session_id)
    if status == "succeeded" and state.payment_intent_id is not None:
        transaction_id = paying_transaction_id(
            payment.organization_id, payment.mode, state.payment_intent_id
        )
    customer_id = payment.customer_id
    if status == "succeeded" and customer_id is None:
        customer_id = guest_customer_id(payment.id)
    return Transaction(
        id=transaction_id,
        organization_id=payment.organization_id,
        mode=payment.mode,
        payment_id=payment.id,
        status=status,
        amount_subtotal=state.amount_subtotal,
        tax_amount=state.tax_amount,
        currency=payment.currency,
        created_at=now,
        updated_at=now,
        payment_method=attempt.payment_method if attempt else None,
        customer_id=customer_id,
        customer_email=state.buyer.email,
        customer_name=state.buyer.name,
        paid_at=(state.paid_at or now) if status == "succeeded" else None,
        charge_id=attempt.charge_id if attempt else None,
        payment_intent_id=state.payment_intent_id,
        failure_code=attempt.failure_code if attempt else None,
        failure_message=attempt.failure_message if attempt else None,
        payment_kind=payment.kind,
    )
