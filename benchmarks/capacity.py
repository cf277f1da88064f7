"""DynamoDB's rules of what items weigh and what reads cost, where an emulator doesn't say."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any

_READ_BYTES = 4096  # of an item, for one unit


def size(item: Mapping[str, Any]) -> int:
    """Bytes of an item as the wire has it, names included."""
    return sum(len(name.encode()) + _value(value) for name, value in item.items())


def batch_read_units(request: Mapping[str, Any], answer: Mapping[str, Any]) -> float:
    """What a BatchGetItem consumes: each of its keys a unit for every started 4 kB if consistent,
    else half of it; one that leads to nothing, as much as the smallest item."""
    total = 0.0
    for name, asked in request["RequestItems"].items():
        found = answer["Responses"].get(name, [])
        unread = answer.get("UnprocessedKeys", {}).get(name, {}).get("Keys", [])
        steps = sum(-(-size(item) // _READ_BYTES) for item in found)
        steps += len(asked["Keys"]) - len(found) - len(unread)
        total += steps if asked.get("ConsistentRead") else steps / 2
    return total


def _value(value: Mapping[str, Any]) -> int:
    ((kind, content),) = value.items()
    match kind:
        case "S":
            return len(content.encode())
        case "N":
            return 1 + (len(content.lstrip("-").strip("0")) + 1) // 2
        case "B":  # the wire has base64 of it
            return len(b64decode(content) if isinstance(content, str) else content)
        case "SS":
            return sum(len(text.encode()) for text in content)
        case "L":
            return 3 + sum(1 + _value(member) for member in content)
        case "M":
            return 3 + len(content) + size(content)
    return 1  # true, false or null
