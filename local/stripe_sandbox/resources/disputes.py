"""Disputes: the control API opens and decides them, the API reads them and hands in evidence."""

from __future__ import annotations

from .. import payments
from ..context import Context
from ..errors import Json, invalid
from ..ids import new_id
from ..validation import merge_metadata
from . import lists

_ANSWER_WITHIN = 9 * 24 * 3600
_DISPUTE_FEE = 1500
CLOSED = ("won", "lost", "warning_closed")
_EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def open_by_card(ctx: Context, charge: Json) -> Json:
    """What a test card makes happen after it paid."""
    method = ctx.find("payment_method", charge["payment_method"], "payment_method")
    if method["_dispute"] == "inquiry":
        return open_dispute(ctx, charge, None, "fraudulent", inquiry=True)
    return open_dispute(ctx, charge, None, method["_dispute"])


def open_dispute(
    ctx: Context, charge: Json, amount: int | None, reason: str, *, inquiry: bool = False
) -> Json:
    """An inquiry takes no money yet, and the charge can still be refunded."""
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise invalid(f"Charge {charge['id']} can't be disputed (again).", "charge")
    amount = amount or charge["amount"]
    if not 0 < amount <= charge["amount"]:
        raise invalid("A dispute can't be about more than the charge.", "amount")
    card = charge["payment_method_details"].get("card", {})
    id_ = new_id("du")
    dispute: Json = {
        "id": id_,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {
            **dict.fromkeys(_EVIDENCE),
            "enhanced_evidence": {},
            "customer_email_address": charge["billing_details"]["email"],
            "customer_name": charge["billing_details"]["name"],
        },
        "evidence_details": {
            "due_by": ctx.now + _ANSWER_WITHIN,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": None,
        },
        "intended_submission_method": None,
        "is_charge_refundable": inquiry,
        "livemode": ctx.livemode,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": card.get("brand", "visa"),
                "case_type": "inquiry" if inquiry else "chargeback",
                "network": card.get("network"),
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    if not inquiry:
        _withdraw(ctx, dispute, charge)
    ctx.put(dispute)
    charge["disputed"] = True
    ctx.put(charge)
    ctx.emit("charge.dispute.created", dispute)
    if not inquiry:
        ctx.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def escalate(ctx: Context, dispute: Json) -> Json:
    """The bank wasn't satisfied by the answer to its inquiry, and takes the money."""
    if dispute["status"] not in ("warning_needs_response", "warning_under_review"):
        raise invalid(f"This dispute is no inquiry: {dispute['status']}.", code=None)
    before = {"status": dispute["status"], "is_charge_refundable": True}
    dispute.update(status="needs_response", is_charge_refundable=False)
    dispute["payment_method_details"]["card"]["case_type"] = "chargeback"
    _withdraw(ctx, dispute, ctx.find("charge", dispute["charge"], "charge"))
    ctx.put(dispute)
    ctx.emit("charge.dispute.updated", dispute, before)
    ctx.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def _withdraw(ctx: Context, dispute: Json, charge: Json) -> None:
    entry = payments.balance_entry(
        ctx, -dispute["amount"], _DISPUTE_FEE, charge, "adjustment", dispute["id"]
    )
    dispute["balance_transactions"].append(entry)


def decide(ctx: Context, dispute: Json, status: str) -> Json:
    """`status`: won or lost, or warning_closed for an inquiry."""
    if dispute["status"] in CLOSED:
        raise invalid(f"This dispute is already closed: {dispute['status']}.", code=None)
    if dispute["status"].startswith("warning_") != (status == "warning_closed"):
        raise invalid(f"A dispute that is {dispute['status']} can't be {status}.", code=None)
    dispute["status"] = status
    if status == "won":
        charge = ctx.find("charge", dispute["charge"], "charge")
        entry = payments.balance_entry(
            ctx, dispute["amount"], -_DISPUTE_FEE, charge, "adjustment", dispute["id"]
        )
        dispute["balance_transactions"].append(entry)
        dispute["is_charge_refundable"] = True
    ctx.put(dispute)
    if status == "won":
        ctx.emit("charge.dispute.funds_reinstated", dispute)
    ctx.emit("charge.dispute.closed", dispute)
    return dispute


def retrieve(ctx: Context) -> Json:
    return ctx.find("dispute", ctx.path["id"], "dispute", in_path=True)


def list_all(ctx: Context) -> Json:
    columns = {
        name: ctx.params[name] for name in ("payment_intent", "charge") if name in ctx.params
    }
    return lists.page(ctx, ctx.store.select(ctx.scope, "dispute", **columns), "/v1/disputes")


def update(ctx: Context) -> Json:
    dispute = retrieve(ctx)
    if dispute["status"] in CLOSED:
        raise invalid("This dispute is already closed.")
    given = ctx.params.get("evidence") or {}
    if given:
        dispute["evidence"].update({name: text or None for name, text in given.items()})
        dispute["evidence_details"]["has_evidence"] = True
        if ctx.params.get("submit", True):
            dispute["evidence_details"]["submission_count"] += 1
            asked = dispute["status"].startswith("warning_")
            dispute["status"] = "warning_under_review" if asked else "under_review"
    if "metadata" in ctx.params:
        dispute["metadata"] = merge_metadata(dispute["metadata"], ctx.params["metadata"])
    ctx.put(dispute)
    ctx.emit("charge.dispute.updated", dispute)
    return dispute


def close(ctx: Context) -> Json:
    dispute = retrieve(ctx)
    asked = dispute["status"].startswith("warning_")
    return decide(ctx, dispute, "warning_closed" if asked else "lost")
