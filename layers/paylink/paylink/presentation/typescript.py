"""TypeScript's notation for the JSON schemas of the API."""

from __future__ import annotations

import json
import re
from typing import Any

_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
_NAME = re.compile(r"[A-Za-z_$][\w$]*", re.ASCII)


def type_of(schema: dict[str, Any], indent: str = "") -> str:
    """A type expression; ``indent`` is that of the line it begins in."""
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[1]
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_grouped(type_of(branch, indent)) for branch in schema["anyOf"])
    kinds = schema.get("type", "unknown")
    alternatives = [kinds] if isinstance(kinds, str) else kinds
    return " | ".join(_of_kind(kind, schema, indent) for kind in alternatives)


def members(schema: dict[str, Any], indent: str = "  ") -> list[str]:
    """The lines between the braces of an object's type, with what each member is for."""
    lines = []
    required = schema.get("required", ())
    for name, part in schema.get("properties", {}).items():
        if part.get("description"):
            lines.append(f"{indent}/** {comment(part['description'])} */")
        key = name if _NAME.fullmatch(name) else json.dumps(name)
        optional = "" if name in required else "?"
        lines.append(f"{indent}{key}{optional}: {type_of(part, indent)};")
    return lines


def declaration(name: str, schema: dict[str, Any]) -> str:
    """An exported interface, or a type where it is no object."""
    head = f"/** {comment(schema['description'])} */\n" if schema.get("description") else ""
    if schema.get("type") == "object" and "properties" in schema:
        return "\n".join([f"{head}export interface {name} {{", *members(schema), "}"])
    return f"{head}export type {name} = {type_of(schema)};"


def comment(text: str) -> str:
    """Text that can't end the comment it stands in."""
    return " ".join(text.split()).replace("*/", "*∕")


def _of_kind(kind: str, schema: dict[str, Any], indent: str) -> str:
    if kind == "array":
        return f"{_grouped(type_of(schema.get('items', {}), indent))}[]"
    if kind == "object":
        if "properties" in schema:
            return "\n".join(["{", *members(schema, indent + "  "), indent + "}"])
        values = schema.get("additionalProperties", True)
        return (
            f"Record<string, {type_of(values, indent) if isinstance(values, dict) else 'unknown'}>"
        )
    return _PLAIN.get(kind, kind)


def _grouped(expression: str) -> str:
    return f"({expression})" if " | " in expression and "\n" not in expression else expression
