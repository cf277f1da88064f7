"""JSON as strictly as money needs it.

Python's own reader accepts NaN, keeps the last of duplicate keys and raises several error types on
hostile input; here all of that is one InvalidJsonError.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, NoReturn

from paylink.domain.errors import FieldProblem, InvalidJsonError, ValidationError

_LONGEST_BODY = 256 * 1024  # several times what the largest request that is valid takes
_LONGEST_NUMBER = 40
_BLANK = b" \t\r\n"


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body; integers stay integers, ``1000.0`` stays a float."""
    if len(body) > _LONGEST_BODY:
        raise InvalidJsonError(f"The request body is longer than {_LONGEST_BODY} bytes.")
    try:
        value = json.loads(
            body.decode(),
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_integer,
        )
    except UnicodeDecodeError:
        raise InvalidJsonError("The request body is not UTF-8.") from None
    except (ValueError, RecursionError):
        raise InvalidJsonError() from None
    if not isinstance(value, dict):
        raise InvalidJsonError("The request body must be a JSON object.")
    return value


def parse_optional(body: bytes) -> dict[str, Any]:
    """As `parse_object`, where a body may be left out: none or ``null`` is an empty object."""
    return {} if body.strip(_BLANK) in {b"", b"null"} else parse_object(body)


def expect_nothing(body: bytes) -> dict[str, Any]:
    """For requests that say all by their route: no body, an empty one, ``null`` or ``{}``."""
    unknown = parse_optional(body)
    if unknown:
        raise ValidationError(
            [FieldProblem(_printable(name), "There is no such field.") for name in unknown]
        )
    return unknown


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()[:100]


def canonical_hash(value: dict[str, Any]) -> str:
    """The same for the same JSON value, whatever the order and spacing it was sent in."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidJsonError("The request body has a member twice.")
    return members


def _refuse(constant: str) -> NoReturn:
    raise InvalidJsonError(f"{constant} is not JSON.")


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise InvalidJsonError("The request body has a number that is too long.")
    return int(digits)
