"""What a link answers over its life, and how the sweep ends it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from playwright.sync_api import Page

from tests.local.checkout import PAID, pay
from tests.local.stack import ROOT, Stack, wait_for


def sweep_event(moment: datetime) -> dict[str, object]:
    event = json.loads((ROOT / "events" / "expire_links.json").read_text())
    return {**event, "time": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def test_the_sweep_cancels_a_link_past_its_time_and_expires_its_session(
    stack: Stack, tmp_path: Path
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=40)
    payment = stack.create(expiresAt=soon.isoformat())
    later = stack.create(expiresAt=(soon + timedelta(hours=2)).isoformat())
    session = stack.session_of(payment)
    stack.invoke("expire_links", sweep_event(soon - timedelta(minutes=1)), tmp_path)
    assert stack.payment(payment["id"])["status"] == "pending"
    stack.invoke("expire_links", sweep_event(soon + timedelta(minutes=1)), tmp_path)
    canceled = stack.payment(payment["id"])
    assert (canceled["status"], canceled["cancellationReason"]) == ("canceled", "expired")
    assert stack.stripe(f"checkout/sessions/{session}")["status"] == "expired"
    assert stack.http.get(payment["url"]).status_code == 410
    assert stack.payment(later["id"])["status"] == "pending"


def test_the_sweep_settles_what_was_paid_while_the_webhook_was_lost(
    stack: Stack, page: Page, tmp_path: Path
) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=45)
    payment = stack.create(expiresAt=soon.isoformat())
    session = stack.session_of(payment)
    with stack.held_webhooks():
        pay(page, payment["url"], PAID)
        page.wait_for_url(f"**session_id={session}")
        assert stack.payment(payment["id"])["status"] == "pending"
        stack.invoke("expire_links", sweep_event(soon + timedelta(minutes=1)), tmp_path)
        assert stack.payment(payment["id"])["status"] == "succeeded"
    stack.await_payment(payment["id"], status="succeeded", invoiceId=...)


def test_opening_a_link_creates_nothing_and_the_button_makes_one_session(stack: Stack) -> None:
    payment = stack.create()
    first = stack.session_of(payment)
    since = stack.control("GET", "health")["time"]
    stack.control("POST", f"checkout_sessions/{first}/expire")
    page = _until_page(stack, payment["url"])
    assert "Continue to payment" in page.text
    assert (
        "form-action 'self' " + stack.about["stripeUrl"] in page.headers["content-security-policy"]
    )
    assert stack.requests("POST", "/v1/checkout/sessions", since) == []
    answers = [stack.http.post(payment["url"]) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [303, 303]
    places = {answer.headers["location"] for answer in answers}
    assert len(places) == 1
    assert places.pop().startswith(f"{stack.about['stripeUrl']}/c/pay/cs_test_")
    assert len(stack.requests("POST", "/v1/checkout/sessions", since)) == 1


def _until_page(stack: Stack, url: str) -> httpx.Response:
    def look() -> httpx.Response | None:
        answer = stack.http.get(url)
        return answer if answer.status_code == 200 else None

    return wait_for(look, "a page in place of the ended session")


def test_unknown_links_are_a_404_page_and_the_invoice_needs_its_token(stack: Stack) -> None:
    answer = stack.http.get("/pay/pay_unknown")
    assert answer.status_code == 404
    assert answer.headers["content-type"].startswith("text/html")
    for token in ("", "1.2", f"99999999999.{'0' * 64}"):
        refused = stack.http.get(f"/documents/inv_unknown?token={token}")
        assert refused.status_code == 404


def test_the_first_download_makes_a_pdf_that_was_never_stored(stack: Stack) -> None:
    payment = stack.create(description="Made by the download")
    stack.pay_by_form(payment["url"])
    invoice_id = stack.await_payment(payment["id"], invoiceId=...)["invoiceId"]

    def stored() -> str | None:
        return next((key for key in stack.documents() if invoice_id in key), None)

    key = wait_for(stored, "the stored PDF")
    # As if storing it had failed.
    stack.aws("s3").delete_object(Bucket=stack.about["bucketName"], Key=key)
    answer = stack.http.post(
        f"/invoices/{invoice_id}/download-links", headers={"x-api-key": stack.about["apiKey"]}
    )
    assert answer.status_code == 201, answer.text
    assert stored() is None
    assert stack.download(answer.json()["data"]["url"]).startswith(b"%PDF-")
    assert stored() == key
