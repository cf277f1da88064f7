"""The link, in each state of its payment: where it leads, what it shows, and what it never does."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from tests.integration.stripe_driver import ASKS_3DS, DECLINED
from tests.integration.world import BASE_URL, World, http_event


def open_sessions(world: World) -> list[str]:
    sessions = world.stripe.sessions(world.seller.stripe_key)
    return [s["id"] for s in sessions if s["status"] == "open"]


def assert_page(world: World, answer, status: int) -> None:  # type: ignore[no-untyped-def]
    assert answer.status == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]
    assert "<script" not in answer.text
    assert world.seller.organization_id not in answer.text


def test_a_live_session_is_where_the_link_leads_byte_for_byte(world: World) -> None:
    payment = world.create()
    (session,) = world.stripe.sessions(world.seller.stripe_key)
    for _ in range(2):
        answer = world.open_link(payment["id"])
        assert answer.status == 303
        assert answer.headers["location"] == session["url"]
        assert "#fid" in answer.headers["location"]
        assert "%2F" in answer.headers["location"].partition("#")[2]
        assert answer.headers["cache-control"] == "no-store"


def test_looking_asks_the_provider_nothing(world: World) -> None:
    payment = world.create()
    world.stripe.forget_requests()
    items = world.aws.items()
    for hours in (0, 25):
        world.clock.offset = timedelta(hours=hours)
        for query in (None, {"session_id": "cs_test_x"}):
            world.open_link(payment["id"], query)
    assert world.stripe.requests() == []
    assert world.aws.items() == items


def test_without_a_live_session_there_is_a_page_with_a_button(world: World) -> None:
    payment = world.create({"description": "<b>Zürich</b> & 5 <kg"})
    world.pass_time(hours=25)
    answer = world.open_link(payment["id"])
    assert_page(world, answer, 200)
    assert "&lt;b&gt;Zürich&lt;/b&gt; &amp; 5 &lt;kg" in answer.text
    assert "Example Studio GmbH" in answer.text
    # The sample event's reader prefers German.
    assert re.search(r"49,00\s€", answer.text)
    assert re.search(r'<form[^>]*method="post"', answer.text)
    form_action = re.search(r"form-action ([^;]+)", answer.headers["content-security-policy"])
    assert form_action is not None
    assert world.stripe.url in form_action[1].split()
    assert "'self'" in form_action[1].split()


LANGUAGES: list[Any] = [
    ("en-US", "€49.00"),
    ("ja", "€49.00"),
    ("fr-FR;q=0.9", "49,00"),
    ("xx,*;q=0", "49.00"),
    ("", "49.00"),
]


def test_amounts_are_in_the_readers_locale(world: World, subtests: pytest.Subtests) -> None:
    payment = world.create()
    world.pass_time(hours=25)
    for language, amount in LANGUAGES:
        with subtests.test(case=repr(amount)[:60]):
            answer = world.open_link(payment["id"], accept_language=language)
            assert_page(world, answer, 200)
            assert amount in answer.text


def test_the_button_makes_one_session_and_then_reuses_it(world: World) -> None:
    payment = world.create()
    world.pass_time(hours=25)
    world.stripe.forget_requests()
    first = world.press_continue(payment["id"])
    second = world.press_continue(payment["id"])
    assert (first.status, second.status) == (303, 303)
    assert first.headers["location"] == second.headers["location"]
    assert "#fid" in first.headers["location"]
    (request,) = world.stripe.session_creations()
    assert request["idempotency_key"] == f"{payment['id']}:2"
    assert len(open_sessions(world)) == 1
    assert world.checkout_url(payment["id"]) == first.headers["location"]
    assert world.stripe.pay(first.headers["location"]).status_code == 200
    world.deliver_everything()
    assert world.payment(payment["id"])["status"] == "succeeded"


def test_the_button_beside_a_live_session_leads_to_that_session(world: World) -> None:
    payment = world.create()
    (session,) = world.stripe.sessions(world.seller.stripe_key)
    world.stripe.forget_requests()
    assert world.press_continue(payment["id"]).headers["location"] == session["url"]
    assert world.stripe.requests() == []


def test_a_session_paid_in_its_last_moment_is_found_by_the_button(world: World) -> None:
    """No webhook came yet, the session's time is over: nobody may pay a second time."""
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]))
    world.pass_time(hours=25)
    answer = world.press_continue(payment["id"])
    assert (answer.status, answer.headers["location"]) == (303, payment["url"])
    assert world.payment(payment["id"])["status"] == "succeeded"
    assert len(world.stripe.session_creations()) == 1
    assert_page(world, world.open_link(payment["id"]), 200)


def test_h4_coming_back_proves_nothing(world: World) -> None:
    payment = world.create()
    session_id = open_sessions(world)[0]
    answer = world.open_link(payment["id"], {"session_id": session_id})
    assert_page(world, answer, 200)
    assert "refresh" in answer.headers
    assert world.payment(payment["id"])["status"] == "pending"
    assert world.open_link(payment["id"], {"session_id": "cs_test_not_ours"}).status == 303


def test_a_hostile_session_id_is_not_repeated(world: World) -> None:
    payment = world.create()
    world.pass_time(hours=25)
    hostile = '"><img src=x onerror=alert(1)>'
    answer = world.open_link(payment["id"], {"session_id": hostile})
    assert_page(world, answer, 200)
    assert "<img" not in answer.text
    assert "onerror" not in answer.text


