"""Decodes form-encoded parameters with nested brackets: `a[b][0][c]=x` and `a[]=x`.

Everything stays text here, lists are dicts with numbers as keys: only the typed validation knows
whether `{"0": …}` is a list or metadata with such a key.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from .errors import invalid

_SEGMENT = re.compile(r"\[([^\[\]]*)\]")
_MAX_DEPTH = 12


def decode(text: str) -> dict[str, Any]:
    """Raises StripeError for names whose brackets don't match."""
    result: dict[str, Any] = {}
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, encoding="utf-8", errors="strict", max_num_fields=5000
        )
    except ValueError as error:
        raise invalid(f"Invalid request body: {error}", stored=False) from error
    for name, value in pairs:
        _put(result, _path(name), value, name)
    return result


def _path(name: str) -> list[str]:
    root, bracket, rest = name.partition("[")
    if not bracket:
        return [root]
    rest = bracket + rest
    segments = _SEGMENT.findall(rest)
    if "".join(f"[{segment}]" for segment in segments) != rest or len(segments) > _MAX_DEPTH:
        raise invalid(
            f"Invalid parameter name: {name}. Keys may not contain square brackets.",
            root or name,
            stored=False,
        )
    return [root, *segments]


def _put(target: dict[str, Any], path: list[str], value: str, name: str) -> None:
    for part in path[:-1]:
        key = part if part else str(len(target))
        below = target.setdefault(key, {})
        if not isinstance(below, dict):
            raise invalid(f"Invalid hash: {name}", path[0], stored=False)
        target = below
    last = path[-1] if path[-1] else str(len(target))
    if isinstance(target.get(last), dict):
        raise invalid(f"Invalid string: {name}", path[0], stored=False)
    target[last] = value


def flatten(value: Any, name: str = "") -> dict[str, str]:
    """The opposite, for logs: nested parameters as one flat dict of bracketed names."""
    if not isinstance(value, dict):
        return {name: str(value)}
    flat: dict[str, str] = {}
    for key, below in value.items():
        flat.update(flatten(below, f"{name}[{key}]" if name else str(key)))
    return flat
