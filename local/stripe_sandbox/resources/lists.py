"""Stripe's lists: newest first, `limit`, `starting_after`, `ending_before`, `created` ranges."""

from __future__ import annotations

from ..context import Context
from ..errors import Json, exclusive_params, invalid, no_such

_DEFAULT_LIMIT, _MAX_LIMIT = 10, 100


def page(ctx: Context, items: list[Json], url: str) -> Json:
    """`items` newest first, already filtered by what only their kind has."""
    params = ctx.params
    limit = params.get("limit", _DEFAULT_LIMIT)
    if not 1 <= limit <= _MAX_LIMIT:
        raise invalid(
            "Invalid integer: limit must be between 1 and 100", "limit", "parameter_invalid_integer"
        )
    if "starting_after" in params and "ending_before" in params:
        raise exclusive_params("starting_after", "ending_before")
    items = [item for item in items if _in_range(item, params.get("created"))]
    ids = [item["id"] for item in items]
    if "starting_after" in params:
        start = _position(ids, params["starting_after"], "starting_after") + 1
        chosen, more = items[start : start + limit], start + limit < len(items)
    elif "ending_before" in params:
        end = _position(ids, params["ending_before"], "ending_before")
        chosen, more = items[max(0, end - limit) : end], end > limit
    else:
        chosen, more = items[:limit], len(items) > limit
    return {"object": "list", "url": url, "has_more": more, "data": chosen}


def _position(ids: list[str], id_: str, param: str) -> int:
    if id_ not in ids:
        raise no_such("object", id_, param, in_path=False)
    return ids.index(id_)


def _in_range(item: Json, created: int | dict[str, int] | None) -> bool:
    if created is None:
        return True
    value = int(item["created"])
    if isinstance(created, int):
        return value == created
    return (
        value > created.get("gt", -1)
        and value >= created.get("gte", 0)
        and value < created.get("lt", 2**62)
        and value <= created.get("lte", 2**62)
    )


def everything(items: list[Json], url: str) -> Json:
    """A list inside another object."""
    return {"object": "list", "data": items, "has_more": False, "url": url}
