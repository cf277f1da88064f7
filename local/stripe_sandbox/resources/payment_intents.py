"""Payment intents made through the API: charging a saved payment method, mostly off-session."""

from __future__ import annotations

from .. import money, payments
from ..context import Context
from ..errors import Json, StripeError, exclusive_params, invalid, not_in_sandbox
from ..validation import merge_metadata
from . import customers, lists, payment_methods

_CANCELABLE = (
    "requires_payment_method",
    "requires_capture",
    "requires_confirmation",
    "requires_action",
    "processing",
)
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")
_UNSUPPORTED = (
    "application_fee_amount",
    "on_behalf_of",
    "transfer_data",
    "confirmation_token",
    "payment_method_data",
    "customer_account",
    "mandate_data",
    "amount_details",
    "payment_details",
)


def create(ctx: Context) -> Json:
    params = ctx.params
    for name in _UNSUPPORTED:
        if name in params:
            raise not_in_sandbox(name)
    if params.get("capture_method") == "manual":
        raise not_in_sandbox("capture_method=manual")
    currency = money.check_currency(params["currency"], "currency")
    if params["amount"] < 1:
        raise invalid(
            "This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer"
        )
    money.check_charge(params["amount"], currency, "amount")
    confirm = params.get("confirm", False)
    if params.get("off_session") and not confirm:
        raise invalid("You can only provide `off_session` when `confirm` is true.", "off_session")
    automatic = params.get("automatic_payment_methods", {"enabled": True})
    customer = (
        customers.alive(ctx, params["customer"], "customer") if "customer" in params else None
    )
    method = _method(ctx, customer) if "payment_method" in params else None
    if confirm:
        _check_return_url(params, automatic)
    hooks = params.get("hooks")
    _check_calculation(ctx, hooks, currency)
    intent = payments.new_intent(
        ctx,
        params["amount"],
        currency,
        allowed_payment_method_types=params.get("allowed_payment_method_types"),
        automatic_payment_methods={"allow_redirects": "always", **automatic},
        capture_method=params.get("capture_method", "automatic_async"),
        customer=customer["id"] if customer else None,
        description=params.get("description"),
        excluded_payment_method_types=params.get("excluded_payment_method_types"),
        hooks=hooks,
        metadata=merge_metadata({}, params.get("metadata", {})),
        payment_method=method["id"] if method else None,
        payment_method_options=params.get("payment_method_options", {}),
        payment_method_types=_types(params, currency, method),
        receipt_email=params.get("receipt_email"),
        setup_future_usage=params.get("setup_future_usage"),
        shipping=params.get("shipping"),
        statement_descriptor=params.get("statement_descriptor"),
        statement_descriptor_suffix=params.get("statement_descriptor_suffix"),
        status="requires_confirmation" if method else "requires_payment_method",
    )
    return _confirm(ctx, intent, method) if confirm else intent


def _check_return_url(params: Json, automatic: Json) -> None:
    redirects = automatic.get("allow_redirects", "always")
    if automatic["enabled"] and redirects == "always" and "return_url" not in params:
        raise invalid(
            "This PaymentIntent is configured to accept payment methods enabled in your Dashboard. "
            "Because some of these payment methods might redirect your customer off of your page, "
            "you must provide a `return_url`. If you don't want to accept redirect-based payment "
            "methods, set `automatic_payment_methods[enabled]` to `true` and "
            "`automatic_payment_methods[allow_redirects]` to `never` when creating Setup Intents "
            "and Payment Intents."
        )


def _types(params: Json, currency: str, method: Json | None) -> list[str]:
    allowed = params.get("allowed_payment_method_types")
    types = ["card"]
    if currency in payments.DEBIT_TYPES:
        types.append(payments.DEBIT_TYPES[currency])
    types = [name for name in types if allowed is None or name in allowed]
    if method and method["type"] not in types:
        raise invalid(
            f"The PaymentMethod provided ({method['type']}) is not allowed for this PaymentIntent.",
            "payment_method",
        )
    return types


def _method(ctx: Context, customer: Json | None) -> Json:
    method = payment_methods.resolve(ctx, ctx.params["payment_method"], "payment_method")
    payment_methods.check_reusable(method)
    owner = method["customer"]
    if owner and customer is None:
        raise invalid(
            f"The payment method supplied ({method['id']}) belongs to the Customer {owner}. Please "
            "include the Customer in the `customer` parameter on the PaymentIntent.",
            "payment_method",
        )
    if owner and customer and owner != customer["id"]:
        raise invalid(
            f"The payment method supplied ({method['id']}) belongs to a different Customer. The "
            "PaymentMethod and the PaymentIntent must have the same Customer.",
            "payment_method",
        )
    if customer and not owner and ctx.params.get("off_session"):
        raise invalid(
            f"The customer does not have a payment method with the ID {method['id']}. The payment "
            "method must be attached to the customer.",
            "payment_method",
        )
    return method


