"""The routes that the functions declare."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from paylink.http.api import Api
from paylink.http.operation import Operation, Route

ROOT = Path(__file__).resolve().parents[2]

_LISTS = {"list", "list_all"}
_VERBS = {"create", "get", "update", "delete", "cancel", "charge", "send", "test", "refund"}


@dataclass(frozen=True)
class DescribedRoute:
    """A route for holders of API keys, and what follows from its key."""

    method: str
    path: str
    permission: str
    operation_id: str
    doc: Operation

    @property
    def tag(self) -> str:
        return self.path.split("/")[1]


def all_routes() -> list[Route]:
    """Every route of every function behind the API, in the order of their folders."""
    found: list[Route] = []
    for file in sorted((ROOT / "functions").glob("*/app.py")):
        handler = getattr(_imported(file), "lambda_handler", None)
        if isinstance(handler, Api):
            found += handler.routes
    return found


def described_routes() -> list[DescribedRoute]:
    """The routes that need an API key, by path and method."""
    described = []
    for route in all_routes():
        if route.permission is None:
            continue
        method, path = route.key.split(" ", 1)
        name = _operation_id(route.handler, path.split("/")[1])
        if method == "PUT":  # as PATCH, for clients that know no other
            name += "ByPut"
        doc = route.doc or Operation(f"Not described yet: {name}", dict)
        described.append(DescribedRoute(method, path, route.permission, name, doc))
    return sorted(described, key=lambda route: (route.path, route.method))


def _imported(file: Path) -> ModuleType:
    name = f"function_{file.parent.name}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(str(file))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _operation_id(handler: str, resource: str) -> str:
    """``create`` of ``/api-keys`` is ``createApiKey``, ``list_all`` is ``listApiKeys``."""
    words = [word.capitalize() for word in resource.split("-")]
    plural = "".join(words)
    if handler in _LISTS:
        return f"list{plural}"
    if handler in _VERBS:
        return f"{handler}{plural.removesuffix('s')}"
    first, *rest = handler.split("_")
    return first + "".join(word.capitalize() for word in rest)
