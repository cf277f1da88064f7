"""`template.yaml` as tests see it: its resources, and the values that its functions would be given.

Tables, variables and timeouts of the tests come from the template itself, so that a function which
reads a variable that the stack doesn't give it, or writes to an index that isn't there, fails here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
STACK_NAME = "paylink-test"
REGION = "eu-central-1"
ACCOUNT = "123456789012"


class _Loader(yaml.SafeLoader):
    """Reads `!Ref x` as `{"Ref": "x"}`, and so on: the intrinsic functions' long form."""


def _intrinsic(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _intrinsic)


@cache
def _document() -> dict[str, Any]:
    text = (ROOT / "template.yaml").read_text(encoding="utf-8")
    document: dict[str, Any] = yaml.load(text, _Loader)  # noqa: S506 - a subclass of the safe one
    return document


class Template:
    """The parsed template with as much of its intrinsic functions as functions' variables need."""

    def __init__(self, physical_ids: Mapping[str, str], parameters: Mapping[str, str]) -> None:
        self.document = _document()
        defaults = {
            name: str(given.get("Default", ""))
            for name, given in self.document["Parameters"].items()
        }
        self._values = {
            "AWS::StackName": STACK_NAME,
            "AWS::Region": REGION,
            "AWS::AccountId": ACCOUNT,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackId": (
                f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK_NAME}/"
                "0a1b2c3d-0000-4000-8000-000000000000"
            ),
            **defaults,
            **parameters,
            **physical_ids,
        }

    @property
    def resources(self) -> dict[str, Any]:
        resources: dict[str, Any] = self.document["Resources"]
        return resources

    def properties(self, resource: str) -> dict[str, Any]:
        properties: dict[str, Any] = self.resources[resource]["Properties"]
        return properties

    def function(self, folder: str) -> dict[str, Any]:
        """The properties of the function whose code is in `functions/{folder}/`."""
        code = f"functions/{folder}/"
        for resource in self.resources.values():
            properties: dict[str, Any] = resource.get("Properties", {})
            if properties.get("CodeUri") == code:
                return properties
        raise LookupError(code)

    def variables(self, folder: str) -> dict[str, str]:
        """The environment of one function: what it is given and nothing else."""
        shared = self.document["Globals"]["Function"]["Environment"]["Variables"]
        own = self.function(folder).get("Environment", {}).get("Variables", {})
        return {name: self.resolve(value) for name, value in {**shared, **own}.items()}

    def timeout(self, folder: str) -> int:
        shared = self.document["Globals"]["Function"]["Timeout"]
        return int(self.function(folder).get("Timeout", shared))

    def routes(self, folder: str) -> set[str]:
        """`POST /payments` and so on: the route keys that lead to a function."""
        return {
            f"{event['Properties']['Method']} {event['Properties']['Path']}"
            for event in self.function(folder).get("Events", {}).values()
            if event["Type"] == "HttpApi"
        }

    def outputs(self) -> dict[str, str]:
        """Those outputs whose values are known without an API or queues."""
        found = {}
        for name, output in self.document["Outputs"].items():
            try:
                found[name] = self.resolve(output["Value"])
            except LookupError:
                continue
        return found

    def set_parameter(self, name: str, value: str) -> None:
        """As another deployment has it; containers that run have what they were given."""
        self._values[name] = value

    def _holds(self, condition: str) -> bool:
        """Of the form that the template uses: a parameter isn't empty."""
        match self.document["Conditions"][condition]:
            case {"Fn::Not": [{"Fn::Equals": [parameter, other]}]}:
                return self.resolve(parameter) != other
        raise LookupError(condition)

    def resolve(self, value: Any) -> str:
        """Raises LookupError for what has no value here."""
        match value:
            case {"Ref": name}:
                return self._values[name]
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}]+)\}", lambda found: self._values[found[1]], text)
            case {"Fn::Join": [_, {"Ref": _} as listed]}:
                return self.resolve(listed)  # a list of parameters has commas already
            case {"Fn::Join": [separator, parts]}:
                return str(separator).join(self.resolve(part) for part in parts)
            case {"Fn::Select": [index, {"Fn::Split": [separator, text]}]}:
                return self.resolve(text).split(str(separator))[int(index)]
            case {"Fn::If": [condition, yes, no]}:
                return self.resolve(yes if self._holds(condition) else no)
            case str() | int():
                return str(value)
        raise LookupError(value)
