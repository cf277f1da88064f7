"""A refund as Stripe's parameters, and Stripe's refund as its state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

from paylink.adapters.stripe.charges import marks_of
from paylink.domain.payment import Payment, Refund, RefundStatus, Transaction
from paylink.domain.refund import RefundState

if TYPE_CHECKING:
    import stripe

# Stripe takes no other words; what else a caller says stays with us.
_REASONS: Final = frozenset({"duplicate", "fraudulent", "requested_by_customer"})
_STATUSES: Final = frozenset({"pending", "requires_action", "succeeded", "failed", "canceled"})


def refund_parameters(
    payment: Payment, transaction: Transaction, refund: Refund, deployment_id: str
) -> dict[str, Any]:
    """The exact parameters of a refund: the same for the same refund."""
    parameters: dict[str, Any] = {
        "payment_intent": transaction.payment_intent_id,
        "amount": refund.amount,
        "metadata": {**marks_of(payment, deployment_id), "refund_id": refund.id},
    }
    if refund.reason in _REASONS:
        parameters["reason"] = refund.reason
    return parameters


def refund_state(refund: stripe.Refund) -> RefundState:
    charge = refund.charge
    metadata: dict[str, str] = refund.metadata.to_dict() if refund.metadata else {}
    # A status that we don't know yet is one that hasn't ended.
    status = refund.status if refund.status in _STATUSES else "pending"
    return RefundState(
        provider_id=refund.id,
        refund_id=metadata.get("refund_id"),
        amount=refund.amount,
        status=cast("RefundStatus", status),
        created_at=datetime.fromtimestamp(refund.created, UTC),
        charge_id=charge if charge is None or isinstance(charge, str) else charge.id,
        reason=refund.reason,
    )