def _check_calculation(ctx: Context, hooks: Json | None, currency: str) -> None:
    tax = ((hooks or {}).get("inputs") or {}).get("tax") or {}
    id_ = tax.get("calculation")
    if not id_:
        return
    calculation = ctx.find("tax.calculation", id_, "hooks[inputs][tax][calculation]")
    if calculation["currency"] != currency:
        raise invalid(
            "The tax calculation has another currency than the PaymentIntent.",
            "hooks[inputs][tax][calculation]",
        )
    if calculation["expires_at"] <= ctx.now:
        raise invalid(f"The tax calculation {id_} has expired.", "hooks[inputs][tax][calculation]")


def _confirm(ctx: Context, intent: Json, method: Json | None) -> Json:
    if method is None:
        raise invalid(
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can "
            "either update the PaymentIntent with a payment method and then confirm it again, or "
            "confirm it again directly with a payment method or ConfirmationToken.",
            code="payment_intent_unexpected_state",
        )
    off_session = bool(ctx.params.get("off_session"))
    outcome = str(method["_off_session"] if off_session else method["_charge"])
    if off_session and outcome == "authentication_required":
        raise payments.card_error(ctx, intent, payments.decline(ctx, intent, method, outcome))
    if not off_session and method["_authenticate"] and not method.get("_authenticated"):
        if ctx.params.get("error_on_requires_action"):
            raise payments.card_error(
                ctx, intent, payments.decline(ctx, intent, method, "authentication_required")
            )
        payments.require_action(ctx, intent, method, ctx.params.get("return_url"))
        return intent
    if outcome == "pending":
        payments.start_debit(ctx, intent, method)
    elif outcome == "ok":
        payments.succeed(ctx, intent, method)
        wanted = intent["setup_future_usage"] and intent["customer"]
        if wanted and not method["customer"]:
            payments.attach(ctx, method, intent["customer"])
        elif not method["customer"]:
            method["_used_up"] = True
            ctx.put(method)
    else:
        raise payments.card_error(ctx, intent, payments.decline(ctx, intent, method, outcome))
    return intent


def retrieve(ctx: Context) -> Json:
    return ctx.find("payment_intent", ctx.path["id"], "intent", in_path=True)


def confirm(ctx: Context) -> Json:
    intent = retrieve(ctx)
    if intent["status"] not in _CONFIRMABLE:
        raise _unexpected(intent, "confirm", _CONFIRMABLE)
    customer = customers.alive(ctx, intent["customer"], "customer") if intent["customer"] else None
    if "payment_method" in ctx.params:
        method: Json | None = _method(ctx, customer)
    elif intent["payment_method"]:
        method = ctx.find("payment_method", intent["payment_method"], "payment_method")
    else:
        method = None
    _check_return_url(ctx.params, intent["automatic_payment_methods"] or {"enabled": False})
    return _confirm(ctx, intent, method)


def update(ctx: Context) -> Json:
    intent = retrieve(ctx)
    if intent["status"] in ("succeeded", "canceled"):
        for name in ctx.params:
            if name not in ("metadata", "description", "expand", "receipt_email"):
                raise _unexpected(intent, "update", _CONFIRMABLE)
    for name in ("description", "receipt_email", "amount", "setup_future_usage"):
        if name in ctx.params:
            intent[name] = ctx.params[name] or None
    if "amount" in ctx.params:
        money.check_charge(ctx.params["amount"], intent["currency"], "amount")
    if "metadata" in ctx.params:
        intent["metadata"] = merge_metadata(intent["metadata"], ctx.params["metadata"])
    return ctx.put(intent)


def cancel(ctx: Context) -> Json:
    intent = retrieve(ctx)
    if intent["status"] not in _CANCELABLE:
        raise _unexpected(intent, "cancel", _CANCELABLE)
    if intent["status"] == "processing":
        raise _unexpected(intent, "cancel", tuple(n for n in _CANCELABLE if n != "processing"))
    if ctx.store.select(ctx.own, "checkout.session", payment_intent=intent["id"], status="open"):
        raise invalid(
            "You cannot cancel a PaymentIntent that was created by a Checkout Session: expire the "
            "session instead.",
        )
    return payments.cancel(ctx, intent, ctx.params.get("cancellation_reason"))


def _unexpected(intent: Json, verb: str, allowed: tuple[str, ...]) -> StripeError:
    done = "canceled" if verb == "cancel" else f"{verb}ed".replace("ee", "e")
    return invalid(
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}. Only "
        f"a PaymentIntent with one of the following statuses may be {done}: {', '.join(allowed)}.",
        code="payment_intent_unexpected_state",
        payment_intent={k: v for k, v in intent.items() if not k.startswith("_")},
    )


def list_all(ctx: Context) -> Json:
    columns = {"customer": ctx.params["customer"]} if "customer" in ctx.params else {}
    if "customer_account" in ctx.params and columns:
        raise exclusive_params("customer", "customer_account")
    items = ctx.store.select(ctx.scope, "payment_intent", **columns)
    return lists.page(ctx, items, "/v1/payment_intents")
