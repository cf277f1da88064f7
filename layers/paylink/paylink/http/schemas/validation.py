"""From pydantic's findings to the contract's: fields named as they were sent."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic import ValidationError as PydanticError

from paylink.domain.errors import FieldProblem, ValidationError

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


def _field(location: tuple[int | str, ...]) -> str:
    # "[key]" is pydantic's mark for a problem with a mapping's key rather than its value.
    return ".".join(_printable(str(part)) for part in location if part != "[key]")


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()[:100]


def _message(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."