def test_the_buyer_who_paid_sees_that_it_is_being_confirmed_until_we_know(world: World) -> None:
    payment = world.create()
    url = world.checkout_url(payment["id"])
    paid = world.stripe.pay(url).json()["url"]
    session_id = world.stripe.sessions(world.seller.stripe_key)[0]["id"]
    assert paid == f"{payment['url']}?session_id={session_id}"
    waiting = world.open_link(payment["id"], {"session_id": session_id})
    assert_page(world, waiting, 200)
    world.deliver_everything()
    receipt = world.open_link(payment["id"], {"session_id": session_id})
    assert_page(world, receipt, 200)
    assert receipt.text != waiting.text
    assert re.search(r"58,31\s€", receipt.text)


def test_the_receipt_shows_the_three_amounts_and_later_the_invoice(world: World) -> None:
    payment = world.paid()
    receipt = world.open_link(payment["id"], accept_language="en-US")
    assert_page(world, receipt, 200)
    for amount in ("€49.00", "€9.31", "€58.31"):
        assert amount in receipt.text
    assert "?token=" not in receipt.text
    world.issue_invoices()
    with_invoice = world.open_link(payment["id"], accept_language="en-US")
    link = re.search(r'href="([^"]+/documents/[^"]+)\?token=\d+\.[0-9a-f]{64}"', with_invoice.text)
    assert link is not None
    invoice_id = world.payment(payment["id"])["invoiceId"]
    assert link[1] == f"{BASE_URL}/documents/{invoice_id}"
    assert "Download invoice" in with_invoice.text
    assert "INV-" in with_invoice.text


def test_a_bank_debit_under_way_is_being_confirmed(world: World) -> None:
    payment = world.create()
    world.stripe.pay_by_debit(world.checkout_url(payment["id"]))
    world.deliver_everything()
    assert world.payment(payment["id"])["status"] == "processing"
    assert_page(world, world.open_link(payment["id"]), 200)
    again = world.press_continue(payment["id"])
    assert (again.status, again.headers["location"]) == (303, payment["url"])
    assert len(world.stripe.session_creations()) == 1


@pytest.mark.parametrize("card", [DECLINED, ASKS_3DS])
def test_a_failed_try_leaves_the_link_leading_to_its_session(world: World, card: str) -> None:
    payment = world.create()
    url = world.checkout_url(payment["id"])
    world.stripe.pay(url, card)
    world.deliver_everything()
    assert world.payment(payment["id"])["status"] in {"failed", "requires_action"}
    assert world.checkout_url(payment["id"]) == url


def test_an_ended_link_is_gone(world: World) -> None:
    payment = world.create()
    world.sweep()
    answer = world.open_link(payment["id"])
    assert_page(world, answer, 410)
    assert "<form" not in answer.text
    pressed = world.press_continue(payment["id"])
    assert (pressed.status, pressed.headers["location"]) == (303, payment["url"])
    assert open_sessions(world) == []


def test_past_its_time_the_link_is_gone_before_the_sweep_came(world: World) -> None:
    until = (world.clock() + timedelta(minutes=31)).isoformat()
    payment = world.create({"expiresAt": until})
    world.clock.offset += timedelta(minutes=31, seconds=1)
    assert_page(world, world.open_link(payment["id"]), 410)
    world.stripe.forget_requests()
    pressed = world.press_continue(payment["id"])
    assert (pressed.status, pressed.headers["location"]) == (303, payment["url"])
    assert world.stripe.requests() == []


UNKNOWN: list[Any] = ["pay_unknown", "", "x" * 2000, "<script>", "a\ud800", "%00"]


def test_an_unknown_link_is_a_page_too(world: World, subtests: pytest.Subtests) -> None:
    for payment_id in UNKNOWN:
        with subtests.test(case=repr(payment_id)[:60]):
            answer = world.open_link(payment_id)
            assert_page(world, answer, 404)
            assert_page(world, world.press_continue(payment_id), 404)
            assert "<script" not in answer.text


def test_a_crash_is_a_page_that_gives_nothing_away(world: World) -> None:
    payment = world.create()
    world.aws.fail_once("GetItem")
    answer = world.open_link(payment["id"])
    assert_page(world, answer, 503)
    assert "InternalServerError" not in answer.text


def test_a_session_ended_in_the_dashboard_makes_room_for_the_next(world: World) -> None:
    payment = world.create()
    world.stripe.control("POST", f"checkout_sessions/{open_sessions(world)[0]}/expire")
    world.deliver_everything()
    found = world.payment(payment["id"])
    assert (found["status"], found["cancellationReason"]) == ("pending", None)
    assert_page(world, world.open_link(payment["id"]), 200)
    assert world.press_continue(payment["id"]).status == 303
    assert len(open_sessions(world)) == 1


def test_h5_two_tabs_share_one_session(world: World) -> None:
    payment = world.create()
    world.pass_time(hours=25)
    tabs = [world.press_continue(payment["id"]).headers["location"] for _ in range(2)]
    assert tabs[0] == tabs[1]
    assert world.stripe.pay(tabs[0]).status_code == 200
    world.stripe.pay(tabs[1])
    world.deliver_everything()
    assert world.payment(payment["id"])["status"] == "succeeded"
    assert len(world.aws.items("TRANSACTION#")) == 1


def test_a_crash_between_session_and_record_still_gives_one_session(world: World) -> None:
    payment = world.create()
    world.pass_time(hours=25)
    # Writes of the button: the old session's end, the new one's parameters, its id.
    world.aws.fail_once("write", skip=2)
    assert world.press_continue(payment["id"]).status == 503
    answer = world.press_continue(payment["id"])
    assert answer.status == 303
    assert len(open_sessions(world)) == 1
    assert answer.headers["location"].partition("#")[0].endswith(open_sessions(world)[0])


def test_link_pages_never_take_a_method_of_the_api(world: World) -> None:
    event = http_event("pay_page", parameters={"paymentId": "x"})
    event["routeKey"] = "DELETE /pay/{paymentId}"
    assert world.invoke("pay_page", event)["statusCode"] == 404
