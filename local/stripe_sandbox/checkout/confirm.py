"""What "Pay" does: tax for the buyer's address, an attempt, and the session's completion."""

from __future__ import annotations

from dataclasses import dataclass

from .. import cards, payments
from ..context import Context
from ..errors import Json, StripeError
from ..resources import checkout_sessions, customers
from .form import Form


@dataclass(frozen=True)
class Outcome:
    """`state`: paid, authenticate, declined or gone (the session isn't open any more)."""

    state: str
    message: str = ""


def tax_ids(ctx: Context, session: Json, form: Form) -> list[Json]:
    if session["tax_id_collection"]["enabled"] and form.vat:
        return form.tax_ids()
    if session["customer"]:
        return customers.tax_ids_of(ctx, session["customer"])
    return []


def price_for(ctx: Context, session: Json, form: Form) -> Json:
    """The session's amounts for what is typed so far; nothing is saved."""
    address = form.address()
    customer = _customer(ctx, session)
    if customer and customer["address"] and not _updates(session, "address"):
        address = customer["address"]
    exempt = customer["tax_exempt"] if customer else "none"
    checkout_sessions.reprice(ctx, session, address, tax_ids(ctx, session, form), exempt=exempt)
    return session


def _customer(ctx: Context, session: Json) -> Json | None:
    if not session["customer"]:
        return None
    found = ctx.store.get(ctx.own, "customer", session["customer"])
    return None if found is None or found.get("deleted") else found


def _updates(session: Json, name: str) -> bool:
    return bool(session["_customer_update"].get(name) == "auto")


def pay(ctx: Context, session: Json, form: Form) -> Outcome:
    """One attempt of a checked form."""
    if session["status"] != "open":
        return Outcome("gone")
    price_for(ctx, session, form)
    if session["automatic_tax"]["status"] == "requires_location_inputs":
        return Outcome(
            "declined",
            "We couldn't determine your location for tax. Check the country and the postal code.",
        )
    _note_buyer(ctx, session, form)
    intent = _intent(ctx, session)
    details = {"address": form.address(), "email": form.email, "name": form.name}
    if form.method == "debit":
        method = payments.debit_method(ctx, session["currency"], details)
        _debit(ctx, session, intent, method)
        return Outcome("paid")
    card = cards.known_or_declined(form.number)
    method = payments.card_method(ctx, card, form.month, form.year, details)
    if card.authenticate:
        ctx.put(session)
        payments.require_action(ctx, intent, method, None)
        return Outcome("authenticate")
    return _charge(ctx, session, intent, method, card.charge)


def authenticate(ctx: Context, session: Json, *, approved: bool) -> Outcome:
    """The buyer's answer to the 3-D Secure step."""
    if session["status"] != "open" or not session["payment_intent"]:
        return Outcome("gone")
    intent = ctx.find("payment_intent", session["payment_intent"], "payment_intent")
    if intent["status"] != "requires_action":
        return Outcome("declined", "There is nothing to authenticate. Please pay again.")
    method = ctx.find("payment_method", intent["payment_method"], "payment_method")
    if not approved:
        error = payments.decline(ctx, intent, method, "authentication_failure")
        return Outcome("declined", error["message"])
    method["_authenticated"] = True
    ctx.put(method)
    return _charge(ctx, session, intent, method, method["_charge"])


def _charge(ctx: Context, session: Json, intent: Json, method: Json, outcome: str) -> Outcome:
    ctx.put(session)
    if outcome != "ok":
        error = payments.decline(ctx, intent, method, outcome)
        return Outcome("declined", error["message"])
    _settle_customer(ctx, session, intent, method)
    payments.succeed(ctx, intent, method)
    _complete(ctx, session, "paid")
    return Outcome("paid")


def _debit(ctx: Context, session: Json, intent: Json, method: Json) -> None:
    _settle_customer(ctx, session, intent, method)
    payments.start_debit(ctx, intent, method)
    _complete(ctx, session, "unpaid")


