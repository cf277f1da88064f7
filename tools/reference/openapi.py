"""The OpenAPI 3.1 document, from the routes and types in the code."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from paylink.domain import errors
from paylink.domain.errors import FieldProblem, PaylinkError
from paylink.http.envelope import failure
from paylink.http.lists import DEFAULT_LIMIT, LARGEST_LIMIT
from tools.reference.errors import GUIDE, error_classes
from tools.reference.routes import DescribedRoute, described_routes
from tools.reference.schemas import REFERENCE, Schema, Schemas, example

EXAMPLE_HOST = "https://pay.example.com"
_WRITING = {"POST", "PUT", "PATCH"}

TAGS = {
    "payments": "Links that a buyer pays, and charges of saved cards.",
    "customers": "Who pays, and the payment methods kept for later charges.",
    "invoices": "Invoices, made when a payment succeeds.",
    "credit-notes": "Invoices taken back, by refunds.",
    "transactions": "Attempts to pay, and refunds.",
    "webhooks": "Where your systems are told what happens.",
    "api-keys": "Keys that your systems call this API with.",
}

DESCRIPTION = """\
Payment links: one call makes a link, the buyer pays, an invoice is issued, and signed webhooks tell
your systems.

Every request carries an API key in the header `x-api-key`; the key decides the organization and
whether money is real (`ck_live_…`) or not (`ck_sandbox_…`). Every route also answers below
`/api/v1`. Amounts are integers in minor units of their currency. Unknown headers are ignored. Send
an `Idempotency-Key` with whatever writes, and repeat a request that got no answer with the same
key.

What the gateway refuses before the service sees it (an unknown route, a body over 10 MB) has a JSON
body of the gateway's own, with a `message`."""

# What may go wrong anywhere, in this order.
_ALWAYS = (
    errors.UnauthorizedError,
    errors.ForbiddenError,
    errors.RateLimitedError,
    PaylinkError,
)
_SHARED = (*_ALWAYS, errors.StateConflictError)


def document() -> dict[str, Any]:
    routes = described_routes()
    schemas = Schemas()
    _add_error_schemas(schemas)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route in routes:
        paths[route.path][route.method.lower()] = _operation(route, schemas)
    tags = list(dict.fromkeys(route.tag for route in routes))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "paylink",
            "version": "1.0.0",
            "summary": "Payment links for one-off payments",
            "description": DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"apiKey": []}],
        "tags": [
            {"name": name, "description": TAGS[name]} for name in sorted(tags, key=list(TAGS).index)
        ],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {
                "apiKey": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-api-key",
                    "description": "`ck_…` may do everything, `rk_…` what it was made for.",
                }
            },
            "headers": HEADERS,
            "parameters": PARAMETERS,
            "responses": {_name(kind): _failure(kind.status, [kind], False) for kind in _SHARED},
            "schemas": dict(sorted(schemas.named.items())),
        },
        "x-errors": _guide(),
    }


HEADERS: dict[str, Any] = {
    "x-request-id": {
        "description": "Your own, if you sent one, else ours; our logs have it too.",
        "required": True,
        "schema": {"type": "string"},
    },
    "ratelimit-limit": {
        "description": "Requests that this key has in a minute, roughly.",
        "schema": {"type": "integer"},
    },
    "ratelimit-remaining": {
        "description": "How many are left.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "ratelimit-reset": {
        "description": "Seconds until the minute is over.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "retry-after": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 0},
    },
    "idempotent-replayed": {
        "description": "`true`, if this is the stored answer to the same request.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}

_OUR_ID: dict[str, Any] = {"schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]+$"}}
PATH_PARAMETERS: dict[str, Any] = {
    "customerId": {
        "description": "`cus_…`, or your own id of the customer.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    },
}

PARAMETERS: dict[str, Any] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "description": "1 to 255 visible ASCII characters without a comma, kept for 24 hours: the "
        "same request under the same key is done once, and answered the same again.",
        "schema": {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": r"^[\x21-\x2b\x2d-\x7e]+$",
        },
        "example": "order-1017",
    },
    "Limit": {
        "name": "limit",
        "in": "query",
        "description": "How many to answer at most.",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": LARGEST_LIMIT,
            "default": DEFAULT_LIMIT,
        },
    },
    "Cursor": {
        "name": "cursor",
        "in": "query",
        "description": "`nextCursor` of the page before, with the same filters.",
        "schema": {"type": "string"},
    },
}


