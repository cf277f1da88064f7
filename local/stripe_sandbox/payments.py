"""What happens to money: a payment intent's attempts, their charges, balance and bank debits.

The API, the checkout page and the control API all move payments through these functions, so that
states and events are the same whoever asked.
"""

from __future__ import annotations

from typing import Any

from . import cards
from .context import Context, public
from .errors import Json, StripeError
from .ids import client_secret, new_id

EMPTY_ADDRESS: Json = {
    "city": None,
    "country": None,
    "line1": None,
    "line2": None,
    "postal_code": None,
    "state": None,
}
CARD_FEE_PERCENT, CARD_FEE_FIXED = 29, 30
_AVAILABLE_AFTER = 2 * 24 * 3600
_DISPUTED_AFTER = 0.5
DEBIT_TYPES = {"usd": "us_bank_account", "eur": "sepa_debit"}


def address(given: Any) -> Json | None:
    """Stripe's address object: all six members, null where nothing was given."""
    if not given:
        return None
    return {name: given.get(name) or None for name in EMPTY_ADDRESS}


def billing(given: Json | None = None) -> Json:
    given = given or {}
    return {
        "address": address(given.get("address")) or dict(EMPTY_ADDRESS),
        "email": given.get("email"),
        "name": given.get("name"),
        "phone": given.get("phone"),
        "tax_id": given.get("tax_id"),
    }


# -- payment methods


def card_method(
    ctx: Context,
    card: cards.Card,
    month: int,
    year: int,
    details: Json | None = None,
    *,
    checked: bool = True,
) -> Json:
    """A new payment method of a card. What is kept of the number is brand, last4, fingerprint."""
    secret = str(ctx.store.setting("secret"))
    postal = billing(details)["address"]["postal_code"]
    return ctx.put(
        {
            **_method_base(ctx, "card", details),
            "card": {
                "brand": card.brand,
                "checks": {
                    "address_line1_check": None,
                    "address_postal_code_check": "pass" if postal else None,
                    "cvc_check": "pass" if checked else "unchecked",
                },
                "country": card.country,
                "display_brand": _display_brand(card.brand),
                "exp_month": month,
                "exp_year": year,
                "fingerprint": cards.fingerprint(card.number, ctx.scope.account, secret),
                "funding": card.funding,
                "generated_from": None,
                "last4": card.last4,
                "networks": {"available": [card.brand], "preferred": None},
                "regulated_status": "unregulated",
                "three_d_secure_usage": {"supported": True},
                "wallet": None,
            },
            "_charge": card.charge,
            "_off_session": card.when_off_session(),
            "_authenticate": card.authenticate,
            "_dispute": card.dispute,
        }
    )


def debit_method(ctx: Context, currency: str, details: Json) -> Json:
    kind = DEBIT_TYPES[currency]
    secret = str(ctx.store.setting("secret"))
    mark = cards.fingerprint(f"{kind}:6789", ctx.scope.account, secret)
    part: Json
    if kind == "us_bank_account":
        part = {
            "account_holder_type": "individual",
            "account_type": "checking",
            "bank_name": "STRIPE TEST BANK",
            "financial_connections_account": None,
            "fingerprint": mark,
            "last4": "6789",
            "networks": {"preferred": "ach", "supported": ["ach"]},
            "routing_number": "110000000",
            "status_details": None,
        }
    else:
        part = {
            "bank_code": "37040044",
            "branch_code": "",
            "country": "DE",
            "fingerprint": mark,
            "generated_from": {"charge": None, "setup_attempt": None},
            "last4": "3000",
        }
    return ctx.put(
        {
            **_method_base(ctx, kind, details),
            kind: part,
            "_charge": "pending",
            "_off_session": "pending",
            "_authenticate": False,
        }
    )


def _method_base(ctx: Context, kind: str, details: Json | None) -> Json:
    return {
        "id": new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing(details),
        "created": ctx.now,
        "customer": None,
        "customer_account": None,
        "livemode": ctx.livemode,
        "metadata": {},
        "radar_options": {},
        "type": kind,
    }


def _display_brand(brand: str) -> str:
    return {"amex": "american_express"}.get(brand, brand if brand != "unknown" else "other")


def attach(ctx: Context, method: Json, customer: str) -> Json:
    method["customer"] = customer
    ctx.put(method)
    ctx.emit("payment_method.attached", method)
    return method


# -- payment intents


def new_intent(ctx: Context, amount: int, currency: str, **members: Any) -> Json:
    id_ = new_id("pi")
    intent: Json = {
        "id": id_,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": client_secret(id_),
        "confirmation_method": "automatic",
        "created": ctx.now,
        "currency": currency,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "hooks": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": ctx.livemode,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_details": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "payment_record": None,
        "presentment_details": None,
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
        **members,
    }
    ctx.put(intent)
    ctx.emit("payment_intent.created", intent)
    return intent


