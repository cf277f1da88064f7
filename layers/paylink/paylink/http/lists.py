"""Query strings of lists, and their envelope."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from paylink.domain.errors import ValidationError
from paylink.http.auth import Caller
from paylink.http.envelope import Response
from paylink.http.request import Request
from paylink.services.list_items import ListRequest, Page

DEFAULT_LIMIT = 20
LARGEST_LIMIT = 100
_NUMBER = re.compile(r"[0-9]{1,3}", re.ASCII)

Thing = TypeVar("Thing")


def list_request(request: Request, caller: Caller, filters: Sequence[str] = ()) -> ListRequest:
    """The page that a query asks for; ``filters`` name the parameters that narrow the list.

    Unknown parameters are ignored, as unknown headers are. Raises ValidationError.
    """
    limit = request.query.get("limit", str(DEFAULT_LIMIT))
    if not _NUMBER.fullmatch(limit) or not 1 <= int(limit) <= LARGEST_LIMIT:
        raise ValidationError.of("limit", f"It must be a whole number from 1 to {LARGEST_LIMIT}.")
    return ListRequest(
        organization_id=caller.organization_id,
        mode=caller.mode,
        name=request.route,
        filters=tuple(f"{name}={request.query.get(name, '')}" for name in filters),
        limit=int(limit),
        cursor=request.query.get("cursor"),
    )


def choice(request: Request, name: str, allowed: Sequence[str]) -> str | None:
    """A query parameter that takes one of a few words; ValidationError for another."""
    value = request.query.get(name)
    if value is not None and value not in allowed:
        raise ValidationError.of(name, f"It must be one of {', '.join(allowed)}.")
    return value


def page_response(page: Page[Thing], present: Callable[[Thing], Any]) -> Response:
    body = {
        "success": True,
        "data": [present(item) for item in page.items],
        "hasMore": page.has_more,
        "nextCursor": page.next_cursor,
    }
    return Response(200, json.dumps(body, ensure_ascii=False))
