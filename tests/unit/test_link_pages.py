"""From what a link shows to an answer: which status, which headers, and where a redirect leads."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from paylink import bootstrap
from paylink.domain.errors import (
    InvoiceNotFoundError,
    PaylinkError,
    PaymentNotFoundError,
    ProviderRejectedError,
    ProviderUnavailableError,
    StateConflictError,
)
from paylink.http.envelope import Response
from paylink.http.link_pages import link_response, problem_response, redirect
from paylink.http.request import Request, parse_request
from paylink.settings import Settings
from tests.unit.fakes import START
from tests.unit.world import World

pytestmark = pytest.mark.filterwarnings("ignore:The force_frac parameter:DeprecationWarning")


@pytest.fixture(autouse=True, scope="module")
def _no_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bootstrap, "settings", lambda: Settings.from_environment({}))
        yield


def a_request(**query: str) -> Request:
    event: dict[str, Any] = {"version": "2.0", "routeKey": "GET /pay/{paymentId}"}
    return parse_request(event | {"queryStringParameters": query}, "https://pay.example.com")


def shown(world: World, payment_id: str, **query: str) -> Response:
    view = world.view(payment_id, query.get("session_id"))
    return link_response(view, a_request(**query))


def test_a_live_checkout_is_a_redirect_to_the_very_url(world: World) -> None:
    payment_id = world.new_payment()
    answer = shown(world, payment_id)
    session = world.payment(payment_id).current_session
    assert session is not None
    assert answer.status == 303
    assert answer.headers["location"] == session.url
    assert answer.headers["location"].endswith("#fid")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.body == ""


def test_without_a_live_checkout_there_is_a_page_whose_form_may_lead_to_the_provider(
    world: World,
) -> None:
    payment_id = world.new_payment()
    world.clock.advance(hours=25)
    answer = shown(world, payment_id)
    assert answer.status == 200
    assert answer.content_type.startswith("text/html")
    assert "https://checkout.stripe.com" in answer.headers["content-security-policy"]
    assert "content-type" not in answer.headers


def test_who_comes_back_unpaid_is_asked_to_wait_and_nothing_is_marked(world: World) -> None:
    payment_id = world.new_payment()
    session = world.session(payment_id)
    answer = shown(world, payment_id, session_id=session)
    assert answer.status == 200
    assert f"session_id={session}" in answer.body
    assert world.payment(payment_id).status == "pending"


def test_a_made_up_session_is_never_repeated_on_the_page(world: World) -> None:
    payment_id = world.new_payment()
    world.provider.debit(world.session(payment_id))
    world.hear(payment_id)
    answer = shown(world, payment_id, session_id='"><script>alert(1)</script>')
    assert answer.status == 200
    assert "alert(1)" not in answer.body


def test_a_receipt_leads_to_the_invoice_by_a_signed_link(world: World) -> None:
    payment_id = world.paid()
    assert "?token=" not in shown(world, payment_id).body
    invoice = world.issue(payment_id)
    answer = shown(world, payment_id)
    assert answer.status == 200
    assert f"https://pay.example.com/documents/{invoice.id}?token=" in answer.body


def test_an_ended_link_is_gone(world: World) -> None:
    payment_id = world.new_payment(expires_at=START + timedelta(hours=1))
    world.clock.advance(hours=1)
    assert shown(world, payment_id).status == 410
    world.sweep()
    assert shown(world, payment_id).status == 410


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (PaymentNotFoundError(), 404),
        (InvoiceNotFoundError(), 404),
        (ProviderRejectedError("sk_live_secret"), 400),
    ],
)
def test_a_problem_of_the_buyers_is_a_page_with_its_status(
    error: PaylinkError, status: int
) -> None:
    answer = problem_response(error, a_request())
    assert answer.status == status
    assert answer.content_type.startswith("text/html")
    assert "sk_live_secret" not in answer.body


@pytest.mark.parametrize(
    "error", [ProviderUnavailableError(), StateConflictError(), PaylinkError("sk_live_secret")]
)
@pytest.mark.parametrize("request_", [None, a_request()])
def test_a_problem_of_ours_is_a_page_that_says_to_try_again(
    error: PaylinkError, request_: Request | None
) -> None:
    answer = problem_response(error, request_)
    assert answer.status >= 500
    assert answer.content_type.startswith("text/html")
    assert "sk_live_secret" not in answer.body


def test_a_redirect_says_nothing_but_where_to() -> None:
    answer = redirect("https://x.example/#é")
    assert (answer.status, answer.body) == (303, "")
    assert answer.headers["location"] == "https://x.example/#é"
