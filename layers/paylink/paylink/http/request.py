"""A request as the HTTP API's payload 2.0 really brings it: maybe base64, maybe without a body,
repeated headers joined by commas, and a path with whatever stage or base path stands before it.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from typing import Any

from paylink.domain.errors import InvalidJsonError, NotFoundError
from paylink.domain.ids import new_id

_SANE_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)
_API_PREFIX = "/api/v1"


@dataclass(frozen=True)
class Request:
    """What handlers see of a request."""

    route: str
    """``POST /payments``: as in the template, without the optional prefix."""
    headers: dict[str, str]
    query: dict[str, str]
    parameters: dict[str, str]
    id: str
    base_url: str
    """Where the service can be reached, without a slash at the end."""
    seconds_left: float = 0.0
    raw_body: str = ""
    """As the gateway gave it; ``body`` is what the caller sent."""
    is_base64: bool = False

    @property
    def body(self) -> bytes:
        """Raises InvalidJsonError for broken base64: only who needs the body looks at it."""
        if not self.is_base64:
            return self.raw_body.encode(errors="surrogatepass")
        try:
            return base64.b64decode(self.raw_body, validate=True)
        except (binascii.Error, ValueError):
            raise InvalidJsonError("The request body could not be decoded.") from None

    def header(self, name: str) -> str | None:
        return self.headers.get(name.lower())


def parse_request(
    event: dict[str, Any], public_base_url: str, seconds_left: float = 0.0
) -> Request:
    """Raises NotFoundError for an event of another shape."""
    context = event.get("requestContext") or {}
    route = event.get("routeKey")
    if event.get("version") != "2.0" or not isinstance(route, str) or " " not in route:
        raise NotFoundError()
    method, path = route.split(" ", 1)
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    return Request(
        route=f"{method} {path.removeprefix(_API_PREFIX)}",
        headers=headers,
        query=event.get("queryStringParameters") or {},
        parameters=event.get("pathParameters") or {},
        id=request_id(event),
        base_url=public_base_url or _host_url(context),
        seconds_left=seconds_left,
        raw_body=str(event.get("body") or ""),
        is_base64=bool(event.get("isBase64Encoded")),
    )


def request_id(event: dict[str, Any]) -> str:
    """The caller's own if it is sane, else the gateway's."""
    headers = event.get("headers") or {}
    for name, value in headers.items():
        if name.lower() == "x-request-id" and _SANE_REQUEST_ID.fullmatch(value):
            return str(value)
    gateways = (event.get("requestContext") or {}).get("requestId")
    return gateways if isinstance(gateways, str) and gateways else new_id("req")


def _host_url(context: dict[str, Any]) -> str:
    stage = context.get("stage", "$default")
    path = "" if stage == "$default" else f"/{stage}"
    return f"https://{context.get('domainName', 'localhost')}{path}"
