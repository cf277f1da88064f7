"""Domain events: facts in the past tense, written with the change that they tell of.

They leave through the table's stream and the event bus, where ``type`` is the detail type and
``data`` a plain JSON object; amounts in it are minor units.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from paylink.domain.ids import new_id

PAYMENT_CREATED: Final = "payment.created"
PAYMENT_REQUIRES_ACTION: Final = "payment.requires_action"
PAYMENT_PROCESSING: Final = "payment.processing"
PAYMENT_FAILED: Final = "payment.failed"
PAYMENT_SUCCEEDED: Final = "payment.succeeded"
PAYMENT_CANCELED: Final = "payment.canceled"
PAYMENT_RECEIVED_TWICE: Final = "payment.received_twice"
PAYMENT_REFUNDED: Final = "payment.refunded"
PAYMENT_REFUND_FAILED: Final = "payment.refund_failed"
PAYMENT_DISPUTED: Final = "payment.disputed"
PAYMENT_DISPUTE_RESOLVED: Final = "payment.dispute_resolved"
PAYMENT_METHOD_ATTACHED: Final = "payment_method.attached"
CUSTOMER_CREATED: Final = "customer.created"
CUSTOMER_UPDATED: Final = "customer.updated"
CUSTOMER_ERASED: Final = "customer.erased"
INVOICE_ISSUED: Final = "invoice.issued"
CREDIT_NOTE_ISSUED: Final = "credit_note.issued"
CREDIT_NOTE_VOIDED: Final = "credit_note.voided"
WEBHOOK_ENDPOINT_DISABLED: Final = "webhook_endpoint.disabled"
WEBHOOK_DELIVERY_RESENT: Final = "webhook_delivery.resent"


@dataclass(frozen=True)
class DomainEvent:
    """One fact about one payment, document, customer or webhook of one organization and mode."""

    type: str
    time: datetime
    organization_id: str
    mode: str
    data: dict[str, Any]
    id: str = field(default_factory=lambda: new_id("evt"))
