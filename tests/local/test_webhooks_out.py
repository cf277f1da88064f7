"""Outgoing webhooks on the deployed stack: from a paid link to a company's own server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from commet.resources.webhooks import Webhooks
from standardwebhooks import Webhook

from tests.local.stack import Stack, wait_for
from tests.local.test_receipts import await_mails
from tests.receiver import Answer, Answers, Receiver, receiver


@contextlib.contextmanager
def registered(
    stack: Stack, events: list[str], answer: Answers | None = None
) -> Iterator[tuple[Receiver, dict[str, Any]]]:
    """A receiver and its endpoint, which is deleted afterwards."""
    with receiver(answer) as company:
        endpoint = stack.call("POST", "/webhooks", {"url": f"{company.url}/x", "events": events})
        try:
            yield company, endpoint
        finally:
            stack.call("DELETE", f"/webhooks/{endpoint['id']}")


def customer(stack: Stack) -> str:
    made: str = stack.call("POST", "/customers", {"email": "anna@example.com"})["id"]
    return made


def await_delivery(
    stack: Stack, endpoint: dict[str, Any], status: str, seconds: float = 60
) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        found = stack.call("GET", f"/webhooks/{endpoint['id']}/deliveries?status={status}")
        return found[0] if found else None

    return wait_for(look, f"a delivery that {status}", seconds)


def test_a_paid_link_is_told_and_verified_by_both_libraries(stack: Stack) -> None:
    events = [
        "payment_link.created",
        "payment_link.completed",
        "payment.received",
        "payment_method.attached",
        "invoice.created",
    ]
    with registered(stack, events) as (company, endpoint):
        link = stack.create()
        stack.pay_by_form(link["url"])
        wait_for(lambda: len(company.of("/x")) >= len(events), "all events")
        assert sorted(got.json["event"] for got in company.got) == sorted(events)
        for got in company.got:
            raw = got.body.decode()
            body = Webhooks().verify_and_parse(
                raw_body=raw,
                signature=got.headers["x-commet-signature"],
                secret=endpoint["secretKey"],
            )
            assert body is not None
            assert body == Webhook(endpoint["secretKey"]).verify(raw, got.headers)
        (completed,) = company.of("/x", "payment_link.completed")
        assert completed.json["data"]["paymentId"] == link["id"]
        assert completed.json["data"]["invoiceNumber"].startswith("INV-")


def test_o1_the_fourth_attempt_succeeds_with_the_same_id_and_bytes(stack: Stack) -> None:
    fourth_works: Answers = lambda _path, before: Answer(200 if before == 3 else 500)  # noqa: E731
    with registered(stack, ["customer.created"], fourth_works) as (company, endpoint):
        customer(stack)
        delivery = await_delivery(stack, endpoint, "succeeded")
        assert [a["responseCode"] for a in delivery["attempts"]] == [500, 500, 500, 200]
        assert len({got.body for got in company.got}) == 1
        assert len({got.headers["webhook-id"] for got in company.got}) == 1


def test_o1_one_that_always_fails_is_tried_eight_times_and_can_be_sent_again(
    stack: Stack,
) -> None:
    with registered(stack, ["customer.created"], lambda _p, _n: Answer(500)) as (company, endpoint):
        customer(stack)
        failed = await_delivery(stack, endpoint, "failed", 90)
        assert len(failed["attempts"]) == len(company.got) == 8
        company.answer = lambda _path, _before: Answer()
        since = {"since": failed["createdAt"]}
        resent = stack.call("POST", f"/webhooks/{endpoint['id']}/resend", since)
        assert (resent["resent"], resent["complete"]) == (1, True)
        again = await_delivery(stack, endpoint, "succeeded")
        assert (again["id"], len(again["attempts"])) == (failed["id"], 9)


def test_o1_one_that_hangs_delays_neither_others_nor_the_provider(stack: Stack) -> None:
    with (
        registered(stack, ["payment_link.completed"], lambda _p, _n: Answer(pause=30)) as (
            _,
            hangs,
        ),
        registered(stack, ["payment_link.completed"]) as (company, _),
    ):
        link = stack.create()
        stack.pay_by_form(link["url"])
        stack.await_payment(link["id"], status="succeeded")
        wait_for(lambda: company.of("/x"), "the other endpoint's event")
        pending = stack.call("GET", f"/webhooks/{hangs['id']}/deliveries")
        assert [d["status"] for d in pending] == ["pending"]

        def attempted() -> Any:
            found = stack.call("GET", f"/webhooks/{hangs['id']}/deliveries")
            return found[0]["attempts"]

        first = wait_for(attempted, "an attempt that was given up", 30)[0]
        assert (first["responseCode"], first["error"]) == (None, "timeout")
        assert 10_000 <= first["milliseconds"] < 12_000


def test_o1_one_that_is_gone_is_switched_off_and_its_owner_told(stack: Stack) -> None:
    with registered(stack, ["customer.created"], lambda _p, _n: Answer(410)) as (company, endpoint):
        customer(stack)
        await_delivery(stack, endpoint, "failed")
        now = stack.call("GET", f"/webhooks/{endpoint['id']}")
        assert (now["isActive"], now["disabledReason"]) == (False, "gone")
        assert len(company.got) == 1
        (mail,) = await_mails(stack, endpoint["url"], 1)
        assert f"PATCH /webhooks/{endpoint['id']}" in mail["BodyText"]


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data/",
        "https://10.0.0.5/",
        "https://[::ffff:10.0.0.5]/",
        "https://0xa9fea9fe/",
        "https://metadata.internal/",
    ],
)
def test_x3_even_here_nothing_inside_but_this_machine_is_taken(stack: Stack, url: str) -> None:
    answer = stack.http.post(
        "/webhooks",
        json={"url": url, "events": ["customer.created"]},
        headers={"x-api-key": stack.about["apiKey"]},
    )
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "url"


def test_x3_a_redirect_inside_is_not_followed(stack: Stack) -> None:
    inside = Answer(307, location="http://169.254.169.254/latest/meta-data/")
    with registered(stack, ["customer.created"], lambda _p, _n: inside) as (company, endpoint):
        customer(stack)
        wait_for(lambda: len(company.got) >= 2, "a second attempt")
        (delivery,) = stack.call("GET", f"/webhooks/{endpoint['id']}/deliveries")
        assert {a["responseCode"] for a in delivery["attempts"]} == {307}
