"""Signed, expiring permission to download one document; the signature is the organization's."""

from __future__ import annotations

import hmac
import re
from datetime import datetime

_TOKEN = re.compile(r"(\d{1,11})\.([0-9a-f]{64})", re.ASCII)


def sign(document_id: str, expires_at: datetime, signing_key: str) -> str:
    """A token that opens the document until the given moment."""
    instant = int(expires_at.timestamp())
    return f"{instant}.{_signature(document_id, instant, signing_key)}"


def link_to(base_url: str, document_id: str, token: str) -> str:
    """The address that a token opens."""
    return f"{base_url}/documents/{document_id}?token={token}"


def opens(token: str, document_id: str, now: datetime, signing_key: str) -> bool:
    """Whether the token was signed for this document and its time isn't over."""
    form = _TOKEN.fullmatch(token)
    if form is None:
        return False
    expected = _signature(document_id, int(form[1]), signing_key)
    return hmac.compare_digest(expected, form[2]) and now.timestamp() < int(form[1])


def _signature(document_id: str, instant: int, signing_key: str) -> str:
    message = f"download\0{document_id}\0{instant}".encode()
    return hmac.new(signing_key.encode(), message, "sha256").hexdigest()
