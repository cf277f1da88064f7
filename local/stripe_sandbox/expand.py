"""`expand[]`: ids become their objects, and members that are left out by default appear."""

# ruff: noqa: ARG005 - every member is made by a function of the same two arguments

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .context import Context
from .errors import Json, invalid
from .resources import customers, lists

_MAX_DEPTH = 4

# (type, member): the members that Stripe leaves out unless asked for.
_LEFT_OUT: dict[tuple[str, str], Callable[[Context, Json], Any]] = {
    ("checkout.session", "line_items"): lambda ctx, body: lists.everything(
        body["_items"], f"/v1/checkout/sessions/{body['id']}/line_items"
    ),
    ("charge", "refunds"): lambda ctx, body: lists.everything(
        ctx.store.select(ctx.scope, "refund", charge=body["id"]),
        f"/v1/charges/{body['id']}/refunds",
    ),
    ("customer", "tax_ids"): lambda ctx, body: lists.everything(
        customers.tax_ids_of(ctx, body["id"]), f"/v1/customers/{body['id']}/tax_ids"
    ),
    ("customer", "sources"): lambda ctx, body: lists.everything(
        [], f"/v1/customers/{body['id']}/sources"
    ),
    ("customer", "subscriptions"): lambda ctx, body: lists.everything(
        [], f"/v1/customers/{body['id']}/subscriptions"
    ),
    ("tax.calculation", "line_items"): lambda ctx, body: lists.everything(
        body["_items"], f"/v1/tax/calculations/{body['id']}/line_items"
    ),
    ("tax.calculation_line_item", "tax_breakdown"): lambda ctx, body: body["_breakdown"],
    ("item", "taxes"): lambda ctx, body: body["_taxes"],
    ("item", "discounts"): lambda ctx, body: [],
}


def expand(ctx: Context, body: Json, wanted: list[str]) -> Json:
    for path in wanted:
        parts = path.split(".")
        if len(parts) > _MAX_DEPTH + (parts[0] == "data"):
            raise invalid("You cannot expand more than 4 levels of a property.", "expand")
        _walk(ctx, body, parts, path)
    return body


def _walk(ctx: Context, body: Json, parts: list[str], path: str) -> None:
    kind, name, rest = str(body.get("object", "")), parts[0], parts[1:]
    if kind == "checkout.session" and parts[:2] == ["total_details", "breakdown"]:
        body["total_details"]["breakdown"] = body["_breakdown"]
        return
    left_out = _LEFT_OUT.get((kind, name))
    if left_out and name not in body:
        body[name] = left_out(ctx, body)
    if name not in body:
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    value = body[name]
    if isinstance(value, str):
        value = body[name] = _fetch(ctx, value, path)
    an_object = isinstance(value, dict) and "object" in value
    if value is None or (not rest and (left_out or an_object)):
        return
    if not rest:
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    for below in value if isinstance(value, list) else [value]:
        _walk(ctx, below, rest, path)


def _fetch(ctx: Context, id_: str, path: str) -> Json:
    found = ctx.store.find_any(id_)
    if found is None:
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    return found[1]


def strip(value: Any) -> Any:
    """Without the sandbox's own members, whose names begin with an underscore."""
    if isinstance(value, list):
        return [strip(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: below if name == "metadata" else strip(below)
        for name, below in value.items()
        if not name.startswith("_")
    }
