"""Which of our events leads to which webhooks, and what these tell: the contract's names.

The only place that decides it. A link that is paid is told of once its invoice has its number,
because receivers fulfil on `payment_link.completed` and want the number with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from paylink.domain import events

API_VERSION: Final = "2026-07-11"
"""Of the bodies made here; an endpoint keeps the one it was registered under."""

TEST_EVENT: Final = "webhook.test"

_LINK: Final = ("paymentId", "status", "amount", "currency", "description", "customerId")
_METHOD: Final = ("paymentMethod", "subPaymentMethod", "paymentContext")
_MONEY_BACK: Final = (
    "paymentTransactionId",
    "provider",
    "paymentLinkId",
    "invoiceId",
    "invoiceNumber",
    "customerId",
    "subscriptionId",
    "currency",
)
_DISPUTE: Final = (*_MONEY_BACK, "disputeAmount", "disputeReason")
_CUSTOMER: Final = (
    "id",
    "externalId",
    "fullName",
    "email",
    "taxDocument",
    "documentType",
    "timezone",
    "metadata",
    "createdAt",
    "updatedAt",
)


@dataclass(frozen=True)
class Rule:
    """From one type of ours to one webhook; ``kind`` narrows it to links or charges."""

    source: str
    name: str
    members: tuple[str, ...]
    kind: str | None = None


RULES: Final = (
    Rule(events.PAYMENT_CREATED, "payment_link.created", _LINK, "link"),
    Rule(
        events.INVOICE_ISSUED,
        "payment_link.completed",
        (*_LINK, "invoiceId", "invoiceNumber", "paymentTransactionId", *_METHOD),
        "link",
    ),
    Rule(
        events.PAYMENT_FAILED,
        "payment_link.failed",
        (*_LINK, "failureCode", "failureMessage", *_METHOD),
        "link",
    ),
    Rule(events.PAYMENT_CANCELED, "payment_link.canceled", (*_LINK, "reason"), "link"),
    Rule(
        events.INVOICE_ISSUED,
        "payment.received",
        (
            "invoiceId",
            "invoiceNumber",
            "invoiceTotal",
            "customerId",
            "subscriptionId",
            "paymentTransactionId",
            "provider",
            "grossAmount",
            "currency",
            "orgNetAmount",
            "customerEmail",
            "paidAt",
        ),
    ),
    Rule(
        events.PAYMENT_FAILED,
        "payment.failed",
        (
            "invoiceId",
            "invoiceNumber",
            "customerId",
            "subscriptionId",
            "failureCode",
            "failureMessage",
            "recoveryUrl",
        ),
        "charge",
    ),
    Rule(events.PAYMENT_REFUNDED, "payment.refunded", (*_MONEY_BACK, "refundAmount")),
    Rule(events.PAYMENT_DISPUTED, "payment.disputed", _DISPUTE),
    Rule(events.PAYMENT_DISPUTE_RESOLVED, "payment.dispute_resolved", (*_DISPUTE, "outcome")),
    Rule(
        events.PAYMENT_METHOD_ATTACHED,
        "payment_method.attached",
        ("subscriptionId", "customerId", "card"),
    ),
    Rule(events.CUSTOMER_CREATED, "customer.created", _CUSTOMER),
    Rule(events.CUSTOMER_UPDATED, "customer.updated", _CUSTOMER),
    Rule(
        events.INVOICE_ISSUED,
        "invoice.created",
        (
            "invoiceId",
            "invoiceNumber",
            "invoiceStatus",
            "periodStart",
            "periodEnd",
            "issueDate",
            "dueDate",
            "currency",
            "subtotal",
            "total",
            "customerId",
            "subscriptionId",
        ),
    ),
)

NAMES: Final = tuple(rule.name for rule in RULES)

# Texts that receivers' types don't let be null, where there is nothing to say.
_NEVER_NULL: Final[Mapping[str, frozenset[str]]] = {
    "payment_link.failed": frozenset({"failureCode", "failureMessage"}),
    "payment.failed": frozenset(
        {"invoiceId", "invoiceNumber", "customerId", "failureCode", "failureMessage"}
    ),
    "payment_method.attached": frozenset({"subscriptionId"}),
    "customer.created": frozenset({"email"}),
    "customer.updated": frozenset({"email"}),
}


@dataclass(frozen=True)
class Outgoing:
    """One webhook that an event of ours leads to."""

    name: str
    data: dict[str, Any]


def outgoing(event_type: str, data: Mapping[str, Any]) -> list[Outgoing]:
    """The webhooks that an event of ours leads to, with every member that the contract names."""
    known = {"provider": "stripe", "paymentContext": _context(data), **data}
    return [
        Outgoing(rule.name, {name: _told(rule.name, name, known) for name in rule.members})
        for rule in RULES
        if rule.source == event_type and rule.kind in {None, data.get("kind")}
    ]


def _told(event: str, member: str, known: Mapping[str, Any]) -> Any:
    value = known.get(member)
    return "" if value is None and member in _NEVER_NULL.get(event, frozenset()) else value


def _context(data: Mapping[str, Any]) -> dict[str, Any]:
    """How a link came to be paid; what is told of charges has no such member."""
    link = data.get("paymentId")
    return {"reason": "one_time_payment", "paymentLinkId": link, "recovery": None}
