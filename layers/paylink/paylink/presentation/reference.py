"""The API's reference and its pages about errors, as pure functions from the OpenAPI document.

Everything is in the page: no script, no font, no second request.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from paylink.presentation.typescript import declarations, type_of

_TEMPLATES: Final = Path(__file__).parent / "templates" / "reference"
_STYLE: Final = (_TEMPLATES / "reference.css").read_text(encoding="utf-8")
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_CODE: Final = re.compile(r"`([^`]+)`")

HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
        "form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "strict-transport-security": "max-age=31536000",
}


def reference_page(document: dict[str, Any], base_url: str) -> str:
    """Every operation, with what it takes and gives."""
    operations = [
        _operation(document, path, method, operation, base_url)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    groups = [
        (tag, [operation for operation in operations if operation["tag"] == tag["name"]])
        for tag in document["tags"]
    ]
    return _render(
        "index.html",
        base_url,
        info=document["info"],
        groups=groups,
        errors=document["x-errors"],
    )


def error_page(code: str, error: dict[str, Any], base_url: str) -> str:
    """What one error code means, and what to do about it."""
    example = {**error["example"]["error"], "doc_url": f"{base_url}/docs/errors/{code}"}
    return _render(
        "error.html",
        base_url,
        code=code,
        error=error,
        example=_json({**error["example"], "error": example}),
    )


def problem_page(status: int, base_url: str) -> str:
    """There is no such page, or it can't be shown."""
    return _render("problem.html", base_url, status=status)


def _operation(
    document: dict[str, Any], path: str, method: str, operation: dict[str, Any], base_url: str
) -> dict[str, Any]:
    schemas = document["components"]["schemas"]
    parameters = [_resolved(document, parameter) for parameter in operation["parameters"]]
    request = None
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        name = content["schema"]["$ref"].rsplit("/", 1)[1]
        request = {
            "name": name,
            "fields": _fields(schemas[name]),
            "type": declarations(content["schema"], schemas),
            "example": _json(content["example"]),
        }
    answers: list[dict[str, Any]] = []
    failures: list[tuple[str, str]] = []
    for status, given in operation["responses"].items():
        response = _resolved(document, given)
        content = response["content"].get("application/json")
        if content is None:
            media = ", ".join(response["content"])
            answers.append({"statuses": [status], "answer": {"example": media, "type": "Blob"}})
        elif status.startswith("2"):
            answer = {
                "example": _json(content["example"]),
                "type": _answer_type(content["schema"], schemas),
            }
            same = [known for known in answers if known["answer"] == answer]
            if same:
                same[0]["statuses"].append(status)
            else:
                answers.append({"statuses": [status], "answer": answer})
        else:
            failures += [(status, code) for code in content["examples"]]
    return {
        "id": operation["operationId"],
        "tag": operation["tags"][0],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": [_parameter(parameter) for parameter in parameters],
        "request": request,
        "answers": answers,
        "failures": failures,
        "curl": _curl(method.upper(), path, request, parameters, base_url),
    }


def _resolved(document: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    _, _, kind, name = part["$ref"].split("/")
    shared: dict[str, Any] = document["components"][kind][name]
    return shared


def _parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": parameter["name"],
        "place": parameter["in"],
        "type": type_of(parameter["schema"]),
        "required": parameter.get("required", False),
        "description": parameter.get("description", ""),
        "limits": _limits(parameter["schema"]),
    }


def _fields(schema: dict[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "type": type_of(part) if "properties" not in part else "object",
            "required": name in required,
            "description": part.get("description", ""),
            "limits": _limits(part),
        }
        for name, part in schema.get("properties", {}).items()
    ]


def _limits(schema: dict[str, Any]) -> str:
    """Bounds in words, such as `1 to 500 characters`."""
    found = []
    for low, high, unit in (
        ("minLength", "maxLength", " characters"),
        ("minimum", "maximum", ""),
        ("minProperties", "maxProperties", " members"),
        ("minItems", "maxItems", " items"),
    ):
        if low in schema and high in schema:
            found.append(f"{schema[low]} to {schema[high]}{unit}")
        elif high in schema:
            found.append(f"at most {schema[high]}{unit}")
        elif low in schema:
            found.append(f"at least {schema[low]}{unit}")
    if "exclusiveMinimum" in schema:
        found.append(f"more than {schema['exclusiveMinimum']}")
    if "default" in schema:
        found.append(f"{schema['default']} if left out")
    return ", ".join(found)


def _answer_type(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    data = schema["properties"]["data"]
    item = data.get("items", data)
    envelope = "Page" if "hasMore" in schema["properties"] else "Success"
    line = f"{envelope}<{type_of(item)}>"
    return f"{line}\n\n{declarations(item, schemas)}".strip()


def _curl(
    method: str,
    path: str,
    request: dict[str, Any] | None,
    parameters: list[dict[str, Any]],
    base_url: str,
) -> str:
    lines = [f"curl {'' if method == 'GET' else f'-X {method} '}'{base_url}{path}'"]
    lines.append('  -H "x-api-key: $PAYLINK_API_KEY"')
    lines += [
        f"  -H '{parameter['name'].lower()}: {parameter['example']}'"
        for parameter in parameters
        if parameter["in"] == "header" and "example" in parameter
    ]
    if request:
        body = request["example"].replace("'", "'\\''")
        lines += ["  -H 'content-type: application/json'", f"  -d '{body}'"]
    return " \\\n".join(lines)


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _prose(text: str) -> Markup:
    """Paragraphs, with `code` marked as such."""
    paragraphs = [
        Markup("<p>{}</p>").format(Markup(_CODE.sub(r"<code>\1</code>", str(escape(part)))))  # noqa: S704 -- escaped
        for part in text.split("\n\n")
    ]
    return Markup("\n").join(paragraphs)


_environment = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    auto_reload=False,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_environment.filters["prose"] = _prose


def _render(template: str, base_url: str, **values: Any) -> str:
    return _environment.get_template(template).render(
        style=Markup(_STYLE),  # noqa: S704 -- our own file
        home=f"{base_url}/docs",
        **values,
    )
