"""Requests as gateways really bring them, and the keys and headers in them."""

from __future__ import annotations

import base64
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.errors import InvalidJsonError, NotFoundError, ValidationError
from paylink.http.idempotency import idempotent_request
from paylink.http.json_body import parse_object
from paylink.http.request import Request, parse_request, request_id


def event(**changes: Any) -> dict[str, Any]:
    return {
        "version": "2.0",
        "routeKey": "POST /payments",
        "rawPath": "/payments",
        "headers": {"content-type": "application/json"},
        "requestContext": {
            "domainName": "pay.example.com",
            "requestId": "gateway-1",
            "stage": "$default",
        },
        "body": '{"amount": 1}',
        "isBase64Encoded": False,
    } | changes


def parsed(**changes: Any) -> Request:
    return parse_request(event(**changes), "")


@pytest.mark.parametrize("route", ["POST /payments", "POST /api/v1/payments"])
def test_the_prefix_makes_no_difference(route: str) -> None:
    assert parsed(routeKey=route).route == "POST /payments"


@pytest.mark.parametrize("path", ["/payments", "/prod/payments", "//payments", "/base/payments/"])
def test_the_path_as_sent_makes_no_difference_where_the_gateway_found_the_route(path: str) -> None:
    assert parsed(rawPath=path).route == "POST /payments"


@pytest.mark.parametrize(
    "changes",
    [
        {"version": "1.0"},
        {"version": None},
        {"routeKey": "$default"},
        {"routeKey": None},
        {"routeKey": ""},
        {"version": "1.0", "httpMethod": "POST", "path": "/payments"},
    ],
)
def test_an_event_of_another_shape_is_not_found(changes: dict[str, Any]) -> None:
    with pytest.raises(NotFoundError):
        parsed(**changes)


@pytest.mark.parametrize("missing", [{}, {"version": "2.0"}, {"routeKey": "POST /payments"}])
def test_an_event_that_lacks_everything_is_not_found(missing: dict[str, Any]) -> None:
    with pytest.raises(NotFoundError):
        parse_request(missing, "")


def test_an_event_with_nothing_but_a_route_is_a_request() -> None:
    bare: dict[str, Any] = {"version": "2.0", "routeKey": "GET /payments/{paymentId}"}
    bare |= {"headers": None, "requestContext": None, "body": None}
    request = parse_request(bare, "")
    assert (request.body, request.headers, request.query, request.parameters) == (b"", {}, {}, {})


@pytest.mark.parametrize("name", ["x-api-key", "X-Api-Key", "X-API-KEY"])
def test_header_names_are_read_in_any_case(name: str) -> None:
    request = parsed(headers={name: "ck_sandbox_x"})
    assert request.header("X-Api-KEY") == request.header("x-api-key") == "ck_sandbox_x"
    assert request.header("idempotency-key") is None


@pytest.mark.parametrize("body", [b'{"amount": 1}', "é ü €".encode(), b"\x00\xff", b""])
def test_a_base64_body_is_what_was_sent(body: bytes) -> None:
    encoded = base64.b64encode(body).decode()
    assert parsed(body=encoded, isBase64Encoded=True).body == body


@pytest.mark.parametrize("body", ["%%%", "e30", "eyJhIjog\nMX0=", "é", "=", "e30=e30="])
def test_broken_base64_is_invalid_json(body: str) -> None:
    with pytest.raises(InvalidJsonError):
        parse_object(parsed(body=body, isBase64Encoded=True).body)


@pytest.mark.parametrize("body", [None, "", "\ud800", "[]", "{"])
def test_a_body_that_is_no_object_is_invalid_json(body: str | None) -> None:
    with pytest.raises(InvalidJsonError):
        parse_object(parsed(body=body).body)


def test_a_text_body_keeps_every_byte() -> None:
    text = '{"a":"\u00e9 \\u00e9" ,\t"b" : 1}\r\n\n'
    assert parsed(body=text).body == text.encode()


@pytest.mark.parametrize("sane", ["abc", "A-1_b.c:d", "x" * 128])
def test_a_sane_request_id_of_the_callers_is_kept(sane: str) -> None:
    assert request_id(event(headers={"X-Request-Id": sane})) == sane


@pytest.mark.parametrize(
    "insane", ["", " ", "a b", "x" * 129, "a\nb", "a\n", "é", "١", "a,b", '"', "<script>", "\x00"]
)
def test_any_other_is_replaced_by_the_gateways(insane: str) -> None:
    assert request_id(event(headers={"x-request-id": insane})) == "gateway-1"


def test_without_either_a_new_one_is_made() -> None:
    assert re.fullmatch("req_[0-9A-Za-z]{26}", request_id({}))
    assert request_id({"headers": None, "requestContext": None}).startswith("req_")


@pytest.mark.parametrize(
    ("stage", "url"),
    [("$default", "https://pay.example.com"), ("prod", "https://pay.example.com/prod")],
)
def test_the_base_url_is_the_host_and_stage_that_was_called(stage: str, url: str) -> None:
    context = {"domainName": "pay.example.com", "stage": stage}
    assert parsed(requestContext=context).base_url == url


def test_a_configured_base_url_wins_over_any_host() -> None:
    headers = {"host": "evil.example"}
    assert parse_request(event(headers=headers), "https://pay.example").base_url == (
        "https://pay.example"
    )
    assert "evil" not in parsed(headers=headers).base_url


@pytest.mark.parametrize("key", ["K", "!", "~", "a" * 255, "order:7/retry=1;+*", '"quoted"'])
def test_a_visible_key_is_taken_as_it_is(key: str) -> None:
    request = idempotent_request(parsed(headers={"Idempotency-Key": key}), {})
    assert request is not None
    assert request.key == key


@pytest.mark.parametrize(
    "key", ["", "a" * 256, "a,b", "a b", " a", "a\t", "a\n", "é", "\x7f", "\x00", "１", "K\r\nX: y"]
)
def test_anything_else_is_no_key(key: str) -> None:
    with pytest.raises(ValidationError) as refused:
        idempotent_request(parsed(headers={"idempotency-key": key}), {})
    assert refused.value.param == "Idempotency-Key"


def test_without_the_header_there_is_no_idempotency() -> None:
    assert idempotent_request(parsed(), {}) is None


@given(key=st.text(max_size=300))
def test_a_header_is_a_key_or_a_validation_error(key: str) -> None:
    try:
        request = idempotent_request(parsed(headers={"idempotency-key": key}), {})
    except ValidationError:
        return
    assert request is not None
    assert all("!" <= c <= "~" and c != "," for c in key)


def test_the_claim_lasts_as_long_as_the_function_may_run() -> None:
    raw = event(headers={"idempotency-key": "K"})
    request = idempotent_request(parse_request(raw, "", seconds_left=12.5), {"a": 1})
    assert request is not None
    assert timedelta(seconds=12.5) <= request.lease <= timedelta(seconds=15)


def test_the_operation_is_the_route_and_the_value_is_the_body() -> None:
    raw = {"headers": {"idempotency-key": "K"}}
    first = idempotent_request(parsed(**raw), {"a": 1, "b": 2})
    same = idempotent_request(parsed(routeKey="POST /api/v1/payments", **raw), {"b": 2, "a": 1})
    other_body = idempotent_request(parsed(**raw), {"a": 1})
    other_route = idempotent_request(parsed(routeKey="POST /customers", **raw), {"a": 1, "b": 2})
    assert first == same
    assert first is not None
    assert other_body is not None
    assert other_route is not None
    assert other_body.request_hash != first.request_hash
    assert other_route.operation != first.operation
