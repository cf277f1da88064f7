"""X2: whatever happens, logs have ids and states, and no key, secret, signature or address."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from aws_lambda_powertools.utilities.batch.exceptions import BatchProcessingError

from tests.integration.stripe_driver import DECLINED, Buyer, signature, webhook_body
from tests.integration.test_webhooks_out import register
from tests.integration.world import World
from tests.receiver import Answer as Delivered
from tests.receiver import receiver

CARDS = ("4242424242424242", "4242 4242 4242 4242", "4000000000000002", "4000 0000 0000 0002")


class Logs:
    """All that was logged: as the functions print it, and as other loggers of Python hold it."""

    def __init__(self, printed: io.StringIO, caplog: pytest.LogCaptureFixture) -> None:
        self._printed = printed
        self._caplog = caplog

    def text(self) -> str:
        everything = [self._printed.getvalue()]
        for record in self._caplog.records:
            everything.append(record.getMessage())
            everything.append(repr(record.__dict__))
            if record.exc_text:
                everything.append(record.exc_text)
        return "\n".join(everything)

    def lines(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self._printed.getvalue().splitlines()]


@pytest.fixture
def logs(world: World, caplog: pytest.LogCaptureFixture) -> Iterator[Logs]:
    """Our own loggers at their most talkative; those of libraries a level below production's."""
    ours = logging.getLogger("paylink")
    (handler,) = ours.handlers
    assert isinstance(handler, logging.StreamHandler)
    for name in ("stripe", "botocore", "boto3", "urllib3"):
        caplog.set_level(logging.INFO, logger=name)
    printed = io.StringIO()
    level, stream = ours.level, handler.setStream(printed)
    ours.setLevel(logging.DEBUG)
    yield Logs(printed, caplog)
    ours.setLevel(level)
    handler.setStream(stream)


def assert_clean(world: World, text: str) -> None:
    parameters = world.aws.ssm.get_parameter(
        Name=f"/paylink-test/{world.seller.organization_id}/sandbox", WithDecryption=True
    )["Parameter"]["Value"]
    secrets = json.loads(parameters)
    for secret in (
        world.seller.api_key,
        world.seller.api_key.removeprefix("ck_sandbox_")[12:],
        secrets["secret_key"],
        secrets["signing_key"],
        *secrets["webhook_secrets"],
        *CARDS,
        "buyer@customer.example",
        "Bärbel",
        "10115",
        "2026-118",
        "whsec_",
        "sk_test_",
        "#fid",
    ):
        assert secret not in text, secret
    assert not re.search(r"v1=[0-9a-f]{20}", text)
    assert not re.search(r"token=[0-9]+\.[0-9a-f]{20}", text)


def test_a_whole_purchase_leaves_nothing_secret_in_the_logs(world: World, logs: Logs) -> None:
    payment = world.create(key="idempotency-key-of-the-caller")
    url = world.checkout_url(payment["id"])
    world.stripe.pay(url, DECLINED)
    world.deliver_everything()
    world.stripe.pay(url)
    world.deliver_everything()
    world.issue_invoices()
    page = world.open_link(payment["id"])
    token = re.search(r"token=([0-9a-f.]+)", page.text)
    assert token is not None
    assert world.download(world.invoice_of(payment), token[1]).status == 303
    text = logs.text()
    assert_clean(world, text)
    assert token[1] not in text
    moved = [line for line in logs.lines() if line["message"] == "payment moved"]
    assert [(line["status_before"], line["status"]) for line in moved] == [
        ("pending", "failed"),
        ("failed", "succeeded"),
    ]
    assert {line["payment_id"] for line in moved} == {payment["id"]}


@pytest.mark.parametrize("code", [None, "BadRequestException", "TooManyRequestsException"])
def test_a_receipt_names_its_buyer_to_nobody_else(
    world: World, logs: Logs, code: str | None
) -> None:
    made = world.create()
    buyer = Buyer(email="someone@private.example", name="Private Person")
    world.stripe.pay(world.checkout_url(made["id"]), buyer=buyer)
    world.deliver_everything()
    world.issue_invoices()
    if code is not None:
        world.aws.fail_once("SendEmail", code)
    with contextlib.suppress(BatchProcessingError):
        world.invoke("send_mails", world.mail_event())
    assert len(world.aws.mails()) == (0 if code else 1)
    text = logs.text()
    assert_clean(world, text)
    for private in ("private.example", "Private Person", "token="):
        assert private not in text


