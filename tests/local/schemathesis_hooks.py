"""What schemathesis does differently here; it loads this file by itself."""

from __future__ import annotations

import os
from typing import Any

import schemathesis

SPARED = set(os.environ["SPARED_KEYS"].split())


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Deletes no key that it works with, and sends good numbers as the API wants them."""
    parameters = case.path_parameters
    if case.method == "DELETE" and parameters and parameters.get("apiKeyId") in SPARED:
        parameters["apiKeyId"] = "spared"
    if os.environ["SCHEMATHESIS_MODE"] == "positive":
        case.body = _whole(case.body)


def _whole(value: Any) -> Any:
    """To a JSON schema 4900.0 is an integer; to the API, money with a point is a mistake."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, list):
        return [_whole(part) for part in value]
    if isinstance(value, dict):
        return {name: _whole(part) for name, part in value.items()}
    return value
