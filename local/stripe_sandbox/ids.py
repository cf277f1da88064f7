"""Identifiers as Stripe writes them: a prefix for the type, then random letters and digits."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_letters + string.digits


def random_text(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def new_id(prefix: str, length: int = 24) -> str:
    return f"{prefix}_{random_text(length)}"


def session_id(livemode: bool) -> str:
    return f"cs_{'live' if livemode else 'test'}_a1{random_text(56)}"


def client_secret(id_: str) -> str:
    return f"{id_}_secret_{random_text(25)}"
