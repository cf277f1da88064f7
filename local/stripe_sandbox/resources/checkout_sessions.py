"""Checkout sessions in payment mode: their rules at creation, their prices, and their end."""

from __future__ import annotations

import hashlib
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from .. import money, payments, tax
from ..context import Context, public
from ..errors import Json, exclusive_params, invalid, missing_param, not_in_sandbox
from ..ids import new_id, random_text, session_id
from ..validation import merge_metadata
from . import customers, lists

_MIN_LIFE, _MAX_LIFE = 30 * 60, 24 * 3600
# Stripe checks `expires_at` with the clock of its own servers, a little behind the caller's.
_CLOCK_SLACK = 5
_MAX_URL = 5000
_MAX_PRODUCT_NAME = 250
_MAX_LINE_ITEMS = 100
_UNSUPPORTED = (
    "discounts",
    "optional_items",
    "shipping_options",
    "shipping_address_collection",
    "setup_intent_data",
    "subscription_data",
    "custom_fields",
    "customer_account",
)
_CHARGING = {"card": None, "us_bank_account": "usd", "sepa_debit": "eur"}


def create(ctx: Context) -> Json:
    params = ctx.params
    _check_supported(params)
    customer = _customer(ctx)
    account = ctx.account()
    items = _line_items(ctx, account)
    currency = items[0]["currency"]
    if str(params.get("currency", currency)).lower() != currency:
        raise invalid("`currency` must be that of the line items.", "currency")
    _check_urls(params)
    _check_tax_rules(ctx, customer, account)
    method_types = _method_types(params, currency)
    intent_data = params.get("payment_intent_data", {})
    for name in ("application_fee_amount", "on_behalf_of", "transfer_data", "transfer_group"):
        if name in intent_data:
            raise not_in_sandbox(f"payment_intent_data[{name}]")
    if intent_data.get("capture_method") == "manual":
        raise not_in_sandbox("payment_intent_data[capture_method]")
    id_ = session_id(ctx.livemode)
    automatic = bool(params.get("automatic_tax", {}).get("enabled"))
    branding = params.get("branding_settings", {})
    session: Json = {
        "id": id_,
        "object": "checkout.session",
        "adaptive_pricing": params.get("adaptive_pricing", {"enabled": True}),
        "after_expiration": None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount_subtotal": 0,
        "amount_total": 0,
        "automatic_tax": {
            "enabled": automatic,
            "liability": {"type": "self"} if automatic else None,
            "provider": "stripe" if automatic else None,
            "status": "requires_location_inputs" if automatic else None,
        },
        "billing_address_collection": params.get("billing_address_collection"),
        "branding_settings": {
            "background_color": branding.get("background_color") or "#ffffff",
            "border_style": branding.get("border_style") or "rounded",
            "button_color": branding.get("button_color") or "#0074d4",
            "display_name": branding.get("display_name") or account["business_profile"]["name"],
            "font_family": branding.get("font_family") or "default",
            "icon": None,
            "logo": None,
        },
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": {
            "business_name": None,
            "individual_name": None,
            "shipping_details": None,
        },
        "consent": None,
        "consent_collection": params.get("consent_collection"),
        "created": ctx.now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            name: (params.get("custom_text", {}).get(name) or None)
            for name in (
                "after_submit",
                "shipping_address",
                "submit",
                "terms_of_service_acceptance",
            )
        },
        "customer": customer["id"] if customer else None,
        "customer_account": None,
        "customer_creation": None if customer else params.get("customer_creation", "if_required"),
        "customer_details": _first_details(customer, params.get("customer_email")),
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "expires_at": _expiry(ctx),
        "integration_identifier": params.get("integration_identifier"),
        "invoice": None,
        "invoice_creation": {
            "enabled": False,
            "invoice_data": {
                "account_tax_ids": None,
                "custom_fields": None,
                "description": None,
                "footer": None,
                "issuer": None,
                "metadata": {},
                "rendering_options": None,
            },
        },
        "livemode": ctx.livemode,
        "locale": params.get("locale"),
        "managed_payments": {"enabled": False},
        "metadata": merge_metadata({}, params.get("metadata", {})),
        "mode": "payment",
        "name_collection": None,
        "optional_items": None,
        "origin_context": params.get("origin_context"),
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": {"id": "pmc_sandbox", "parent": None},
        "payment_method_options": _method_options(params),
        "payment_method_types": method_types,
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "presentment_details": None,
        "recovered_from": None,
        "redirect_on_completion": None,
        "return_url": None,
        "saved_payment_method_options": {
            "allow_redisplay_filters": ["always"],
            "payment_method_remove": "disabled",
            "payment_method_save": None,
        }
        if customer
        else None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params["success_url"],
        "tax_id_collection": {
            "enabled": bool(params.get("tax_id_collection", {}).get("enabled")),
            "required": params.get("tax_id_collection", {}).get("required", "never"),
        },
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{ctx.base_url}/c/pay/{id_}#{_fragment(id_)}",
        "wallet_options": None,
        "_items": items,
        "_intent_data": intent_data,
        "_customer_update": params.get("customer_update", {}),
        "_breakdown": {"discounts": [], "taxes": []},
    }
    known = (customer or {}).get("address")
    reprice(
        ctx,
        session,
        known,
        _business_ids(ctx, customer),
        exempt=(customer or {}).get("tax_exempt", "none"),
    )
    money.check_charge(
        session["amount_total"],
        currency,
        "line_items[0][price_data][unit_amount]",
        total="The Checkout Session's total amount due",
    )
    return ctx.put(session)


