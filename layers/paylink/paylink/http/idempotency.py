"""The Idempotency-Key header: its form, and what makes two requests the same."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from paylink.domain.errors import ValidationError
from paylink.http.json_body import canonical_hash
from paylink.http.request import Request
from paylink.services.idempotency import IdempotentRequest

# No comma: the gateway joins repeated headers with one.
_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,255}", re.ASCII)
_MARGIN = timedelta(seconds=1)


def idempotent_request(request: Request, body: dict[str, Any]) -> IdempotentRequest | None:
    """None without the header; ValidationError for a header that is no key."""
    key = request.header("idempotency-key")
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise ValidationError.of(
            "Idempotency-Key", "It has 1 to 255 visible ASCII characters and no comma."
        )
    return IdempotentRequest(
        key=key,
        operation=request.route,
        request_hash=canonical_hash(body),
        lease=timedelta(seconds=request.seconds_left) + _MARGIN,
    )