def test_one_payments_ids_lead_through_every_hop(
    world: World, logs: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the caller's request to their own server: what the caller named, what AWS named, the
    payment's id as far as it goes, and the event's id from the bus to its delivery."""

    def by(function: str, *parts: Any) -> Any:
        names.append((function, len(logs.lines())))
        return invoke(function, *parts)

    names: list[tuple[str, int]] = []
    invoke = world.invoke
    monkeypatch.setattr(world, "invoke", by)
    with receiver(lambda _path, _before: Delivered()) as company:
        register(world, company.url, ["payment_link.completed"])
        made = world.create(headers={"x-request-id": "req-of-the-caller"})
        world.stripe.pay(world.checkout_url(made["id"]))
        world.deliver_everything()
        world.issue_invoices()
        world.send_webhooks()
        (delivered,) = company.got
    starts = [start for _, start in names]
    lines = logs.lines()
    said: dict[str, list[dict[str, Any]]] = {}
    for (function, start), end in zip(names, [*starts[1:], len(lines)], strict=True):
        said.setdefault(function, []).extend(lines[start:end])
    about = {
        function: [line for line in entries if line.get("payment_id") == made["id"]]
        for function, entries in said.items()
    }
    assert {line["request_id"] for line in about["create_payment"]} == {"req-of-the-caller"}
    for function in (
        *("create_payment", "stripe_webhook", "dispatch_events"),
        *("issue_invoice", "fan_out_event"),
    ):
        assert about[function], function
    events = {
        line["event_type"]: line["event_id"]
        for line in about["dispatch_events"]
        if line["message"] == "event on the bus"
    }
    assert {"payment.created", "payment.succeeded", "invoice.issued"} <= events.keys()
    (issued,) = [line for line in about["issue_invoice"] if line["message"] == "invoice issued"]
    assert issued["event_id"] == events["payment.succeeded"]
    told = {
        line["event_id"]: line["delivery_ids"]
        for line in about["fan_out_event"]
        if line["message"] == "event fanned out"
    }
    (attempt,) = [x for x in said["deliver_webhooks"] if x["message"] == "webhook attempted"]
    assert told[events["invoice.issued"]] == [attempt["delivery_id"]]
    assert attempt["webhook_id"] == delivered.headers["webhook-id"]
    for function, entries in said.items():
        assert all(line["request_id"] for line in entries), function


def test_what_was_not_handled_says_which_event_and_why(world: World, logs: Logs) -> None:
    payment = world.paid()
    world.dispatch()
    for _ in range(2):  # a write for a batch that failed is tried one by one
        world.aws.fail_once("write", "InternalServerError")
    with contextlib.suppress(BatchProcessingError):
        world.issue_invoices()
    failures = [line for line in logs.lines() if line["message"] == "an event was not handled"]
    assert [line["payment_id"] for line in failures] == [payment["id"]]
    assert failures[0]["event_id"]
    assert "exception" in failures[0]


def test_every_request_is_one_line_with_its_id(world: World, logs: Logs) -> None:
    world.post_payment(headers={"x-request-id": "req-77"})
    (line,) = [line for line in logs.lines() if line["message"] == "answered"]
    assert line["request_id"] == "req-77"
    assert (line["route"], line["status"]) == ("POST /payments", 201)
    assert line["organization_id"] == world.seller.organization_id
    assert line["mode"] == "sandbox"


def test_ids_of_one_request_do_not_stay_for_the_next(world: World, logs: Logs) -> None:
    world.post_payment(headers={"x-request-id": "first"})
    world.post_payment(headers={"x-request-id": "second", "x-api-key": "wrong"})
    *_, last = [line for line in logs.lines() if line["message"] == "answered"]
    assert last["request_id"] == "second"
    assert "organization_id" not in last


def test_refused_requests_do_not_show_what_was_sent(world: World, logs: Logs) -> None:
    secretive = {"description": "x" * 501, "metadata": {"email": "someone@private.example"}}
    assert world.post_payment(secretive).status == 400
    assert world.post_payment('{"amount": "someone@private.example"').status == 400
    almost = world.seller.api_key[:-1] + ("0" if world.seller.api_key[-1] != "0" else "1")
    assert world.post_payment(headers={"x-api-key": almost}).status == 401
    text = logs.text()
    assert_clean(world, text)
    assert almost not in text
    assert "private.example" not in text


def test_a_crash_is_logged_with_its_trace_and_no_secret(world: World, logs: Logs) -> None:
    world.aws.fail_once("write", "InternalServerError")
    assert world.post_payment(key="k").status == 500
    assert_clean(world, logs.text())
    failures = [line for line in logs.lines() if line["level"] == "ERROR"]
    assert failures
    assert "exception" in failures[0]
    assert failures[0]["request_id"]


def test_bad_webhooks_do_not_show_their_signature(world: World, logs: Logs) -> None:
    payment = world.create()
    world.stripe.pay(world.checkout_url(payment["id"]))
    event = world.provider_event("checkout.session.completed")
    assert world.deliver(event, secret="whsec_wrong").status == 400
    assert world.deliver(event, age=4000).status == 400
    assert world.deliver(b"\xff", base64_body=True).status == 400
    assert world.deliver(b"[", base64_body=True).status == 400
    world.aws.fail_once("GetItem")
    assert world.deliver(event).status >= 500
    body = webhook_body(event)
    header = signature(body, world.seller.webhook_secret, int(world.clock().timestamp()))
    assert world.deliver(body, header=header).status == 200
    text = logs.text()
    assert_clean(world, text)
    assert header.partition("v1=")[2] not in text


def test_a_refusing_provider_is_logged_by_code_alone(world: World, logs: Logs) -> None:
    assert world.post_payment({"currency": "krw", "amount": 100}).status == 400
    world.stripe.fault("error", path="/v1/checkout/sessions", status=500, stored="answer")
    assert world.post_payment().status == 502
    assert_clean(world, logs.text())
    message = "the payment provider refused or failed"
    told = [line for line in logs.lines() if line["message"] == message]
    assert [line["provider_status"] for line in told] == [400, 500]
    assert told[0]["provider_code"] == "amount_too_small"


def test_a_failing_invoice_and_sweep_say_which(world: World, logs: Logs) -> None:
    payment = world.create()
    world.stripe.fault("error", path=".*/expire", status=500, count=2, stored="nothing")
    assert world.sweep()["failed"] == 1
    failures = [
        line
        for line in logs.lines()
        if line["message"] == "a due payment could not be looked after"
    ]
    assert [line["payment_id"] for line in failures] == [payment["id"]]
    assert_clean(world, logs.text())
