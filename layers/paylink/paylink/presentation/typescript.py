"""TypeScript's notation for the JSON schemas of the API."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

_PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean"}
_WIDTH = 96
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
        lines.append(_wrapped(f"{indent}{key}{optional}: {type_of(part, indent)};", indent))
    return lines


def declaration(name: str, schema: dict[str, Any]) -> str:
    """An exported interface, or a type where it is no object."""
    head = f"/** {comment(schema['description'])} */\n" if schema.get("description") else ""
    if schema.get("type") == "object" and "properties" in schema:
        return "\n".join([f"{head}export interface {name} {{", *members(schema), "}"])
    return head + _wrapped(f"export type {name} = {type_of(schema)};", "")


def declarations(schema: dict[str, Any], schemas: dict[str, Any]) -> str:
    """Those of all types that a schema is made of, its own first."""
    names = list(dict.fromkeys(_named_in(schema, schemas, set())))
    return "\n\n".join(declaration(name, schemas[name]) for name in names)


def comment(text: str) -> str:
    """Text that can't end the comment it stands in."""
    return " ".join(text.split()).replace("*/", "*∕")


def _named_in(part: Any, schemas: dict[str, Any], seen: set[str]) -> Iterator[str]:
    if isinstance(part, dict):
        name = str(part.get("$ref", "")).rsplit("/", 1)[-1]
        if name and name not in seen:
            seen.add(name)
            yield name
            yield from _named_in(schemas[name], schemas, seen)
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _named_in(inner, schemas, seen)


def _wrapped(line: str, indent: str) -> str:
    """Long unions on several lines, which TypeScript reads the same."""
    if len(line) <= _WIDTH or "\n" in line:
        return line
    return textwrap.fill(
        line,
        _WIDTH,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


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
