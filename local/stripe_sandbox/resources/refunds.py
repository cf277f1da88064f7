"""Refunds: made through the API or the control API, done at once or pending until told."""

from __future__ import annotations

from .. import money, payments
from ..context import Context
from ..errors import Json, invalid, missing_param, not_in_sandbox
from ..ids import new_id, random_text
from ..validation import merge_metadata
from . import lists


def create(ctx: Context) -> Json:
    params = ctx.params
    if "origin" in params:
        raise not_in_sandbox("origin")
    return make(
        ctx,
        _charge(ctx),
        params.get("amount"),
        params.get("reason"),
        params.get("metadata", {}),
        ctx.account()["refund_status"],
    )


def _charge(ctx: Context) -> Json:
    params = ctx.params
    if "charge" in params:
        charge = ctx.find("charge", params["charge"], "charge")
        if params.get("payment_intent", charge["payment_intent"]) != charge["payment_intent"]:
            raise invalid("The charge doesn't belong to the payment intent.", "payment_intent")
        return charge
    if "payment_intent" not in params:
        raise missing_param("payment_intent")
    intent = ctx.find("payment_intent", params["payment_intent"], "payment_intent")
    if intent["status"] != "succeeded":
        raise invalid(
            f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
            "payment_intent",
        )
    return ctx.find("charge", intent["latest_charge"], "payment_intent")


def make(
    ctx: Context,
    charge: Json,
    amount: int | None,
    reason: str | None,
    metadata: dict[str, str] | str,
    status: str,
) -> Json:
    """Refunds `amount` of a charge (null: what is left). Raises StripeError as Stripe does."""
    if charge["status"] != "succeeded":
        raise invalid(
            f"This charge ({charge['id']}) has a status of {charge['status']} and can't "
            "be refunded.",
            "charge",
        )
    left = charge["amount"] - charge["amount_refunded"]
    if left == 0:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if charge["disputed"] and _lost_or_open(ctx, charge):
        raise invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    amount = left if amount is None else amount
    if amount < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer"
        )
    money.check_unit(amount, charge["currency"], "amount")
    if amount > left:
        raise invalid(
            f"Refund amount ({money.display(amount, charge['currency'])}) is greater than "
            f"unrefunded amount on charge ({money.display(left, charge['currency'])})",
            "amount",
        )
    kind = charge["payment_method_details"]["type"]
    refund: Json = {
        "id": new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": ctx.now,
        "currency": charge["currency"],
        "customer": charge["customer"],
        "customer_account": None,
        "description": None,
        "destination_details": {
            "card": {
                "reference": random_text(12),
                "reference_status": "available",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        }
        if kind == "card"
        else {kind: {}, "type": kind},
        "failure_balance_transaction": None,
        "failure_reason": None,
        "instructions_email": None,
        "metadata": merge_metadata({}, metadata),
        "next_action": None,
        "payment_intent": charge["payment_intent"],
        "payment_method": charge["payment_method"],
        "pending_reason": "processing" if status == "pending" else None,
        "presentment_details": None,
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }
    entry = payments.balance_entry(ctx, -amount, 0, charge, "refund", refund["id"])
    refund["balance_transaction"] = entry["id"]
    ctx.put(refund)
    before = {"amount_refunded": charge["amount_refunded"], "refunded": charge["refunded"]}
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    ctx.put(charge)
    ctx.emit("refund.created", refund)
    ctx.emit("charge.refunded", charge, before)
    return refund


def _lost_or_open(ctx: Context, charge: Json) -> bool:
    disputes = ctx.store.select(ctx.own, "dispute", charge=charge["id"])
    return any(not dispute["is_charge_refundable"] for dispute in disputes)


def succeed(ctx: Context, refund: Json) -> Json:
    """A pending refund arrived."""
    _must_be(refund, "pending")
    refund.update(status="succeeded", pending_reason=None)
    ctx.put(refund)
    ctx.emit("refund.updated", refund, {"status": "pending"})
    ctx.emit("charge.refund.updated", refund, {"status": "pending"})
    return refund


def fail(ctx: Context, refund: Json, reason: str) -> Json:
    """The money came back to the seller: even a refund that succeeded can fail later."""
    was = refund["status"]
    if was not in ("pending", "succeeded"):
        _must_be(refund, "pending")
    charge = ctx.find("charge", refund["charge"], "charge")
    entry = payments.balance_entry(ctx, refund["amount"], 0, charge, "refund_failure", refund["id"])
    refund.update(
        status="failed",
        failure_reason=reason,
        pending_reason=None,
        failure_balance_transaction=entry["id"],
    )
    ctx.put(refund)
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    ctx.put(charge)
    for type_ in ("refund.updated", "refund.failed", "charge.refund.updated"):
        ctx.emit(type_, refund, {"status": was})
    return refund


def _must_be(refund: Json, status: str) -> None:
    if refund["status"] != status:
        raise invalid(f"Refund {refund['id']} has a status of {refund['status']}, not {status}.")


def retrieve(ctx: Context) -> Json:
    return ctx.find("refund", ctx.path["id"], "refund", in_path=True)


def update(ctx: Context) -> Json:
    refund = retrieve(ctx)
    if "metadata" in ctx.params:
        refund["metadata"] = merge_metadata(refund["metadata"], ctx.params["metadata"])
        ctx.put(refund)
        ctx.emit("refund.updated", refund)
    return refund


def cancel(ctx: Context) -> Json:
    refund = retrieve(ctx)
    raise invalid(
        f"Refund {refund['id']} can't be canceled: only those that wait for the "
        "customer's bank details can."
    )


def list_all(ctx: Context) -> Json:
    columns = {
        name: ctx.params[name] for name in ("payment_intent", "charge") if name in ctx.params
    }
    return lists.page(ctx, ctx.store.select(ctx.scope, "refund", **columns), "/v1/refunds")
