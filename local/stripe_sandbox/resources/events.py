"""Events: what happened, and whether every endpoint was told."""

from __future__ import annotations

from fnmatch import fnmatchcase

from ..context import Context
from ..errors import Json, exclusive_params, invalid
from . import lists

_KEPT = 30 * 24 * 3600
_MAX_TYPES = 20


def view(ctx: Context, event: Json) -> Json:
    return {**event, "pending_webhooks": ctx.store.undelivered(event["id"])}


def retrieve(ctx: Context) -> Json:
    return view(ctx, ctx.find("event", ctx.path["id"], "id", in_path=True))


def list_all(ctx: Context) -> Json:
    params = ctx.params
    if "type" in params and "types" in params:
        raise exclusive_params("type", "types")
    if len(params.get("types", [])) > _MAX_TYPES:
        raise invalid(f"`types` holds at most {_MAX_TYPES} names.", "types")
    wanted = params.get("types") or ([params["type"]] if "type" in params else ["*"])
    oldest = ctx.now - _KEPT
    items = [
        event
        for event in ctx.store.select(ctx.scope, "event")
        if event["created"] >= oldest and any(fnmatchcase(event["type"], name) for name in wanted)
    ]
    if "delivery_success" in params:
        done = params["delivery_success"]
        items = [event for event in items if (ctx.store.undelivered(event["id"]) == 0) == done]
    answer = lists.page(ctx, items, "/v1/events")
    answer["data"] = [view(ctx, event) for event in answer["data"]]
    return answer
