"""Cursors: a place in one list of one organization and mode, signed so that it fits no other.

The signature covers the list's name, its filter and whose it is, so a cursor that was changed, or
belongs elsewhere, is refused rather than read.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re

_FORM = re.compile(r"[A-Za-z0-9_-]{1,400}", re.ASCII)
_MAC_BYTES = 16


def seal(position: str, scope: tuple[str, ...], signing_key: str) -> str:
    """The cursor of a position; ``scope`` is everything that it must not be used beyond."""
    mac = _mac(position, scope, signing_key)
    return base64.urlsafe_b64encode(mac + position.encode()).decode().rstrip("=")


def unseal(cursor: str, scope: tuple[str, ...], signing_key: str) -> str | None:
    """The position, or None for a cursor that was not sealed for this scope."""
    if not _FORM.fullmatch(cursor):
        return None
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        position = raw[_MAC_BYTES:].decode()
    except (binascii.Error, ValueError):
        return None
    # The same bytes have several base64 texts; only the one that was given out is taken.
    given_out = hmac.compare_digest(cursor, seal(position, scope, signing_key))
    return position if given_out else None


def _mac(position: str, scope: tuple[str, ...], signing_key: str) -> bytes:
    message = "\0".join(("cursor", *scope, position)).encode()
    return hmac.digest(signing_key.encode(), message, "sha256")[:_MAC_BYTES]
