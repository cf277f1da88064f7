"""The contract's envelopes, and answers in the gateway's form."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from paylink.domain.errors import PaylinkError
from paylink.domain.timestamps import timestamp as timestamp  # noqa: PLC0414 - for the schemas


@dataclass(frozen=True)
class Response:
    """An answer; ``headers`` on top of those that every answer has."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    is_base64: bool = False
    """The body is base64 of what goes over the wire: the gateway's form of anything but text."""


def file_response(content: bytes, content_type: str, headers: dict[str, str]) -> Response:
    return Response(200, base64.b64encode(content).decode(), headers, content_type, is_base64=True)


def success(data: Mapping[str, object]) -> dict[str, Any]:
    return {"success": True, "data": data}


def failure(error: PaylinkError, base_url: str) -> dict[str, Any]:
    """The error envelope; ``doc_url`` leads to this service's own page about the code."""
    return {
        "success": False,
        "error": {
            "type": error.type,
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "details": error.details,
            "doc_url": f"{base_url}/docs/errors/{error.code}",
        },
    }


def json_response(
    status: int, body: dict[str, Any], headers: dict[str, str] | None = None
) -> Response:
    return Response(status, json.dumps(body, ensure_ascii=False), headers or {})
