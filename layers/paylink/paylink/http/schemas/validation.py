"""From pydantic's findings to the contract's: fields named as they were sent."""

from __future__ import annotations

import unicodedata
from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from paylink.domain.errors import FieldProblem, ValidationError

_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp", "Zs"})

Model = TypeVar("Model", bound=BaseModel)


def validated(model: type[Model], body: dict[str, Any]) -> Model:
    """The body as a model; ValidationError lists everything that is wrong with it."""
    try:
        return model.model_validate(body)
    except PydanticError as error:
        problems = [
            FieldProblem(_field(found["loc"]), _message(found["msg"]))
            for found in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise ValidationError(problems) from None


def without_null(schema: dict[str, Any]) -> None:
    """For the reference: a member that may be left out, but not be null."""
    schema |= schema.pop("anyOf")[0]


def legible(text: str) -> str:
    """Text that people are shown: something can be seen, and nothing hides or turns the rest."""
    if any(_hides(character) for character in text):
        raise ValueError("It must have no control characters.")
    if all(unicodedata.category(character) in _INVISIBLE for character in text):
        raise ValueError("It must not be blank.")
    return text


def _hides(character: str) -> bool:
    # Line breaks and tabs are fine; overrides of direction let a text read as another one.
    control = unicodedata.category(character) == "Cc" and character not in "\n\r\t"
    noncharacter = ord(character) & 0xFFFE == 0xFFFE or "\ufdd0" <= character <= "\ufdef"
    return control or noncharacter or "\u202a" <= character <= "\u202e"


def _field(location: tuple[int | str, ...]) -> str:
    # "[key]" is pydantic's mark for a problem with a mapping's key rather than its value.
    return ".".join(_printable(str(part)) for part in location if part != "[key]")


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()[:100]


def _message(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."
