"""JSON schemas, as OpenAPI 3.1 has them, of the types that requests and answers are made of."""

from __future__ import annotations

import inspect
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints, is_typeddict

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

Schema = dict[str, Any]

REFERENCE = "#/components/schemas/"

_STRUCTURE = {"anyOf", "$defs", "type", "title"}


class Schemas:
    """Collects named schemas, and gives references to them."""

    def __init__(self) -> None:
        self.named: dict[str, Schema] = {}

    def body(self, model: type) -> Schema:
        """The schema of a request's body, a pydantic model."""
        if not issubclass(model, BaseModel):
            raise TypeError(f"{model.__name__} is no pydantic model")
        schema = model.model_json_schema(by_alias=True, ref_template=REFERENCE + "{model}")
        for name, definition in schema.pop("$defs", {}).items():
            self.named[name] = tidy(definition)
        self.named[model.__name__] = tidy(schema) | {"title": model.__name__}
        self.named[model.__name__].pop("description", None)
        self._name_parts(self.named[model.__name__])
        return {"$ref": REFERENCE + model.__name__}

    def _name_parts(self, schema: Schema) -> None:
        """Parts that say ``x-name`` become named schemas of their own."""
        for part in schema.get("properties", {}).values():
            name = part.pop("x-name", None)
            if name:
                own = {
                    key: part.pop(key) for key in sorted(part.keys() - {"description", "examples"})
                }
                self.named[name] = {"title": name, **own}
                part["$ref"] = REFERENCE + name

    def of(self, hint: Any) -> Schema:
        """The schema of a type as answers have them: TypedDicts, lists, unions, plain types."""
        if is_typeddict(hint):
            return self._object(hint)
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            return self._annotated(arguments[0], arguments[1:])
        if origin in (Union, UnionType):
            branches = [self.of(part) for part in arguments if part is not NoneType]
            if NoneType in arguments:
                branches.append({"type": "null"})
            either: Schema = tidy({"anyOf": branches})
            return either
        if origin is list:
            return {"type": "array", "items": self.of(arguments[0])}
        if origin is dict:
            return {"type": "object", "additionalProperties": self.of(arguments[1])}
        plain_schema: Schema = tidy(TypeAdapter(hint).json_schema())
        return plain_schema

    def _object(self, kind: Any) -> Schema:
        name = kind.__name__.removesuffix("Object")
        if name not in self.named:
            self.named[name] = {}  # an object may contain its own kind
            hints = get_type_hints(kind, include_extras=True)
            self.named[name] = {
                "title": name,
                "type": "object",
                "description": plain(inspect.getdoc(kind) or ""),
                "properties": {field: self.of(hint) for field, hint in hints.items()},
                "required": sorted(kind.__required_keys__),
                "additionalProperties": False,
            }
        return {"$ref": REFERENCE + name}

    def _annotated(self, hint: Any, metadata: tuple[Any, ...]) -> Schema:
        schema = self.of(hint)
        for extra in metadata:
            if not isinstance(extra, FieldInfo):
                continue
            if extra.description:
                schema["description"] = extra.description
            if extra.examples:
                schema["examples"] = extra.examples
            if isinstance(extra.json_schema_extra, dict):
                schema |= extra.json_schema_extra
            bounds = TypeAdapter(Annotated[hint, extra]).json_schema() if extra.metadata else {}
            schema |= {key: bounds[key] for key in sorted(bounds.keys() - _STRUCTURE)}
        return schema


def tidy(schema: Any) -> Any:
    """Without pydantic's generated titles and defaults, and ``X or null`` as one type."""
    if isinstance(schema, list):
        return [tidy(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    literal = {key: schema[key] for key in ("examples", "enum", "const") if key in schema}
    kept = {
        key: (
            {name: tidy(part) for name, part in value.items()}
            if key == "properties"
            else tidy(value)
        )
        for key, value in schema.items()
        if key not in {"title", "default", *literal}
    }
    kept |= literal
    match kept.get("anyOf"):
        case [{"type": str()} as only, {"type": "null"}]:
            del kept["anyOf"]
            kept = {**only, **kept, "type": [only["type"], "null"]}
            if "const" in kept:
                kept["enum"] = [kept.pop("const")]
            if "enum" in kept:
                kept["enum"] = [*kept["enum"], None]
        case [only]:
            del kept["anyOf"]
            kept = {**only, **kept}
    return kept


def example(schema: Schema, named: dict[str, Schema]) -> Any:
    """An example that fits: those given, else the plainest value there is."""
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example(named[schema["$ref"].removeprefix(REFERENCE)], named)
    if "const" in schema:
        return schema["const"]
    kinds = schema.get("type", "null")
    if "null" in kinds or any(branch == {"type": "null"} for branch in schema.get("anyOf", ())):
        return None
    if "enum" in schema:
        return schema["enum"][0]
    if "anyOf" in schema:
        return example(schema["anyOf"][0], named)
    match kinds:
        case "object":
            properties = schema.get("properties", {})
            return {
                name: example(part, named)
                for name, part in properties.items()
                if name in schema.get("required", ()) or "examples" in part
            }
        case "array":
            return [example(schema["items"], named)]
        case "boolean":
            return False
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "string" if schema.get("format") == "date-time":
            return "2026-11-25T09:30:00.000Z"
    return "…"


def plain(docstring: str) -> str:
    """A docstring as one line of text."""
    return " ".join(docstring.replace("``", "`").split())