def _check_supported(params: Json) -> None:
    if "mode" not in params:
        raise missing_param("mode")
    if params["mode"] != "payment":
        raise not_in_sandbox(f"mode={params['mode']}")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise not_in_sandbox("ui_mode")
    for name in _UNSUPPORTED:
        if name in params:
            raise not_in_sandbox(name)
    if params.get("invoice_creation", {}).get("enabled"):
        raise not_in_sandbox("invoice_creation")


def _customer(ctx: Context) -> Json | None:
    params = ctx.params
    if "customer" not in params:
        if "customer_update" in params:
            raise invalid("`customer_update` can only be used with `customer`.", "customer_update")
        return None
    for name in ("customer_email", "customer_creation"):
        if name in params:
            raise exclusive_params("customer", name)
    return customers.alive(ctx, params["customer"], "customer")


def _check_urls(params: Json) -> None:
    if "success_url" not in params:
        raise missing_param("success_url")
    for name in ("success_url", "cancel_url"):
        if name in params:
            check_url(params[name], name)


def check_url(url: str, param: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    blank = any(character.isspace() or ord(character) < 32 for character in url)
    if not host or parts.scheme not in ("http", "https") or blank:
        raise invalid("Not a valid URL", param, "url_invalid")
    if len(url) > _MAX_URL:
        raise invalid(f"Invalid URL: must be at most {_MAX_URL} characters", param, "url_invalid")


def _check_tax_rules(ctx: Context, customer: Json | None, account: Json) -> None:
    params = ctx.params
    update = params.get("customer_update", {})
    if params.get("automatic_tax", {}).get("enabled"):
        if account["tax_settings"]["status"] != "active":
            mode = "live" if ctx.livemode else "test"
            raise invalid(
                "You must have a valid head office address to enable automatic tax calculation in "
                f"{mode} mode. Visit https://dashboard.stripe.com/settings/tax to update it.",
                code="stripe_tax_inactive",
            )
        located = True
        if customer:
            try:
                tax.place(customer["address"])
            except tax.LocationUnknownError:
                located = False
        if not located and "auto" not in (update.get("address"), update.get("shipping")):
            raise invalid(
                "Automatic tax calculation in Checkout requires a valid address on the Customer. "
                "Add a valid address to the Customer or set either `customer_update[address]` to "
                "'auto' or `customer_update[shipping]` to 'auto' to save the address entered in "
                "Checkout to the Customer.",
                code="customer_tax_location_invalid",
            )
    collects = customer and params.get("tax_id_collection", {}).get("enabled")
    if collects and update.get("name") != "auto":
        raise invalid(
            "Tax ID collection requires updating business name on the customer. To enable tax ID "
            "collection for an existing customer, please set `customer_update[name]` to `auto`."
        )


def _method_types(params: Json, currency: str) -> list[str]:
    allowed = params.get("allowed_payment_method_types")
    if "allowed_payment_method_types" in params and "excluded_payment_method_types" in params:
        raise exclusive_params("allowed_payment_method_types", "excluded_payment_method_types")
    excluded = params.get("excluded_payment_method_types", [])
    types = [
        name
        for name, only in _CHARGING.items()
        if only in (None, currency)
        and (allowed is None or name in allowed)
        and name not in excluded
    ]
    if not types:
        raise invalid(
            "No valid payment method types for this Checkout Session. Please ensure that you have "
            "activated payment methods compatible with your chosen currency.",
            "allowed_payment_method_types",
        )
    return types


def _method_options(params: Json) -> Json:
    given: Json = params.get("payment_method_options", {})
    return {"card": {"request_three_d_secure": "automatic"}, **given}


def _expiry(ctx: Context) -> int:
    asked = ctx.params.get("expires_at")
    if asked is None:
        return ctx.now + _MAX_LIFE
    if asked < ctx.now + _MIN_LIFE - _CLOCK_SLACK:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session "
            "creation.",
            "expires_at",
        )
    if asked > ctx.now + _MAX_LIFE + _CLOCK_SLACK:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.",
            "expires_at",
        )
    return int(asked)


