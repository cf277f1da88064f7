"""The TypeScript definitions, from the OpenAPI document."""

from __future__ import annotations

from typing import Any

from paylink.presentation.typescript import comment, declaration, members, type_of

HEAD = """\
// Types of the paylink API, made from its OpenAPI document. `make openapi` writes this file.

/** The answer with one object. */
export interface Success<T> {
  success: true;
  data: T;
}

/** The answer with a page of a list, newest first. */
export interface Page<T> {
  success: true;
  data: T[];
  hasMore: boolean;
  nextCursor: string | null;
}
"""


def definitions(document: dict[str, Any]) -> str:
    schemas = document["components"]["schemas"]
    parts = [HEAD, *(declaration(name, schema) + "\n" for name, schema in schemas.items())]
    lines = ["/** Every operation, by its id. */", "export interface Operations {"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines += _operation(f"{method.upper()} {path}", operation, document)
    return "\n".join([*parts, *lines, "}", ""])


def _operation(route: str, operation: dict[str, Any], document: dict[str, Any]) -> list[str]:
    lines = [
        f"  /** {comment(operation['summary'])} `{route}` */",
        f"  {operation['operationId']}: {{",
    ]
    for place in ("path", "query"):
        schema = _parameters(operation, place, document)
        if schema["properties"]:
            lines += [f"    {place}: {{", *members(schema, "      "), "    };"]
    body = operation.get("requestBody")
    if body:
        lines.append(f"    body: {type_of(body['content']['application/json']['schema'])};")
    success = next(code for code in operation["responses"] if code.startswith("2"))
    content = operation["responses"][success]["content"]
    answer = (
        envelope_type(content["application/json"]["schema"])
        if "application/json" in content
        else "Blob"
    )
    lines += [f"    response: {answer};", "  };"]
    return lines


def envelope_type(schema: dict[str, Any]) -> str:
    data = schema["properties"]["data"]
    if "hasMore" in schema["properties"]:
        return f"Page<{type_of(data['items'])}>"
    return f"Success<{type_of(data)}>"


def _parameters(operation: dict[str, Any], place: str, document: dict[str, Any]) -> dict[str, Any]:
    """The parameters of one place as the schema of an object."""
    shared = document["components"]["parameters"]
    found = [
        shared[p["$ref"].rsplit("/", 1)[1]] if "$ref" in p else p for p in operation["parameters"]
    ]
    here = [p for p in found if p["in"] == place]
    return {
        "properties": {
            p["name"]: p["schema"]
            | ({"description": p["description"]} if "description" in p else {})
            for p in here
        },
        "required": [p["name"] for p in here if p.get("required")],
    }