def _operation(route: DescribedRoute, schemas: Schemas) -> dict[str, Any]:
    doc = route.doc
    operation: dict[str, Any] = {
        "operationId": route.operation_id,
        "summary": doc.summary,
        "description": f"{doc.description}\n\nNeeds the permission `{route.permission}`.".strip(),
        "tags": [route.tag],
        "parameters": _parameters(route, schemas),
        "responses": _responses(route, schemas),
    }
    if doc.request is not None:
        schema = schemas.body(doc.request)
        operation["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {"schema": schema, "example": example(schema, schemas.named)}
            },
        }
    return operation


def _parameters(route: DescribedRoute, schemas: Schemas) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, **PATH_PARAMETERS.get(name, _OUR_ID)}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    if route.method in _WRITING:
        found.append({"$ref": "#/components/parameters/IdempotencyKey"})
    for name, hint in route.doc.query.items():
        schema = schemas.of(hint)
        parameter = {"name": name, "in": "query", "schema": schema}
        if "description" in schema:
            parameter["description"] = schema.pop("description")
        found.append(parameter)
    if route.doc.listed:
        found += [
            {"$ref": "#/components/parameters/Limit"},
            {"$ref": "#/components/parameters/Cursor"},
        ]
    return found


def _responses(route: DescribedRoute, schemas: Schemas) -> dict[str, Any]:
    doc = route.doc
    item: Schema = schemas.of(doc.response) if doc.response is not dict else {"type": "object"}
    envelope = _page(item) if doc.listed else _success(item)
    writing = route.method in _WRITING
    statuses = sorted(map(str, (doc.status, *doc.also))) if doc.response is not dict else ["2XX"]
    responses: dict[str, Any] = {
        status: {
            "description": "A page of the list, newest first." if doc.listed else doc.summary,
            "headers": _headers("idempotent-replayed" if writing else None),
            "content": _files(doc.files)
            or {
                "application/json": {
                    "schema": envelope,
                    "example": example(envelope, schemas.named),
                }
            },
        }
        for status in statuses
    }
    by_status: dict[int, list[type[PaylinkError]]] = defaultdict(list)
    for kind in _failures(route):
        if kind.code not in {other.code for other in by_status[kind.status]}:
            by_status[kind.status].append(kind)
    for status, kinds in sorted(by_status.items()):
        shared = len(kinds) == 1 and kinds[0] in _SHARED
        responses[str(status)] = (
            {"$ref": f"#/components/responses/{_name(kinds[0])}"}
            if shared
            else _failure(status, kinds, writing)
        )
    return responses


def _failures(route: DescribedRoute) -> Iterable[type[PaylinkError]]:
    doc = route.doc
    if route.method in _WRITING or doc.listed or doc.query:
        yield errors.ValidationError
    if doc.request is not None:
        yield errors.InvalidJsonError
    yield from doc.errors
    if route.method in _WRITING:
        yield errors.IdempotencyKeyMismatchError
        yield errors.IdempotencyInProgressError
    if route.method != "GET":
        yield errors.StateConflictError
    yield from _ALWAYS


def _name(kind: type[PaylinkError]) -> str:
    return "InternalError" if kind is PaylinkError else kind.__name__.removesuffix("Error")


def _files(media_types: Sequence[str]) -> dict[str, Any]:
    return {media: {"schema": {"type": "string", "format": "binary"}} for media in media_types}