def succeed(ctx: Context, intent: Json, method: Json, charge: Json | None = None) -> Json:
    """The charge went through: at once, or the debit whose pending `charge` is given settled."""
    charge = charge or new_charge(ctx, intent, method)
    charge.update(
        status="succeeded",
        paid=True,
        captured=True,
        amount_captured=charge["amount"],
        outcome=_outcome("authorized"),
    )
    delay = float(ctx.account()["balance_delay"])
    if delay == 0:
        post_balance(ctx, charge)
    elif delay > 0:
        ctx.store.set_timer(ctx.store.now() + delay, "post_balance", charge["id"])
    if method.get("_dispute"):
        ctx.store.set_timer(ctx.store.now() + _DISPUTED_AFTER, "dispute", charge["id"])
    intent.update(
        status="succeeded",
        latest_charge=charge["id"],
        payment_method=method["id"],
        amount_received=intent["amount"],
        next_action=None,
        processing=None,
        last_payment_error=None,
    )
    ctx.put(charge)
    ctx.put(intent)
    ctx.emit("charge.succeeded", charge)
    ctx.emit("payment_intent.succeeded", intent)
    return charge


def decline(
    ctx: Context, intent: Json, method: Json, outcome: str, charge: Json | None = None
) -> Json:
    """The attempt failed; the intent takes another. Returns the error that the API would give."""
    code, decline_code, message = cards.DECLINES[outcome]
    if outcome != "authentication_failure":
        charge = charge or new_charge(ctx, intent, method)
        charge.update(
            status="failed",
            paid=False,
            failure_code=code,
            failure_message=message,
            outcome=_outcome("declined", decline_code),
        )
        ctx.put(charge)
        intent["latest_charge"] = charge["id"]
        ctx.emit("charge.failed", charge)
    error: Json = {
        "advice_code": "try_again_later" if decline_code == "generic_decline" else None,
        "charge": charge["id"] if charge else None,
        "code": code,
        "decline_code": decline_code or None,
        "doc_url": f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}",
        "message": message,
        "network_advice_code": None,
        "network_decline_code": None,
        "payment_method": public(method),
        "type": "invalid_request_error" if outcome == "authentication_failure" else "card_error",
    }
    error = {name: value for name, value in error.items() if value is not None}
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        next_action=None,
        processing=None,
        last_payment_error=error,
    )
    ctx.put(intent)
    ctx.emit("payment_intent.payment_failed", intent)
    return error


def require_action(ctx: Context, intent: Json, method: Json, return_url: str | None) -> None:
    """3-D Secure: the checkout page asks the buyer; for other intents the control API answers."""
    if return_url:
        url = f"{ctx.base_url}/_control/payment_intents/{intent['id']}/authenticate"
        redirect = {"return_url": return_url, "url": url}
        action: Json = {"type": "redirect_to_url", "redirect_to_url": redirect}
    else:
        action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    intent.update(status="requires_action", payment_method=method["id"], next_action=action)
    ctx.put(intent)
    ctx.emit("payment_intent.requires_action", intent)


def start_debit(ctx: Context, intent: Json, method: Json) -> Json:
    charge = new_charge(ctx, intent, method)
    charge.update(status="pending", paid=False, captured=True, outcome=_outcome("authorized"))
    ctx.put(charge)
    intent.update(
        status="processing",
        payment_method=method["id"],
        latest_charge=charge["id"],
        last_payment_error=None,
    )
    ctx.put(intent)
    ctx.emit("charge.pending", charge)
    ctx.emit("payment_intent.processing", intent)
    return charge


def _pending_debit(ctx: Context, intent: Json) -> tuple[Json, Json]:
    if intent["status"] != "processing":
        raise StripeError(
            400, "invalid_request_error", f"{intent['id']} is {intent['status']}, not processing."
        )
    charge = ctx.find("charge", intent["latest_charge"], "charge")
    return charge, ctx.find("payment_method", charge["payment_method"], "payment_method")


def settle_debit(ctx: Context, intent: Json) -> Json:
    """The bank paid. The session, complete since the buyer confirmed, is now paid."""
    charge, method = _pending_debit(ctx, intent)
    succeed(ctx, intent, method, charge)
    for session in ctx.store.select(ctx.own, "checkout.session", payment_intent=intent["id"]):
        session["payment_status"] = "paid"
        ctx.put(session)
        ctx.emit("checkout.session.async_payment_succeeded", session)
    return intent


def bounce_debit(ctx: Context, intent: Json) -> Json:
    """The bank refused. The session stays complete and unpaid: another try needs a new one."""
    charge, method = _pending_debit(ctx, intent)
    decline(ctx, intent, method, "insufficient_balance", charge)
    for session in ctx.store.select(ctx.own, "checkout.session", payment_intent=intent["id"]):
        ctx.emit("checkout.session.async_payment_failed", session)
    return intent


