"""Whose request it is: the account and mode are read off the secret key.

`sk_test_<account>_<rest>` and `sk_live_<account>_<rest>` belong to `acct_<account>`. A test key
without a second part (`sk_test_x`) may read every account's test objects; it writes to its own.
"""

from __future__ import annotations

import base64
import binascii
import re

from .errors import unauthorized
from .storage import Scope

_KEY = re.compile(r"(?:sk|rk)_(test|live)_([A-Za-z0-9]+)(_[A-Za-z0-9_]+)?\Z")
_DEFAULT = "acct_default"


def scope_of(authorization: str | None) -> Scope:
    """Raises the 401 that Stripe gives for a missing or malformed key."""
    key = _key(authorization or "")
    if not key:
        raise unauthorized(
            "You did not provide an API key. You need to provide your API key in the Authorization "
            "header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See "
            "https://stripe.com/docs/api#authentication for details, or we can help at "
            "https://support.stripe.com/."
        )
    found = _KEY.match(key)
    if not found:
        shown = f"{key[:8]}{'*' * 8}{key[-4:]}" if len(key) > 16 else "*" * len(key)
        raise unauthorized(f"Invalid API Key provided: {shown}")
    livemode = found[1] == "live"
    if not found[3]:
        return Scope(_DEFAULT, livemode, read_all=not livemode)
    return Scope(f"acct_{found[2]}", livemode)


def _key(authorization: str) -> str:
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
