"""What asking for a link and asking for a charge have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from paylink.domain.checks import first_check
from paylink.domain.customer import Customer
from paylink.domain.errors import PaylinkError
from paylink.domain.ids import new_id
from paylink.domain.organization import Mode, Organization
from paylink.domain.payment import Kind, LineItem, Payment
from paylink.ports import (
    Clock,
    CustomerRepository,
    IdempotencyRepository,
    PaymentRepository,
    Providers,
    StoredResponse,
)
from paylink.services.own_tax import check_total, with_known_tax


@dataclass(frozen=True, kw_only=True)
class NewPayment:
    """A validated request; ``amount`` in minor units, before tax."""

    amount: int
    currency: str
    description: str
    customer: str | None = None
    """Our id of a customer or the caller's own."""
    metadata: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Presenter:
    """How results look outside; the services store them for replays without knowing their shape."""

    payment: Callable[[Payment], Mapping[str, Any]]
    error: Callable[[PaylinkError], Mapping[str, Any]]


@dataclass(frozen=True)
class Answer:
    """What the caller gets: an HTTP status and a JSON text."""

    status: int
    body: str
    replayed: bool = False


@dataclass(frozen=True)
class PaymentPorts:
    """What making a payment needs from outside."""

    payments: PaymentRepository
    idempotency: IdempotencyRepository
    customers: CustomerRepository
    providers: Providers
    presenter: Presenter
    clock: Clock

    def payment(self, payment: Payment) -> Answer:
        return Answer(201, _text(self.presenter.payment(payment)))

    def failure(self, error: PaylinkError) -> Answer:
        return Answer(error.status, _text(self.presenter.error(error)))


@dataclass(frozen=True)
class Requester:
    """On whose behalf a payment is made."""

    organization: Organization
    mode: Mode
    key_id: str


def payment_of(
    wanted: NewPayment, kind: Kind, requester: Requester, customer: Customer | None, now: datetime
) -> Payment:
    """A pending payment with nothing at the provider yet, and its tax if that is known already.

    Raises ValidationError for an amount that tax makes too large.
    """
    settings = requester.organization.tax
    check_total(wanted.amount, wanted.currency, settings)
    payment = Payment(
        id=new_id("pay"),
        organization_id=requester.organization.id,
        mode=requester.mode,
        kind=kind,
        status="pending",
        amount_subtotal=wanted.amount,
        currency=wanted.currency,
        line_items=(LineItem(wanted.description, wanted.amount),),
        created_at=now,
        updated_at=now,
        created_by=requester.key_id,
        metadata=wanted.metadata,
        customer_id=customer.id if customer else None,
        customer_public_id=customer.public_id if customer else None,
        tax_mode=settings.mode,
        tax_inclusive=settings.mode == "rates" and settings.inclusive,
        check_at=first_check("pending", now),
    )
    return with_known_tax(payment, requester.organization, customer)


def stored(answer: Answer) -> StoredResponse:
    return StoredResponse(answer.status, answer.body)


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"))
