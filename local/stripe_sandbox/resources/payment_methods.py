"""Payment methods: those the checkout page made, and test ones made through the API."""

from __future__ import annotations

from .. import cards, payments
from ..context import Context
from ..errors import Json, StripeError, invalid, missing_param
from ..validation import merge_metadata
from . import customers, lists

_TEST_EXPIRY_YEARS = 8


def create(ctx: Context) -> Json:
    params = ctx.params
    if params.get("type") != "card":
        if "type" not in params:
            raise missing_param("type")
        raise invalid("The sandbox makes payment methods of type card only.", "type")
    given = params.get("card") or {}
    if "token" in given:
        card = cards.by_name(given["token"])
        if card is None:
            raise invalid(f"No such token: '{given['token']}'", "card[token]", "resource_missing")
        month, year = 12, _test_year(ctx)
    elif "number" in given:
        number = cards.digits(given["number"])
        if not cards.luhn_valid(number):
            raise _card_problem("incorrect_number", "Your card number is incorrect.", "number")
        for name in ("exp_month", "exp_year"):
            if name not in given:
                raise missing_param(f"card[{name}]")
        card = cards.known_or_declined(number)
        month, year = given["exp_month"], given["exp_year"]
    else:
        raise missing_param("card")
    method = payments.card_method(ctx, card, month, year, params.get("billing_details"))
    method["metadata"] = merge_metadata({}, params.get("metadata", {}))
    return ctx.put(method)


def _card_problem(code: str, message: str, param: str) -> Exception:
    return StripeError(402, "card_error", message, code=code, param=param)


def _test_year(ctx: Context) -> int:
    return 1970 + ctx.now // 31_556_952 + _TEST_EXPIRY_YEARS


def resolve(ctx: Context, id_: str, param: str, *, in_path: bool = False) -> Json:
    """A payment method by id; `pm_card_…` makes a fresh one of that test card, as at Stripe."""
    card = cards.by_name(id_) if id_.startswith("pm_card_") else None
    if card:
        return payments.card_method(ctx, card, 12, _test_year(ctx))
    return ctx.find("payment_method", id_, param, in_path=in_path)


def retrieve(ctx: Context) -> Json:
    return ctx.find("payment_method", ctx.path["id"], "payment_method", in_path=True)


def update(ctx: Context) -> Json:
    method = retrieve(ctx)
    if not method["customer"]:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    if "billing_details" in ctx.params:
        changed = {**method["billing_details"], **ctx.params["billing_details"]}
        method["billing_details"] = payments.billing(changed)
    if "metadata" in ctx.params:
        method["metadata"] = merge_metadata(method["metadata"], ctx.params["metadata"])
    for name in ("exp_month", "exp_year"):
        if name in (ctx.params.get("card") or {}):
            method["card"][name] = ctx.params["card"][name]
    if "allow_redisplay" in ctx.params:
        method["allow_redisplay"] = ctx.params["allow_redisplay"]
    ctx.put(method)
    ctx.emit("payment_method.updated", method)
    return method


def attach(ctx: Context) -> Json:
    if "customer" not in ctx.params:
        raise missing_param("customer")
    method = resolve(ctx, ctx.path["id"], "payment_method", in_path=True)
    customer = customers.alive(ctx, ctx.params["customer"], "customer")
    if method["customer"] == customer["id"]:
        return method
    if method["customer"]:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_already_attached",
        )
    check_reusable(method)
    outcome = method["_charge"]
    saved_fine = method["type"] != "card" or outcome == "ok" or method["card"]["last4"] == "0341"
    if not saved_fine:
        code, decline_code, message = cards.DECLINES[outcome]
        raise _declined(code, decline_code, message)
    return payments.attach(ctx, method, customer["id"])


def _declined(code: str, decline_code: str, message: str) -> Exception:
    return StripeError(402, "card_error", message, code=code, decline_code=decline_code)


def check_reusable(method: Json) -> None:
    if method.get("_used_up"):
        raise invalid(
            "This PaymentMethod was previously used without being attached to a Customer or was "
            "detached from a Customer, and may not be used again.",
            "payment_method",
        )


def detach(ctx: Context) -> Json:
    method = retrieve(ctx)
    if not method["customer"]:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is "
            "impossible."
        )
    customer = ctx.find("customer", method["customer"], "customer")
    settings = customer.get("invoice_settings") or {}
    if settings.get("default_payment_method") == method["id"]:
        settings["default_payment_method"] = None
        ctx.put(customer)
    was = method["customer"]
    method.update(customer=None, _used_up=True)
    ctx.put(method)
    ctx.emit("payment_method.detached", method, {"customer": was})
    return method


def _filtered(ctx: Context, items: list[Json]) -> list[Json]:
    wanted = ctx.params.get("type")
    return [item for item in items if wanted in (None, item["type"])]


def list_all(ctx: Context) -> Json:
    if "customer" in ctx.params:
        customers.alive(ctx, ctx.params["customer"], "customer")
        items = ctx.store.select(ctx.scope, "payment_method", customer=ctx.params["customer"])
    else:
        items = []
    return lists.page(ctx, _filtered(ctx, items), "/v1/payment_methods")


def list_of_customer(ctx: Context) -> Json:
    customer = ctx.path["id"]
    customers.alive(ctx, customer, "customer", in_path=True)
    items = ctx.store.select(ctx.scope, "payment_method", customer=customer)
    return lists.page(ctx, _filtered(ctx, items), f"/v1/customers/{customer}/payment_methods")


def retrieve_of_customer(ctx: Context) -> Json:
    method = ctx.find("payment_method", ctx.path["payment_method"], "payment_method", in_path=True)
    if method["customer"] != ctx.path["id"]:
        raise invalid(
            f"No such PaymentMethod: '{method['id']}'",
            "payment_method",
            "resource_missing",
            status=404,
        )
    return method
