"""What the reference says about a route, next to the route.

Only names things that its function has imported anyway; schemas, examples and pages are made of it
by `tools.reference`, never in a function.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paylink.domain.errors import PaylinkError


@dataclass(frozen=True)
class Operation:
    """One route. What follows from its method, permission and path isn't repeated here.

    ``request`` is the body's model, ``response`` the TypedDict under ``data`` (of each item, if
    ``listed``), ``also`` other statuses with the same answer, ``query`` the parameters' types,
    ``errors`` those of this very operation, and ``files`` the media types of an answer that is a
    file instead of an object.
    """

    summary: str
    response: type
    description: str = ""
    request: type | None = None
    status: int = 200
    also: tuple[int, ...] = ()
    listed: bool = False
    query: Mapping[str, Any] = field(default_factory=dict)
    errors: tuple[type[PaylinkError], ...] = ()
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Route:
    """A route as the reference finds it; without a permission, it is anybody's."""

    key: str
    handler: str
    permission: str | None = None
    doc: Operation | None = None
