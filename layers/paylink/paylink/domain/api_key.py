"""API keys: ``ck_live_…`` with full access or ``rk_live_…`` with listed permissions (``sandbox``
likewise); then an id to find the key by, a secret, and a check part.

Only a hash is stored. The secret has 190 random bits, so a plain SHA-256 can't be reversed; the
check part lets most typos and guesses fail without a look at the table.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
import zlib
from dataclasses import dataclass
from datetime import datetime

from paylink.domain.ids import derived_id
from paylink.domain.organization import Mode

_ALPHABET = string.digits + string.ascii_letters
_ID_LENGTH, _SECRET_LENGTH, _CHECK_LENGTH = 12, 32, 6
_FORM = re.compile(
    rf"[cr]k_(?P<mode>live|sandbox)_(?P<id>[0-9A-Za-z]{{{_ID_LENGTH}}})"
    rf"[0-9A-Za-z]{{{_SECRET_LENGTH}}}(?P<check>[0-9A-Za-z]{{{_CHECK_LENGTH}}})",
    re.ASCII,
)


@dataclass(frozen=True)
class ApiKey:
    """What is kept of a key. It decides whose the request is, and in which mode."""

    id: str
    organization_id: str
    mode: Mode
    name: str
    secret_hash: str
    prefix: str
    """The first characters, by which people tell keys apart."""
    created_at: datetime
    expires_at: datetime | None = None
    permissions: frozenset[str] | None = None
    """``payment:read`` and the like; None is full access."""
    last_used_at: datetime | None = None

    def accepts(self, plain: str, now: datetime) -> bool:
        """Whether this is the key, and still good; takes the same time for any wrong one."""
        matches = hmac.compare_digest(self.secret_hash, hash_of(plain))
        return matches and (self.expires_at is None or now < self.expires_at)


RESOURCES = ("payment", "customer", "invoice", "transaction", "webhook", "api_key")
ACTIONS = ("read", "write")
PERMISSIONS = frozenset(f"{resource}:{action}" for resource in RESOURCES for action in ACTIONS)


def hash_of(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()


def key_id_of(plain: str) -> str | None:
    """The id within a well-formed key, else None."""
    form = _FORM.fullmatch(plain)
    if form is None or _check_part(plain[:-_CHECK_LENGTH]) != form["check"]:
        return None
    return form["id"]


def generate(
    organization_id: str,
    mode: Mode,
    name: str,
    now: datetime,
    expires_at: datetime | None = None,
    permissions: frozenset[str] | None = None,
    seed: bytes | None = None,
) -> tuple[ApiKey, str]:
    """A new key and its plain text, which is shown once and kept nowhere.

    A ``seed`` of at least 32 secret bytes makes the same key again, for the retry of a request
    whose answer must not be stored.
    """
    key_id, secret = _random(_ID_LENGTH), _random(_SECRET_LENGTH)
    if seed is not None:
        key_id = derived_id("", "key id", seed.hex())[1 : _ID_LENGTH + 1]
        halves = (derived_id("", f"key secret {half}", seed.hex())[1:] for half in "12")
        secret = "".join(halves)[:_SECRET_LENGTH]
    kind = "ck" if permissions is None else "rk"
    body = f"{kind}_{mode}_{key_id}{secret}"
    plain = body + _check_part(body)
    key = ApiKey(
        id=key_id,
        organization_id=organization_id,
        mode=mode,
        name=name,
        secret_hash=hash_of(plain),
        prefix=f"{kind}_{mode}_{key_id[:4]}",
        created_at=now,
        expires_at=expires_at,
        permissions=permissions,
    )
    return key, plain


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _check_part(body: str) -> str:
    number = zlib.crc32(body.encode())
    characters = []
    for _ in range(_CHECK_LENGTH):
        number, index = divmod(number, len(_ALPHABET))
        characters.append(_ALPHABET[index])
    return "".join(characters)
