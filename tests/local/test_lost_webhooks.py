"""Stripe's news never come: what was paid and refunded is found, and rarely asked for."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.local.books import await_quiet
from tests.local.stack import ROOT, Stack


@pytest.fixture
def deaf(stack: Stack) -> Iterator[Stack]:
    """A stack whose webhooks are never sent while a test runs."""
    await_quiet(stack, 60)
    stack.control("POST", "webhooks/drop", {})
    yield stack
    stack.control("POST", "clear", {})


def scheduled(function: str, moment: datetime) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / "events" / f"{function}.json").read_text())
    return {**event, "time": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}


def run(stack: Stack, function: str, moment: datetime) -> dict[str, int]:
    """What a schedule would bring about at a moment, in counts."""
    answer = stack.aws("lambda").invoke(
        FunctionName=f"{stack.about['stackName']}-{function}",
        Payload=json.dumps(scheduled(function, moment)),
    )
    counts: dict[str, int] = json.loads(answer["Payload"].read())
    assert "FunctionError" not in answer, counts
    return counts


def in_minutes(minutes: float) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def asked(stack: Stack, since: float) -> list[str]:
    """What was asked of Stripe since then."""
    found = stack.control("GET", f"requests?path=/v1&since={since}")["requests"]
    return [f"{r['method']} {r['path']}" for r in found]


def sandbox_time(stack: Stack) -> float:
    return float(stack.control("GET", "health")["time"])


def intent_of(stack: Stack, session: str) -> str:
    return str(stack.stripe(f"checkout/sessions/{session}")["payment_intent"])


def test_a_paid_link_gets_its_invoice_without_any_webhook(deaf: Stack, tmp_path: Path) -> None:
    payment = deaf.create()
    deaf.pay_by_form(payment["url"])
    assert deaf.payment(payment["id"])["status"] == "pending"
    deaf.invoke("expire_links", scheduled("expire_links", in_minutes(16)), tmp_path)
    assert deaf.payment(payment["id"])["status"] == "succeeded"
    deaf.await_payment(payment["id"], status="succeeded", invoiceId=...)


def test_a_refund_of_the_dashboard_is_recorded_without_any_webhook(deaf: Stack) -> None:
    payment = deaf.create()
    session = deaf.pay_by_form(payment["url"])
    run(deaf, "hear_undelivered", in_minutes(0))
    paid = deaf.await_payment(payment["id"], status="succeeded", invoiceId=...)
    refund = {"payment_intent": intent_of(deaf, session), "amount": 100}
    deaf.control("POST", "refunds", refund)
    assert deaf.payment(payment["id"])["amountRefunded"] == 0
    assert run(deaf, "hear_undelivered", in_minutes(0))["handled"] > 0
    refunded = deaf.payment(payment["id"])
    assert (refunded["amountRefunded"], refunded["status"]) == (100, "succeeded")
    assert refunded["invoiceId"] == paid["invoiceId"]


def test_stripe_is_asked_nothing_while_nothing_is_due_and_once_when_it_is(deaf: Stack) -> None:
    run(deaf, "expire_links", in_minutes(14))  # what other tests have left
    paid, waiting = deaf.create(), deaf.create()
    deaf.pay_by_form(paid["url"])
    before = sandbox_time(deaf)
    run(deaf, "expire_links", in_minutes(14))
    look = f"GET /v1/checkout/sessions/{deaf.session_of(waiting)}"
    assert look not in asked(deaf, before)
    run(deaf, "expire_links", in_minutes(16))
    assert asked(deaf, before).count(look) == 1
    assert deaf.payment(paid["id"])["status"] == "succeeded"
    assert deaf.payment(waiting["id"])["status"] == "pending"
    before = sandbox_time(deaf)
    run(deaf, "expire_links", in_minutes(16))
    assert asked(deaf, before) == []


def test_the_operator_has_one_payment_looked_into(deaf: Stack) -> None:
    payment = deaf.create()
    deaf.pay_by_form(payment["url"])
    done = subprocess.run(
        [".venv/bin/python", "-m", "paylink.cli", "payments", "reconcile", payment["id"]],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "layers" / "paylink"),
            "PAYLINK_STACK": deaf.about["stackName"],
            "AWS_ENDPOINT_URL": deaf.about["awsEndpointUrl"],
            "AWS_DEFAULT_REGION": deaf.about["region"],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["statusBefore"], told["status"]) == ("pending", "succeeded")
    deaf.await_payment(payment["id"], status="succeeded", invoiceId=...)