def cancel(ctx: Context, intent: Json, reason: str | None) -> Json:
    intent.update(
        status="canceled", canceled_at=ctx.now, cancellation_reason=reason, next_action=None
    )
    ctx.put(intent)
    ctx.emit("payment_intent.canceled", intent)
    return intent


# -- charges and the balance


def new_charge(ctx: Context, intent: Json, method: Json) -> Json:
    kind = str(method["type"])
    details = dict(method[kind])
    if kind == "card":
        for name in ("display_brand", "generated_from", "networks", "three_d_secure_usage"):
            details.pop(name, None)
        authenticated = bool(method.get("_authenticated"))
        details.update(
            amount_authorized=intent["amount"],
            authorization_code=new_id("x", 6)[2:].upper(),
            extended_authorization={"status": "disabled"},
            incremental_authorization={"status": "unavailable"},
            installments=None,
            mandate=None,
            multicapture={"status": "unavailable"},
            network=method["card"]["brand"],
            network_token={"used": False},
            network_transaction_id=new_id("x", 15)[2:],
            transaction_link_id=None,
            overcapture={"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            three_d_secure=_three_d_secure() if authenticated else None,
        )
    elif kind == "us_bank_account":
        for name in ("networks", "status_details", "financial_connections_account"):
            details.pop(name, None)
        details.update(expected_debit_date=None, mandate=None, payment_reference=None)
    else:
        details.pop("generated_from", None)
        details.update(expected_debit_date=None, mandate=None)
    id_ = new_id("py" if kind != "card" else "ch")
    return {
        "id": id_,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "authorization_code": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX SELLER",
        "captured": False,
        "created": ctx.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": ctx.livemode,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {kind: details, "type": kind},
        "presentment_details": None,
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": f"{ctx.base_url}/c/receipt/{id_}",
        "refunded": False,
        "review": None,
        "shipping": intent["shipping"],
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }


def _three_d_secure() -> Json:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "exemption_indicator_applied": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": new_id("x", 20)[2:],
        "version": "2.2.0",
    }


def _outcome(kind: str, reason: str | None = None) -> Json:
    ok = kind == "authorized"
    return {
        "advice_code": None if ok else "try_again_later",
        "network_advice_code": None,
        "network_decline_code": None if ok else "05",
        "network_status": "approved_by_network" if ok else "declined_by_network",
        "reason": reason or None,
        "risk_level": "normal",
        "risk_score": 12,
        "rule": None,
        "seller_message": "Payment complete."
        if ok
        else "The bank did not return any further details with this decline.",
        "type": "authorized" if ok else "issuer_declined",
    }


def post_balance(ctx: Context, charge: Json) -> Json:
    """Gives a charge its balance transaction; the caller saves the charge."""
    fee = round(charge["amount"] * CARD_FEE_PERCENT / 1000) + CARD_FEE_FIXED
    entry = balance_entry(ctx, charge["amount"], fee, charge, "charge", charge["id"])
    charge["balance_transaction"] = entry["id"]
    return charge


def post_balance_later(ctx: Context, charge: Json) -> None:
    """The timer's part: Stripe tells of it by `charge.updated`."""
    if charge["balance_transaction"] is None and charge["status"] == "succeeded":
        ctx.put(post_balance(ctx, charge))
        ctx.emit("charge.updated", charge, {"balance_transaction": None})


def balance_entry(
    ctx: Context, amount: int, fee: int, charge: Json, kind: str, source: str
) -> Json:
    return ctx.put(
        {
            "id": new_id("txn"),
            "object": "balance_transaction",
            "amount": amount,
            "available_on": ctx.now + _AVAILABLE_AFTER,
            "balance_type": "payments",
            "created": ctx.now,
            "currency": charge["currency"],
            "description": charge["description"],
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [
                {
                    "amount": fee,
                    "application": None,
                    "currency": charge["currency"],
                    "description": "Stripe processing fees",
                    "type": "stripe_fee",
                }
            ]
            if fee
            else [],
            "net": amount - fee,
            "reporting_category": kind,
            "source": source,
            "status": "pending",
            "type": kind,
        }
    )


def card_error(ctx: Context, intent: Json, error: Json) -> StripeError:
    """The 402 of a failed confirmation, with the intent as it now is."""
    extra = {
        name: value
        for name, value in error.items()
        if name not in ("code", "doc_url", "message", "type", "param")
    }
    return StripeError(
        402,
        "card_error",
        error["message"],
        code=error["code"],
        keep=True,
        payment_intent=public(intent),
        request_log_url=f"https://dashboard.stripe.com/test/logs/{ctx.request_id}",
        **extra,
    )
