"""What a caller asks of a QR code, and the image as an answer."""

from __future__ import annotations

import re

from paylink.domain.errors import ValidationError
from paylink.http.envelope import Response, file_response
from paylink.http.lists import choice
from paylink.http.request import Request
from paylink.http.schemas.payments import DEFAULT_QR, LARGEST_QR, SMALLEST_QR

_SIZE = re.compile(r"[0-9]{1,4}", re.ASCII)
_MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png"}


def qr_response(url: str, request: Request) -> Response:
    """The code of a link in the form that is asked for. Raises ValidationError."""
    # Slow to import, and the function's other routes have no use for it.
    from paylink.presentation.qr import qr_image  # noqa: PLC0415

    accepts_png = "image/png" in (request.header("accept") or "").lower()
    form = choice(request, "format", ("svg", "png")) or ("png" if accepts_png else "svg")
    size = request.query.get("size", str(DEFAULT_QR))
    if not _SIZE.fullmatch(size) or not SMALLEST_QR <= int(size) <= LARGEST_QR:
        raise ValidationError.of(
            "size", f"It must be a whole number from {SMALLEST_QR} to {LARGEST_QR}."
        )
    headers = {"vary": "accept", "x-content-type-options": "nosniff"}
    return file_response(
        qr_image(url, "png" if form == "png" else "svg", int(size)), _MEDIA_TYPES[form], headers
    )