def _fragment(id_: str) -> str:
    """Opaque, as Stripe's: the browser needs it unchanged, nobody else may look into it."""
    return "fid" + hashlib.sha256(id_.encode()).hexdigest() + random_text(60) + "%2F"


def _first_details(customer: Json | None, email: str | None) -> Json | None:
    if customer is None and email is None:
        return None
    details = customer or {}
    return {
        "address": None,
        "business_name": None,
        "email": details.get("email") or email,
        "individual_name": None,
        "name": None,
        "phone": None,
        "tax_exempt": details.get("tax_exempt", "none"),
        "tax_ids": None,
    }


# -- line items and prices


def _line_items(ctx: Context, account: Json) -> list[Json]:
    given = ctx.params.get("line_items")
    if not given:
        raise missing_param("line_items")
    if len(given) > _MAX_LINE_ITEMS:
        raise invalid(f"`line_items` holds at most {_MAX_LINE_ITEMS} items.", "line_items")
    items = [
        _line_item(ctx, account, item, f"line_items[{index}]") for index, item in enumerate(given)
    ]
    if len({item["currency"] for item in items}) > 1:
        raise invalid("All line items must have the same currency.", "line_items")
    return items


def _line_item(ctx: Context, account: Json, given: Json, where: str) -> Json:
    if "adjustable_quantity" in given and given["adjustable_quantity"]["enabled"]:
        raise not_in_sandbox(f"{where}[adjustable_quantity]")
    if "price" in given and "price_data" in given:
        raise exclusive_params(f"{where}[price]", f"{where}[price_data]")
    if "quantity" not in given:
        raise invalid(
            "Quantity is required. Add `quantity` to your request.",
            f"{where}[quantity]",
            "parameter_missing",
        )
    if given["quantity"] < 1:
        raise invalid(
            "This value must be greater than or equal to 1.",
            f"{where}[quantity]",
            "parameter_invalid_integer",
        )
    if "price" in given:
        price = ctx.find("price", given["price"], f"{where}[price]")
        product = ctx.find("product", price["product"], where)
    elif "price_data" in given:
        price, product = _inline_price(ctx, given["price_data"], f"{where}[price_data]")
    else:
        raise missing_param(f"{where}[price]")
    automatic = ctx.params.get("automatic_tax", {}).get("enabled")
    rates = [ctx.find("tax_rate", id_, f"{where}[tax_rates]") for id_ in given.get("tax_rates", [])]
    if automatic and rates:
        raise invalid(
            "`tax_rates` can't be used when automatic tax is enabled.", f"{where}[tax_rates]"
        )
    behavior = price["tax_behavior"]
    if automatic and behavior == "unspecified":
        behavior = account["tax_settings"]["tax_behavior"]
        if not behavior:
            raise invalid(
                f"In order to use automatic tax, `{where}[price_data][tax_behavior]` must be set to"
                " `inclusive` or `exclusive`, or your account needs a default tax behavior.",
                f"{where}[price_data][tax_behavior]",
                "parameter_missing",
            )
    return {
        "id": new_id("li"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": price["unit_amount"] * given["quantity"],
        "amount_tax": 0,
        "amount_total": price["unit_amount"] * given["quantity"],
        "currency": price["currency"],
        "description": product["name"],
        "metadata": merge_metadata({}, given.get("metadata", {})),
        "price": public(price),
        "quantity": given["quantity"],
        "_taxes": [],
        "_detail": product["description"],
        "_behavior": behavior,
        "_rates": rates,
    }


def _inline_price(ctx: Context, given: Json, where: str) -> tuple[Json, Json]:
    currency = money.check_currency(given["currency"], f"{where}[currency]")
    if "recurring" in given:
        raise not_in_sandbox(f"{where}[recurring]")
    if "unit_amount" in given and "unit_amount_decimal" in given:
        raise exclusive_params(f"{where}[unit_amount]", f"{where}[unit_amount_decimal]")
    amount: Any = given.get("unit_amount", given.get("unit_amount_decimal"))
    if amount is None:
        raise missing_param(f"{where}[unit_amount]")
    if amount != int(amount):
        raise not_in_sandbox(f"{where}[unit_amount_decimal]")
    money.check_unit(int(amount), currency, f"{where}[unit_amount]")
    if "product" in given and "product_data" in given:
        raise exclusive_params(f"{where}[product]", f"{where}[product_data]")
    if "product" in given:
        product = ctx.find("product", given["product"], f"{where}[product]")
    elif "product_data" in given:
        product = new_product(ctx, given["product_data"], f"{where}[product_data]")
    else:
        raise missing_param(f"{where}[product]")
    price = ctx.put(
        {
            "id": new_id("price"),
            "object": "price",
            "active": False,
            "billing_scheme": "per_unit",
            "created": ctx.now,
            "currency": currency,
            "custom_unit_amount": None,
            "livemode": ctx.livemode,
            "lookup_key": None,
            "metadata": {},
            "nickname": None,
            "product": product["id"],
            "recurring": None,
            "tax_behavior": given.get("tax_behavior", "unspecified"),
            "tiers_mode": None,
            "transform_quantity": None,
            "type": "one_time",
            "unit_amount": int(amount),
            "unit_amount_decimal": str(int(amount)),
        }
    )
    return price, product


def new_product(ctx: Context, given: Json, where: str) -> Json:
    if len(given["name"]) > _MAX_PRODUCT_NAME:
        raise invalid(
            f"Invalid string: {given['name'][:20]}...; must be at most {_MAX_PRODUCT_NAME} "
            "characters",
            f"{where}[name]",
        )
    return ctx.put(
        {
            "id": new_id("prod", 14),
            "object": "product",
            "active": False,
            "created": ctx.now,
            "default_price": None,
            "description": given.get("description"),
            "images": given.get("images", []),
            "livemode": ctx.livemode,
            "marketing_features": [],
            "metadata": merge_metadata({}, given.get("metadata", {})),
            "name": given["name"],
            "package_dimensions": None,
            "shippable": None,
            "statement_descriptor": None,
            "tax_code": given.get("tax_code"),
            "tax_details": None,
            "type": "service",
            "unit_label": given.get("unit_label"),
            "updated": ctx.now,
            "url": None,
        }
    )


def _business_ids(ctx: Context, customer: Json | None) -> list[Json]:
    return customers.tax_ids_of(ctx, customer["id"]) if customer else []


def reprice(
    ctx: Context, session: Json, address: Json | None, tax_ids: list[Json], *, exempt: str = "none"
) -> None:
    """Sets the session's amounts and tax for a buyer at `address`; doesn't save it."""
    account = ctx.account()
    automatic = session["automatic_tax"]
    override = {"exempt": "customer_exempt", "reverse": "reverse_charge"}.get(exempt, "none")
    lines: list[tax.TaxLine] = []
    status = automatic["status"]
    static: list[Json] = []
    for item in session["_items"]:
        amount = item["amount_subtotal"]
        taxed = tax.Taxed(amount, 0, amount)
        if automatic["enabled"]:
            try:
                taxed = tax.compute(
                    amount,
                    session["currency"],
                    inclusive=item["_behavior"] == "inclusive",
                    address=address or {},
                    registrations=account["tax_registrations"],
                    seller_country=account["tax_settings"]["head_office"]["country"],
                    tax_ids=tax_ids,
                    override=override,
                )
                status = "complete"
            except tax.LocationUnknownError:
                status = "requires_location_inputs"
        elif item["_rates"]:
            taxed, taxes = _static(item, session["currency"])
            static += taxes
            item["_taxes"] = taxes
        if automatic["enabled"]:
            item["_taxes"] = tax.breakdown(taxed.lines, livemode=ctx.livemode, created=ctx.now)
        item["amount_tax"] = taxed.tax
        item["amount_total"] = taxed.total
        lines += taxed.lines
    items = session["_items"]
    session["amount_subtotal"] = sum(item["amount_subtotal"] for item in items)
    session["amount_total"] = sum(item["amount_total"] for item in items)
    session["total_details"]["amount_tax"] = sum(item["amount_tax"] for item in items)
    automatic["status"] = status if automatic["enabled"] else None
    taxes = tax.breakdown(lines, livemode=ctx.livemode, created=ctx.now)
    session["_breakdown"] = {"discounts": [], "taxes": taxes if automatic["enabled"] else static}


def _static(item: Json, currency: str) -> tuple[tax.Taxed, list[Json]]:
    """Tax by the rates that the seller named: exclusive and inclusive ones can't be mixed."""
    rates = item["_rates"]
    inclusive = bool(rates[0]["inclusive"])
    if any(bool(rate["inclusive"]) != inclusive for rate in rates):
        raise invalid(
            "Tax rates of a line item must be all inclusive or all exclusive.", "line_items"
        )
    parts = [
        tax.Component(
            rate["id"],
            rate["display_name"],
            Decimal(str(rate["percentage"])),
            rate["country"] or "",
            rate["state"],
        )
        for rate in rates
    ]
    taxed = tax.apply_rates(item["amount_subtotal"], currency, parts, inclusive=inclusive)
    entries = [
        {
            "amount": line.amount,
            "rate": public(rate),
            "taxability_reason": None,
            "taxable_amount": line.taxable,
        }
        for line, rate in zip(taxed.lines, rates, strict=True)
    ]
    return taxed, entries


# -- reading and ending


def retrieve(ctx: Context) -> Json:
    return ctx.find("checkout.session", ctx.path["id"], "session", in_path=True)


def list_all(ctx: Context) -> Json:
    columns = {
        name: ctx.params[name]
        for name in ("payment_intent", "customer", "status")
        if name in ctx.params
    }
    items = ctx.store.select(ctx.scope, "checkout.session", **columns)
    if "customer_details" in ctx.params:
        email = ctx.params["customer_details"]["email"]
        items = [item for item in items if (item["customer_details"] or {}).get("email") == email]
    return lists.page(ctx, items, "/v1/checkout/sessions")


def list_line_items(ctx: Context) -> Json:
    session = retrieve(ctx)
    return lists.page(ctx, session["_items"], f"/v1/checkout/sessions/{session['id']}/line_items")


def expire(ctx: Context) -> Json:
    session = retrieve(ctx)
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout '
            f"Session has a status of `{session['status']}`.",
        )
    return end(ctx, session)


def end(ctx: Context, session: Json) -> Json:
    session.update(status="expired", url=None)
    ctx.put(session)
    intent_id = session["payment_intent"]
    if intent_id:
        intent = ctx.find("payment_intent", intent_id, "payment_intent")
        if intent["status"] not in ("succeeded", "canceled", "processing"):
            payments.cancel(ctx, intent, "expired")
    ctx.emit("checkout.session.expired", session)
    return session


def update(ctx: Context) -> Json:
    session = retrieve(ctx)
    for name in ctx.params:
        if name not in ("metadata", "expand"):
            raise not_in_sandbox(name)
    if "metadata" in ctx.params:
        session["metadata"] = merge_metadata(session["metadata"], ctx.params["metadata"])
    return ctx.put(session)