def _failure(status: int, kinds: list[type[PaylinkError]], writing: bool) -> dict[str, Any]:
    codes = [kind.code for kind in kinds]
    extra = "retry-after" if status == errors.RateLimitedError.status else None
    if writing and status in (402, 404, 409):
        extra = "idempotent-replayed"
    return {
        "description": " · ".join(f"`{code}`" for code in codes),
        "headers": _headers(extra),
        "content": {
            "application/json": {
                "schema": {
                    "allOf": [
                        {"$ref": REFERENCE + "Failure"},
                        {"properties": {"error": {"properties": {"code": {"enum": codes}}}}},
                    ]
                },
                "examples": {kind.code: {"value": error_example(kind)} for kind in kinds},
            }
        },
    }


def error_example(kind: type[PaylinkError]) -> dict[str, Any]:
    if kind is errors.ValidationError:
        error = errors.ValidationError(
            [FieldProblem("amount", "The smallest amount in EUR is 50 (minor units).")]
        )
        return failure(error, EXAMPLE_HOST)
    made = PaylinkError(kind.default_message)
    found = failure(made, EXAMPLE_HOST)
    found["error"] |= {
        "type": kind.type,
        "code": kind.code,
        "doc_url": f"{EXAMPLE_HOST}/docs/errors/{kind.code}",
    }
    return found


def _headers(extra: str | None) -> dict[str, Any]:
    names = ["x-request-id", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"]
    if extra:
        names.append(extra)
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _success(data: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"success": {"const": True}, "data": data},
        "required": ["success", "data"],
        "additionalProperties": False,
    }


def _page(item: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {
            "success": {"const": True},
            "data": {"type": "array", "items": item},
            "hasMore": {"type": "boolean", "description": "Whether `nextCursor` leads further."},
            "nextCursor": {"type": ["string", "null"]},
        },
        "required": ["success", "data", "hasMore", "nextCursor"],
        "additionalProperties": False,
    }


def _add_error_schemas(schemas: Schemas) -> None:
    kinds = list(error_classes())
    schemas.named["FieldProblem"] = {
        "title": "FieldProblem",
        "type": "object",
        "description": "One thing wrong with one field, named as it was sent.",
        "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
        "required": ["field", "message"],
        "additionalProperties": False,
    }
    schemas.named["ApiError"] = {
        "title": "ApiError",
        "type": "object",
        "description": "Why a request failed.",
        "properties": {
            "type": {"enum": sorted({kind.type for kind in kinds}), "type": "string"},
            "code": {"enum": sorted({kind.code for kind in kinds}), "type": "string"},
            "message": {"type": "string", "description": "For people; it may change."},
            "param": {
                "type": ["string", "null"],
                "description": "The field that is wrong, as it was sent.",
            },
            "details": {
                "description": "For a `validation_error`, everything that is wrong.",
                "anyOf": [
                    {"type": "array", "items": {"$ref": REFERENCE + "FieldProblem"}},
                    {"type": "object", "additionalProperties": True},
                    {"type": "null"},
                ],
            },
            "doc_url": {"type": "string", "description": "A page about the code."},
        },
        "required": ["code", "details", "doc_url", "message", "param", "type"],
        "additionalProperties": False,
    }
    schemas.named["Failure"] = {
        "title": "Failure",
        "type": "object",
        "description": "The answer to any request that failed.",
        "properties": {"success": {"const": False}, "error": {"$ref": REFERENCE + "ApiError"}},
        "required": ["error", "success"],
        "additionalProperties": False,
    }


def _guide() -> dict[str, Any]:
    """What the error pages say, by code."""
    pages: dict[str, Any] = {}
    for kind in error_classes():
        meaning, remedy = GUIDE[kind.code]
        page = pages.setdefault(
            kind.code,
            {
                "type": kind.type,
                "statuses": [],
                "meaning": meaning,
                "remedy": remedy,
                "example": error_example(kind),
            },
        )
        page["statuses"] = sorted({*page["statuses"], kind.status})
    return dict(sorted(pages.items()))
