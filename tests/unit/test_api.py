"""The one way in: every event gets an answer of the contract's form, and accidents tell nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink import bootstrap
from paylink.domain.errors import (
    FieldProblem,
    IdempotencyKeyMismatchError,
    PaylinkError,
    ProviderRejectedError,
    ProviderUnavailableError,
    StateConflictError,
    TaxCalculationError,
    ValidationError,
)
from paylink.http.api import Api
from paylink.http.envelope import Response, json_response
from paylink.http.json_body import parse_object
from paylink.http.request import Request
from paylink.settings import STRIPE_CHECKOUT_ORIGIN, Settings


@pytest.fixture(autouse=True, scope="module")
def _no_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "settings", lambda: Settings.from_environment({}))
        yield


class Context:
    function_name = "test"
    aws_request_id = "1"

    def get_remaining_time_in_millis(self) -> int:
        return 20_000


def an_event(route: str = "POST /x", **changes: Any) -> dict[str, Any]:
    context = {"domainName": "api.example.com", "requestId": "gw-1", "stage": "$default"}
    return {"version": "2.0", "routeKey": route, "requestContext": context} | changes


def api_that(fails: Exception | None = None) -> Api:
    api = Api()

    @api.public("POST /x")
    def handler(request: Request) -> Response:
        if fails is not None:
            raise fails
        return json_response(201, {"id": request.id, "base": request.base_url}, {"x-extra": "1"})

    @api.route("GET /y", "payment:read")
    def private(_request: Request, _caller: Any) -> Response:
        raise AssertionError("nobody gets here without a key")

    return api


def call(api: Api, event: dict[str, Any]) -> tuple[int, dict[str, Any], dict[str, str]]:
    answer = api(event, Context())
    assert answer["isBase64Encoded"] is False
    return answer["statusCode"], json.loads(answer["body"]), answer["headers"]


def test_an_answer_has_its_own_headers_and_those_of_all() -> None:
    headers = {"X-Request-ID": "mine-1"}
    status, body, sent = call(api_that(), an_event(headers=headers))
    assert (status, body) == (201, {"id": "mine-1", "base": "https://api.example.com"})
    assert sent["x-request-id"] == "mine-1"
    assert sent["content-type"] == "application/json"
    assert sent["cache-control"] == "no-store"
    assert sent["x-extra"] == "1"


@pytest.mark.parametrize("prefix", ["", "/api/v1"])
def test_a_route_is_found_with_and_without_the_prefix(prefix: str) -> None:
    assert call(api_that(), an_event(f"POST {prefix}/x"))[0] == 201


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"version": "1.0", "httpMethod": "POST", "path": "/x"},
        an_event("$default"),
        an_event("GET /x"),
        an_event("POST /z"),
        {"Records": []},
        {"version": "2.0", "routeKey": ["POST /x"]},
    ],
)
def test_what_leads_nowhere_is_a_json_404_with_a_request_id(event: dict[str, Any]) -> None:
    status, body, headers = call(api_that(), event)
    assert (status, body["success"], body["error"]["code"]) == (404, False, "not_found")
    assert headers["x-request-id"]


@pytest.mark.parametrize(
    ("error", "status", "error_type", "code"),
    [
        (ValidationError.of("a", "b"), 400, "validation_error", "validation_error"),
        (ProviderRejectedError("no", param="amount"), 400, "validation_error", "validation_error"),
        (TaxCalculationError(), 402, "billing_error", "payment_failed"),
        (IdempotencyKeyMismatchError(), 409, "conflict_error", "idempotency_key_mismatch"),
        (ProviderUnavailableError(), 502, "internal_error", "provider_unavailable"),
        (StateConflictError(), 503, "internal_error", "internal_error"),
        (PaylinkError(), 500, "internal_error", "internal_error"),
    ],
)
def test_an_error_is_answered_as_the_contract_names_it(
    error: PaylinkError, status: int, error_type: str, code: str
) -> None:
    answered, body, headers = call(api_that(error), an_event())
    assert (answered, body["success"]) == (status, False)
    assert set(body["error"]) == {"type", "code", "message", "param", "details", "doc_url"}
    assert (body["error"]["type"], body["error"]["code"]) == (error_type, code)
    assert body["error"]["doc_url"] == f"https://api.example.com/docs/errors/{code}"
    assert headers["x-request-id"] == "gw-1"


@pytest.mark.parametrize("accident", [KeyError("secret_key"), ValueError("sk_live_1"), OSError()])
def test_an_accident_is_a_500_that_gives_nothing_away(accident: Exception) -> None:
    status, body, _ = call(api_that(accident), an_event())
    assert (status, body["error"]["code"]) == (500, "internal_error")
    assert "secret" not in json.dumps(body)
    assert "sk_live" not in json.dumps(body)
    assert body["error"]["details"] is None


def test_a_route_that_needs_a_key_is_closed_without_one() -> None:
    class NoKeys:
        def get(self, _key_id: str) -> None:
            return None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "api_keys", NoKeys)
        for headers in (None, {}, {"x-api-key": ""}, {"X-API-KEY": "x" * 10_000}):
            status, body, _ = call(api_that(), an_event("GET /y", headers=headers))
            assert (status, body["error"]["code"]) == (401, "unauthorized")


def test_a_validation_error_names_the_first_field_and_lists_all() -> None:
    error = ValidationError([FieldProblem("a.b", "Too long."), FieldProblem("c", "Missing.")])
    _, body, _ = call(api_that(error), an_event())
    assert body["error"]["param"] == "a.b"
    assert body["error"]["details"] == [
        {"field": "a.b", "message": "Too long."},
        {"field": "c", "message": "Missing."},
    ]


@given(
    headers=st.none() | st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=4),
    body=st.none() | st.text(max_size=50),
    is_base64=st.booleans(),
    route=st.text(max_size=20) | st.sampled_from(["POST /x", "GET /y", "POST /api/v1/x"]),
)
def test_no_request_gets_no_answer_or_a_500(
    headers: dict[str, str] | None, body: str | None, is_base64: bool, route: str
) -> None:
    event = an_event(route, headers=headers, body=body, isBase64Encoded=is_base64)
    api = Api()

    @api.public("POST /x")
    def handler(request: Request) -> Response:
        return json_response(200, {"read": len(parse_object(request.body))})

    status, answer, sent = call(api, event)
    assert status in {200, 400, 404}
    assert answer["error"]["code"] in {"invalid_json", "not_found"} if status != 200 else True
    assert "\n" not in sent["x-request-id"]


def test_settings_come_from_the_environment_alone() -> None:
    environment = {"PUBLIC_BASE_URL": "https://pay.example/", "LINK_LIFETIME_DAYS": "7"}
    settings = Settings.from_environment(environment)
    assert settings.public_base_url == "https://pay.example"
    assert settings.link_lifetime.days == 7
    assert settings.table_name == ""
    assert Settings.from_environment({}).link_lifetime.days == 30


@pytest.mark.parametrize(
    ("base", "origin"),
    [
        ("", STRIPE_CHECKOUT_ORIGIN),
        ("http://127.0.0.1:8420/", "http://127.0.0.1:8420"),
        ("https://stripe.example/v1?x", "https://stripe.example"),
    ],
)
def test_forms_may_lead_to_the_providers_checkout_and_nowhere_else(base: str, origin: str) -> None:
    settings = Settings.from_environment({"STRIPE_API_BASE": base})
    assert settings.checkout_origins == (origin,)