def _complete(ctx: Context, session: Json, payment_status: str) -> None:
    session.update(status="complete", payment_status=payment_status, url=None)
    ctx.put(session)
    ctx.emit("checkout.session.completed", session)


def _note_buyer(ctx: Context, session: Json, form: Form) -> None:
    customer = _customer(ctx, session)
    ids = tax_ids(ctx, session, form)
    session["customer_details"] = {
        "address": form.address(),
        "business_name": None,
        "email": form.email,
        "individual_name": None,
        "name": form.name,
        "phone": None,
        "tax_exempt": (customer or {}).get("tax_exempt", "none"),
        "tax_ids": [{"type": item["type"], "value": item["value"]} for item in ids],
    }
    session["_form"] = {
        "email": form.email,
        "name": form.name,
        "country": form.country,
        "postal": form.postal,
        "vat": form.vat,
        "method": form.method,
    }


def _intent(ctx: Context, session: Json) -> Json:
    """The session's payment intent; there is none before the buyer's first attempt."""
    data = session["_intent_data"]
    if session["payment_intent"]:
        intent = ctx.find("payment_intent", session["payment_intent"], "payment_intent")
        intent["amount"] = session["amount_total"]
        return ctx.put(intent)
    intent = payments.new_intent(
        ctx,
        session["amount_total"],
        session["currency"],
        capture_method=data.get("capture_method", "automatic_async"),
        customer=session["customer"],
        description=data.get("description"),
        # Not the session's own metadata: Stripe doesn't copy it.
        metadata=dict(data.get("metadata", {})),
        payment_method_options=session["payment_method_options"],
        payment_method_types=session["payment_method_types"],
        payment_method_configuration_details=session["payment_method_configuration_details"],
        receipt_email=data.get("receipt_email"),
        setup_future_usage=data.get("setup_future_usage"),
        statement_descriptor=data.get("statement_descriptor"),
        statement_descriptor_suffix=data.get("statement_descriptor_suffix"),
    )
    session["payment_intent"] = intent["id"]
    ctx.put(session)
    return intent


def _settle_customer(ctx: Context, session: Json, intent: Json, method: Json) -> None:
    """On confirmation: a guest's customer if asked for, the given one's updates, the saved card."""
    details = session["customer_details"]
    customer = _customer(ctx, session)
    if customer is None and session["customer_creation"] == "always":
        customer = customers.build(
            ctx,
            {
                "email": details["email"],
                "name": details["name"],
                "address": details["address"],
                "tax_id_data": details["tax_ids"],
            },
        )
        session["customer"] = customer["id"]
    elif customer is not None:
        _update_customer(ctx, session, customer, details)
    if customer is None:
        method["_used_up"] = True
        ctx.put(method)
        return
    intent["customer"] = customer["id"]
    if session["_intent_data"].get("setup_future_usage"):
        method["allow_redisplay"] = "limited"
        payments.attach(ctx, method, customer["id"])
    else:
        method["_used_up"] = True
        ctx.put(method)


def _update_customer(ctx: Context, session: Json, customer: Json, details: Json) -> None:
    changes: Json = {}
    if not customer["email"]:
        changes["email"] = details["email"]
    if _updates(session, "address"):
        changes["address"] = details["address"]
    if _updates(session, "name"):
        changes["name"] = details["name"]
    before = {name: customer[name] for name, value in changes.items() if customer[name] != value}
    if before:
        customer.update(changes)
        ctx.put(customer)
        ctx.emit("customer.updated", customer, before)
    known = {(item["type"], item["value"]) for item in customers.tax_ids_of(ctx, customer["id"])}
    for item in details["tax_ids"]:
        if (item["type"], item["value"]) not in known:
            try:
                customers.add_tax_id(ctx, customer["id"], item["type"], item["value"])
            except StripeError:
                continue
