"""The reference says what the code does: every route, every error, examples that fit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import jsonschema_rs
import pytest

from local.template import load, resources
from paylink.domain.errors import PaylinkError
from paylink.presentation import reference
from paylink.presentation.typescript import declaration, type_of
from tools.reference.errors import GUIDE, error_classes
from tools.reference.openapi import document
from tools.reference.routes import ROOT, all_routes, described_routes
from tools.reference.typescript import definitions

DOCUMENT = document()
OPERATIONS = [
    (f"{method.upper()} {path}", operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
]
HOST = "https://pay.example.com"


def template_routes() -> set[str]:
    functions = resources(load(ROOT / "template.yaml"), "AWS::Serverless::Function")
    found = [
        event["Properties"]
        for function in functions.values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "HttpApi"
    ]
    return {f"{route['Method']} {route['Path']}" for route in found}


def resolved(part: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in part:
        return part
    found: dict[str, Any] = DOCUMENT
    for step in part["$ref"].removeprefix("#/").split("/"):
        found = found[step]
    return found


def validator(schema: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(
        {**schema, "components": DOCUMENT["components"]}, validate_formats=True
    )


def test_every_route_of_the_template_is_in_the_document_and_no_other() -> None:
    routes = template_routes()
    plain = {route.replace(" /api/v1", " ") for route in routes}
    public = {route.key for route in all_routes() if route.permission is None}
    documented = {route for route, _ in OPERATIONS}
    assert documented == plain - public
    assert not documented & public


def test_every_route_for_key_holders_has_its_twin_under_api_v1() -> None:
    routes = template_routes()
    for route, _ in OPERATIONS:
        method, path = route.split(" ")
        assert {route, f"{method} /api/v1{path}"} <= routes


@pytest.mark.parametrize("route", described_routes(), ids=lambda route: route.operation_id)
def test_operation_is_described(route: Any) -> None:
    assert route.doc.response is not dict, f"{route.method} {route.path} needs `doc=Operation(…)`"


def test_operation_ids_and_summaries_are_unique() -> None:
    names = [operation["operationId"] for _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("route", "operation"), OPERATIONS)
def test_examples_fit_their_schemas(route: str, operation: dict[str, Any]) -> None:
    if "requestBody" in operation:
        content = operation["requestBody"]["content"]["application/json"]
        validator(content["schema"]).validate(content["example"])
    for status, response in operation["responses"].items():
        content = resolved(response)["content"].get("application/json")
        if content is None:  # a file has neither
            assert status == "200"
            continue
        checks = validator(content["schema"])
        examples = [content["example"]] if "example" in content else []
        examples += [named["value"] for named in content.get("examples", {}).values()]
        assert examples
        for example in examples:
            checks.validate(example)


@pytest.mark.parametrize(("route", "operation"), OPERATIONS)
def test_operation_names_what_can_happen_anywhere(route: str, operation: dict[str, Any]) -> None:
    assert {"401", "403", "429", "500"} <= set(operation["responses"])
    parameters = {p["$ref"].rsplit("/", 1)[1] for p in operation["parameters"] if "$ref" in p}
    assert ("IdempotencyKey" in parameters) == route.startswith(("POST", "PUT", "PATCH"))
    for response in map(resolved, operation["responses"].values()):
        assert "x-request-id" in response["headers"]


def test_references_lead_somewhere() -> None:
    for reference_to in re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT)):
        assert resolved({"$ref": reference_to})


@pytest.mark.parametrize("kind", list(error_classes()), ids=lambda kind: kind.__name__)
def test_error_has_a_page(kind: type[PaylinkError]) -> None:
    assert kind.code in GUIDE, f"{kind.code} belongs into tools/reference/errors.py"
    entry = DOCUMENT["x-errors"][kind.code]
    assert kind.status in entry["statuses"]
    page = reference.error_page(kind.code, entry, HOST)
    assert f"<h1><code>{kind.code}</code></h1>" in page
    assert f"{HOST}/docs/errors/{kind.code}" in page


def test_no_page_is_about_an_error_that_is_gone() -> None:
    assert set(GUIDE) == {kind.code for kind in error_classes()}


def test_page_shows_every_operation_and_needs_nothing_from_elsewhere() -> None:
    page = reference.reference_page(DOCUMENT, HOST)
    for route, operation in OPERATIONS:
        assert f'<article id="{operation["operationId"]}">' in page
        assert f"{HOST}{route.split(' ')[1]}" in page
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="https?://(?!pay\.example\.com)', page)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_pages_escape_what_they_show() -> None:
    entry = dict(DOCUMENT["x-errors"]["not_found"], meaning="<b>`<i>`</b>")
    page = reference.error_page("not_found", entry, HOST)
    assert "&lt;b&gt;<code>&lt;i&gt;</code>&lt;/b&gt;" in page


def test_definitions_name_every_operation() -> None:
    text = definitions(DOCUMENT)
    for _, operation in OPERATIONS:
        assert f"  {operation['operationId']}: {{" in text
    named = set(re.findall(r"export (?:interface|type) (\w+)", text))
    used = set(re.findall(r"\b(?:Success|Page)<(\w+)>", text))
    assert used - {"T"} <= named


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": ["string", "null"]}, "string | null"),
        ({"enum": ["a", None]}, '"a" | null'),
        ({"const": True}, "true"),
        ({"type": "array", "items": {"type": ["string", "null"]}}, "(string | null)[]"),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, "Record<string, number>"),
        ({"type": "object"}, "Record<string, unknown>"),
        ({"anyOf": [{"$ref": "#/components/schemas/X"}, {"type": "null"}]}, "X | null"),
        ({}, "unknown"),
    ],
)
def test_types_in_typescript(schema: dict[str, Any], expected: str) -> None:
    assert type_of(schema) == expected


def test_a_description_can_not_end_its_comment() -> None:
    schema = {"description": "ends */ here", "type": "object", "properties": {"a-b": {}}}
    assert declaration("X", schema).splitlines() == [
        "/** ends *∕ here */",
        "export interface X {",
        '  "a-b"?: unknown;',
        "}",
    ]


def test_functions_do_not_load_what_only_the_reference_needs() -> None:
    code = (
        "import sys; sys.path[:0] = ['layers/paylink', 'functions/payments']; import app; "
        "print([m for m in sys.modules if m.startswith('tools') or 'reference' in m "
        "or m == 'jinja2'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
