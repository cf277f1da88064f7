"""The reference's files and pages as answers. They hold nothing of anybody's, so caches may keep
them for a while."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

from paylink.domain.errors import NotFoundError, PaylinkError
from paylink.http.envelope import Response
from paylink.http.request import Request
from paylink.presentation import reference

_CACHE = {"cache-control": "public, max-age=300"}
_FILE = {**_CACHE, "x-content-type-options": "nosniff"}


class Reference:
    """The files that `make openapi` put into a folder, and the pages made of them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _document(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._text("openapi.json"))
        return document

    def openapi(self, request: Request) -> Response:
        """The OpenAPI document, with this deployment's own address."""
        here = {**self._document, "servers": [{"url": request.base_url}]}
        return Response(200, json.dumps(here, ensure_ascii=False), _FILE)

    def typescript(self, _request: Request) -> Response:
        return Response(200, self._text("paylink.d.ts"), _FILE, "text/plain; charset=utf-8")

    def index(self, request: Request) -> Response:
        return _page(200, reference.reference_page(self._document, request.base_url))

    def error(self, request: Request) -> Response:
        """NotFoundError for a code that there isn't."""
        code = request.parameters.get("code", "")
        known = self._document["x-errors"].get(code)
        if known is None:
            raise NotFoundError()
        return _page(200, reference.error_page(code, known, request.base_url))

    def _text(self, name: str) -> str:
        return (self._folder / name).read_text(encoding="utf-8")


def problem(error: PaylinkError, request: Request | None) -> Response:
    page = reference.problem_page(error.status, request.base_url if request else "")
    return Response(error.status, page, dict(reference.HEADERS), "text/html; charset=utf-8")


def _page(status: int, html: str) -> Response:
    return Response(status, html, {**reference.HEADERS, **_CACHE}, "text/html; charset=utf-8")
