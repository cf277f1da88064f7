"""Checks a request's parameters against the SDK's own typed parameter classes.

`stripe.params` declares, for each call, every parameter with its type, nested ones and enumerations
included. A request that those types don't allow is one that Stripe rejects, so it is rejected here.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin

from stripe._request_options import RequestOptions
from typing_extensions import is_typeddict

from .errors import invalid, missing_param, unknown_params

# The SDK mixes its per-request options into some parameter classes: they never go over the wire.
_OPTIONS = frozenset(RequestOptions.__annotations__)
_ONLY_FOR_TYPE_CHECKERS = {"StripeContext": object, "Mapping": Mapping}
_NOT_A_LIST = -1

MAX_METADATA_KEYS = 50
MAX_METADATA_KEY = 40
MAX_METADATA_VALUE = 500
_MAX_TEXT = 5000


def validate(
    params: dict[str, Any], declared: Any, *, unsettable: frozenset[str] = frozenset()
) -> dict[str, Any]:
    """`params` (text, from `forms.decode`) with the types that `declared`, a TypedDict, gives them.

    `unsettable` names text members that an empty value clears though the types don't say so.
    Raises StripeError as Stripe words it: parameter_unknown, parameter_missing, and so on.
    """
    return _typed_dict(params, declared, "", unsettable)


@functools.cache
def _members(declared: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(declared, localns=_ONLY_FOR_TYPE_CHECKERS, include_extras=True)
    if hints.keys() >= _OPTIONS:
        hints = {name: hint for name, hint in hints.items() if name not in _OPTIONS}
    return {name: _unwrap(hint) for name, hint in hints.items()}


def _unwrap(hint: Any) -> Any:
    while get_origin(hint) in (NotRequired, Required, typing.NotRequired, typing.Required):
        hint = get_args(hint)[0]
    return hint


@functools.cache
def _required(declared: Any) -> tuple[str, ...]:
    # On a class with postponed annotations `__required_keys__` is wrong, so read the hints.
    hints = typing.get_type_hints(declared, localns=_ONLY_FOR_TYPE_CHECKERS, include_extras=True)
    options = _OPTIONS if hints.keys() >= _OPTIONS else frozenset()
    return tuple(
        name
        for name, hint in hints.items()
        if name not in options and get_origin(hint) not in (NotRequired, typing.NotRequired)
    )


def _typed_dict(
    value: Any, declared: Any, path: str, unsettable: frozenset[str] = frozenset()
) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise invalid(f"Invalid object: {path} must be a hash", path, stored=False)
    members = _members(declared)
    unknown = [_join(path, name) for name in value if name not in members]
    if unknown:
        raise unknown_params(unknown)
    result: dict[str, Any] = {}
    for name, given in value.items():
        where = _join(path, name)
        if given == "" and not path and name in unsettable:
            result[name] = ""
        else:
            result[name] = _value(given, members[name], where)
    for name in _required(declared):
        if name not in value:
            raise missing_param(_join(path, name))
    return result


def _value(value: Any, hint: Any, path: str) -> Any:
    options = _options(hint)
    literals = [
        arg for option in options if get_origin(option) is Literal for arg in get_args(option)
    ]
    if value == "":
        if "" in literals:
            return ""
        raise _empty(path)
    for option in options:
        if is_typeddict(option) and isinstance(value, dict):
            return _typed_dict(value, option, path)
        origin = get_origin(option)
        if origin is list and isinstance(value, dict):
            return _list(value, get_args(option)[0], path)
        if origin is dict and isinstance(value, dict):
            return metadata(value, path)
    if isinstance(value, dict):
        kind = "array" if any(get_origin(option) is list for option in options) else "string"
        raise invalid(f"Invalid {kind}: {path}", path, stored=False)
    return _scalar(str(value), options, [item for item in literals if item != ""], path)


def _scalar(value: str, options: tuple[Any, ...], enum: list[str], path: str) -> Any:
    if bool in options and value in ("true", "false"):
        return value == "true"
    if int in options or float in options:
        try:
            return int(value) if int in options else float(value)
        except ValueError:
            raise invalid(
                f"Invalid integer: {value}", path, "parameter_invalid_integer", stored=False
            ) from None
    if Decimal in options:
        try:
            return Decimal(value)
        except InvalidOperation:
            raise invalid(f"Invalid decimal: {value}", path, stored=False) from None
    if enum:
        # The SDK writes enumerations as `Literal[…] | str` so that old SDKs read new values:
        # what may be *sent* is the enumeration alone.
        if value not in enum:
            choices = enum if len(enum) == 1 else [*enum[:-1], f"or {enum[-1]}"]
            raise invalid(
                f"Invalid {path}: must be one of {', '.join(choices)}", path, stored=False
            )
        return value
    if bool in options:
        raise invalid(f"Invalid boolean: {value}", path, stored=False)
    if str not in options:
        raise invalid(f"Invalid object: {path}", path, stored=False)
    if len(value) > _MAX_TEXT:
        raise invalid(
            f"Invalid string: {value[:20]}...; must be at most {_MAX_TEXT} characters",
            path,
            "parameter_invalid_string",
            stored=False,
        )
    return value


def _options(hint: Any) -> tuple[Any, ...]:
    hint = _unwrap(hint)
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(inner for option in get_args(hint) for inner in _options(option))
    return (hint,)


def _list(value: dict[str, Any], item: Any, path: str) -> list[Any]:
    numbers = [int(key) if key.isdecimal() else _NOT_A_LIST for key in value]
    if _NOT_A_LIST in numbers:
        raise invalid(f"Invalid array: {path}", path, stored=False)
    ordered = [value[key] for _, key in sorted(zip(numbers, value, strict=True))]
    return [_value(given, item, f"{path}[{index}]") for index, given in enumerate(ordered)]


def metadata(value: dict[str, Any], path: str) -> dict[str, str]:
    """Stripe's limits on metadata: 50 keys of 40 characters, values of 500, no brackets in keys."""
    if len(value) > MAX_METADATA_KEYS:
        raise invalid(f"Metadata can have up to {MAX_METADATA_KEYS} keys.", path, stored=False)
    for key, text in value.items():
        where = f"{path}[{key}]"
        if isinstance(text, dict):
            raise invalid(
                f"Metadata values must be strings, but for key '{key}' you passed in a "
                "value of type hash",
                where,
                stored=False,
            )
        if not key or len(key) > MAX_METADATA_KEY:
            raise invalid(
                f"Metadata keys must be 1 to {MAX_METADATA_KEY} characters long, but you "
                f"passed in a key that is {len(key)} characters: {key}",
                where,
                stored=False,
            )
        if len(text) > MAX_METADATA_VALUE:
            raise invalid(
                f"Metadata values can have up to {MAX_METADATA_VALUE} characters, but you"
                f" passed in a value that is {len(text)} characters. Invalid value: "
                f"{text[:30]}...",
                where,
                stored=False,
            )
    return dict(value)


def merge_metadata(old: Mapping[str, str], change: Mapping[str, str] | str) -> dict[str, str]:
    """What an update does: empty values unset their key, an empty value for all unsets all."""
    if isinstance(change, str):
        return {}
    merged = {**old, **change}
    return {key: value for key, value in merged.items() if value != ""}


def _join(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name


def _empty(path: str) -> Exception:
    return invalid(
        f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a"
        f" field; however '{path}' cannot be unset. You should remove '{path}' from your request or"
        " supply a non-empty value.",
        path,
        "parameter_invalid_empty",
        stored=False,
    )
