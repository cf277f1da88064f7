"""Identifiers: prefixed, unguessable, and where one thing follows from another, derived from it."""

from __future__ import annotations

import hashlib
import secrets
import string

_ALPHABET = string.digits + string.ascii_letters
_LENGTH = 26  # 26 characters of 62 are 154 random bits; the contract asks for 128


def new_id(prefix: str) -> str:
    """``new_id("pay")`` is ``pay_`` and 26 random letters and digits."""
    return f"{prefix}_{''.join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))}"


def derived_id(prefix: str, *source: str) -> str:
    """The same id for the same source, so that doing a thing twice makes it once."""
    number = int.from_bytes(hashlib.sha256("\0".join(source).encode()).digest())
    characters = []
    for _ in range(_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return f"{prefix}_{''.join(characters)}"
