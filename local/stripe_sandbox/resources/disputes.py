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


def open_dispute(ctx: Context, charge: Json, amount: int | None, reason: str) -> Json:
    if charge["status"] != "succeeded" or charge["disputed"]:
        raise invalid(f"Charge {charge['id']} can't be disputed (again).", "charge")
    amount = amount or charge["amount"]
    if not 0 < amount <= charge["amount"]:
        raise invalid("A dispute can't be about more than the charge.", "amount")
    card = charge["payment_method_details"].get("card", {})
    id_ = new_id("du")
    entry = payments.balance_entry(ctx, -amount, _DISPUTE_FEE, charge, "adjustment", id_)
    dispute: Json = {
        "id": id_,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [entry],
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
        "is_charge_refundable": False,
        "livemode": ctx.livemode,
        "metadata": {},
        "network_reason_code": "10.4",
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": card.get("brand", "visa"),
                "case_type": "chargeback",
                "network": card.get("network"),
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }
    ctx.put(dispute)
    charge["disputed"] = True
    ctx.put(charge)
    ctx.emit("charge.dispute.created", dispute)
    ctx.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def decide(ctx: Context, dispute: Json, status: str) -> Json:
    """`status`: won or lost."""
    if dispute["status"] in ("won", "lost"):
        raise invalid(f"This dispute is already closed: {dispute['status']}.", code=None)
    dispute["status"] = status
    if status == "won":
        charge = ctx.find("charge", dispute["charge"], "charge")
        entry = payments.balance_entry(
            ctx, dispute["amount"], -_DISPUTE_FEE, charge, "adjustment", dispute["id"]
        )
        dispute["balance_transactions"].append(entry)
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
    if dispute["status"] in ("won", "lost"):
        raise invalid("This dispute is already closed.")
    given = ctx.params.get("evidence") or {}
    if given:
        dispute["evidence"].update({name: text or None for name, text in given.items()})
        dispute["evidence_details"]["has_evidence"] = True
        if ctx.params.get("submit", True):
            dispute["evidence_details"]["submission_count"] += 1
            dispute["status"] = "under_review"
    if "metadata" in ctx.params:
        dispute["metadata"] = merge_metadata(dispute["metadata"], ctx.params["metadata"])
    ctx.put(dispute)
    ctx.emit("charge.dispute.updated", dispute)
    return dispute


def close(ctx: Context) -> Json:
    return decide(ctx, retrieve(ctx), "lost")
