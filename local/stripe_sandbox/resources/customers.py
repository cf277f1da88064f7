"""Customers and their tax ids."""

from __future__ import annotations

from .. import payments, tax
from ..context import Context
from ..errors import Json, invalid
from ..ids import new_id, random_text
from ..validation import merge_metadata
from . import lists

_PLAIN = (
    "business_name",
    "description",
    "email",
    "individual_name",
    "name",
    "phone",
    "preferred_locales",
    "balance",
    "next_invoice_sequence",
    "invoice_prefix",
)
UNSETTABLE = frozenset({"description", "email", "name", "phone"})


def build(ctx: Context, params: Json) -> Json:
    """Saves a new customer and tells of it."""
    customer: Json = {
        "id": new_id("cus", 14),
        "object": "customer",
        "address": None,
        "balance": 0,
        "business_name": None,
        "cash_balance": None,
        "created": ctx.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "individual_name": None,
        "invoice_credit_balance": {},
        "invoice_prefix": random_text(8).upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": ctx.livemode,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }
    _change(ctx, customer, params)
    ctx.put(customer)
    for given in params.get("tax_id_data", []):
        add_tax_id(ctx, customer["id"], given["type"], given["value"])
    ctx.emit("customer.created", customer)
    return customer


def _change(ctx: Context, customer: Json, params: Json) -> None:
    for name in _PLAIN:
        if name in params:
            customer[name] = params[name] if params[name] != "" else None
    if "email" in params and customer["email"] and "@" not in customer["email"]:
        raise invalid(f"Invalid email address: {customer['email']}", "email", "email_invalid")
    if "address" in params:
        customer["address"] = payments.address(params["address"])
    if "shipping" in params:
        given = params["shipping"]
        customer["shipping"] = (
            {
                "address": payments.address(given["address"]),
                "name": given["name"],
                "phone": given.get("phone"),
            }
            if given
            else None
        )
    if params.get("tax_exempt"):
        customer["tax_exempt"] = params["tax_exempt"]
    if "metadata" in params:
        customer["metadata"] = merge_metadata(customer["metadata"], params["metadata"])
    default = (params.get("invoice_settings") or {}).get("default_payment_method")
    if default is not None:
        if default:
            method = ctx.find("payment_method", default, "invoice_settings[default_payment_method]")
            if method["customer"] != customer["id"]:
                raise invalid(
                    f"The customer does not have a payment method with the ID {default}. The "
                    "payment method must be attached to the customer.",
                    "invoice_settings[default_payment_method]",
                    "resource_missing",
                )
        customer["invoice_settings"]["default_payment_method"] = default or None
    check = (params.get("tax") or {}).get("validate_location")
    if check == "immediately":
        try:
            tax.place(customer["address"])
        except tax.LocationUnknownError:
            raise tax.location_invalid("address") from None


def create(ctx: Context) -> Json:
    return build(ctx, ctx.params)


def retrieve(ctx: Context) -> Json:
    return ctx.find("customer", ctx.path["id"], "id", in_path=True)


def alive(ctx: Context, id_: str, param: str, *, in_path: bool = False) -> Json:
    """A customer that can still be used: a deleted one is as good as none."""
    customer = ctx.find("customer", id_, param, in_path=in_path)
    if customer.get("deleted"):
        raise invalid(
            f"No such customer: '{id_}'", param, "resource_missing", status=404 if in_path else 400
        )
    return customer


def update(ctx: Context) -> Json:
    customer = alive(ctx, ctx.path["id"], "id", in_path=True)
    before = {name: customer.get(name) for name in ctx.params if name in customer}
    _change(ctx, customer, ctx.params)
    ctx.put(customer)
    changed = {name: old for name, old in before.items() if customer[name] != old}
    if changed:
        ctx.emit("customer.updated", customer, changed)
    return customer


def delete(ctx: Context) -> Json:
    customer = alive(ctx, ctx.path["id"], "id", in_path=True)
    ctx.emit("customer.deleted", customer)
    for method in ctx.store.select(ctx.own, "payment_method", customer=customer["id"]):
        method["customer"] = None
        method["_used_up"] = True
        ctx.put(method)
    gone = {"id": customer["id"], "object": "customer", "deleted": True}
    ctx.put({**gone, "_created": customer["created"]})
    return gone


def list_all(ctx: Context) -> Json:
    items = [item for item in ctx.store.select(ctx.scope, "customer") if not item.get("deleted")]
    if "email" in ctx.params:
        items = [item for item in items if item["email"] == ctx.params["email"]]
    return lists.page(ctx, items, "/v1/customers")


# -- tax ids


def tax_ids_of(ctx: Context, customer: str) -> list[Json]:
    return list(reversed(ctx.store.select(ctx.scope, "tax_id", customer=customer)))


def add_tax_id(ctx: Context, customer: str, type_: str, value: str) -> Json:
    bad = type_ == "eu_vat" and (len(value) < 4 or not value[:2].isalpha())
    if bad or len(value) > 50:
        raise invalid(f"Invalid value for {type_}.", "value", "tax_id_invalid")
    tax_id = ctx.put(
        {
            "id": new_id("txi"),
            "object": "tax_id",
            "country": tax.tax_id_country(type_, value),
            "created": ctx.now,
            "customer": customer,
            "customer_account": None,
            "livemode": ctx.livemode,
            "owner": {"customer": customer, "customer_account": None, "type": "customer"},
            "type": type_,
            "value": value,
            "verification": {
                "status": "pending" if type_ in ("eu_vat", "gb_vat") else "unavailable",
                "verified_address": None,
                "verified_name": None,
            },
        }
    )
    ctx.emit("customer.tax_id.created", tax_id)
    return tax_id


def create_tax_id(ctx: Context) -> Json:
    customer = alive(ctx, ctx.path["id"], "id", in_path=True)
    return add_tax_id(ctx, customer["id"], ctx.params["type"], ctx.params["value"])


def list_tax_ids(ctx: Context) -> Json:
    alive(ctx, ctx.path["id"], "id", in_path=True)
    items = ctx.store.select(ctx.scope, "tax_id", customer=ctx.path["id"])
    return lists.page(ctx, items, f"/v1/customers/{ctx.path['id']}/tax_ids")


def retrieve_tax_id(ctx: Context) -> Json:
    tax_id = ctx.find("tax_id", ctx.path["tax_id"], "id", in_path=True)
    if tax_id["customer"] != ctx.path["id"]:
        raise invalid(f"No such tax id: '{tax_id['id']}'", "id", "resource_missing", status=404)
    return tax_id


def delete_tax_id(ctx: Context) -> Json:
    tax_id = retrieve_tax_id(ctx)
    ctx.store.delete(tax_id["id"])
    ctx.emit("customer.tax_id.deleted", tax_id)
    return {"id": tax_id["id"], "object": "tax_id", "deleted": True}
