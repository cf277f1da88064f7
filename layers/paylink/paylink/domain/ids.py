"""Identifiers: prefixed, unguessable, and where one thing follows from another, derived from it."""

from __future__ import annotations

import hashlib
import secrets
import string

_ALPHABET = string.digits + string.ascii_letters
_LENGTH = 26  # 26 characters of 62 are 154 random bits; the contract asks for 128


def new_id(prefix: str) -> str:
    """``new_id("pay")`` is ``pay_`` and 26 random letters and digits."""
    return f"{prefix}_{_characters(secrets.randbelow(len(_ALPHABET) ** _LENGTH))}"


def derived_id(prefix: str, *source: str) -> str:
    """The same id for the same source, so that doing a thing twice makes it once."""
    digest = hashlib.sha256("\0".join(source).encode()).digest()
    return f"{prefix}_{_characters(int.from_bytes(digest))}"


def is_id(text: str, prefix: str) -> bool:
    """Whether a text has the form of one of our ids."""
    head, _, rest = text.partition("_")
    return head == prefix and len(rest) == _LENGTH and set(rest) <= set(_ALPHABET)


def _characters(number: int) -> str:
    characters = []
    for _ in range(_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)
