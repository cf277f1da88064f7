"""Charges and balance transactions: read only, payments make them."""

from __future__ import annotations

from ..context import Context
from ..errors import Json
from . import lists


def retrieve(ctx: Context) -> Json:
    return ctx.find("charge", ctx.path["id"], "charge", in_path=True)


def list_all(ctx: Context) -> Json:
    columns = {
        name: ctx.params[name] for name in ("payment_intent", "customer") if name in ctx.params
    }
    return lists.page(ctx, ctx.store.select(ctx.scope, "charge", **columns), "/v1/charges")


def retrieve_balance(ctx: Context) -> Json:
    return ctx.find("balance_transaction", ctx.path["id"], "id", in_path=True)


def list_balance(ctx: Context) -> Json:
    items = ctx.store.select(ctx.scope, "balance_transaction")
    for name in ("source", "currency", "type"):
        if name in ctx.params:
            items = [item for item in items if item[name] == ctx.params[name]]
    return lists.page(ctx, items, "/v1/balance_transactions")
