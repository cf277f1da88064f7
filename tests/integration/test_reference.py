"""`GET /docs` and what is below it, as the gateway calls it: no key, no table, no secret."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from tests.integration.template import ROOT
from tests.integration.world import Answer, World, http_event


@pytest.fixture
def ask(world: World) -> Any:
    def get(route: str, **parameters: str) -> Answer:
        event = http_event("get_payment", route=f"GET {route}", headers={}, parameters=parameters)
        return world.http("reference", event)

    return get


def test_page_is_html_that_runs_and_loads_nothing(ask: Any) -> None:
    answer = ask("/docs")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    style = answer.text.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert " style=" not in answer.text
    assert 'id="createPayment"' in answer.text


def test_openapi_names_the_address_it_was_asked_at(ask: Any) -> None:
    answer = ask("/docs/openapi.json")
    published = json.loads((ROOT / "docs" / "openapi.json").read_text(encoding="utf-8"))
    served = json.loads(answer.text)
    page = ask("/docs").text
    [server] = served["servers"]
    assert server["url"].startswith("https://")
    assert f"{server['url']}/payments" in page
    assert served == {**published, "servers": [server]}
    assert answer.headers["content-type"] == "application/json"


def test_definitions_are_the_published_ones(ask: Any) -> None:
    answer = ask("/docs/paylink.d.ts")
    assert answer.text == (ROOT / "docs" / "paylink.d.ts").read_text(encoding="utf-8")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"


def test_the_doc_url_of_an_error_leads_to_its_page(world: World, ask: Any) -> None:
    refused = world.get_payment("pay_unknown")
    url = json.loads(refused.text)["error"]["doc_url"]
    page = ask("/docs/errors/{code}", code=url.rsplit("/", 1)[1])
    assert page.status == 200
    assert "<h1><code>payment_not_found</code></h1>" in page.text
    assert url in page.text


@pytest.mark.parametrize("code", ["nothing", "../openapi.json", "<script>", ""])
def test_an_unknown_code_is_a_page_too(ask: Any, code: str) -> None:
    answer = ask("/docs/errors/{code}", code=code)
    assert answer.status == 404
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert "There is no such page" in answer.text
    assert "<script" not in answer.text


def test_nothing_is_asked_of_aws(world: World, ask: Any) -> None:
    world.aws.calls.clear()
    for route in ("/docs", "/docs/openapi.json", "/docs/paylink.d.ts"):
        assert ask(route).status == 200
    assert not world.aws.calls
