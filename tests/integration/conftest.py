"""Fixtures: one sandbox of Stripe for all tests, a new stack for each."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import botocore.client
import pytest
from moto import mock_aws

from paylink import bootstrap
from paylink.adapters.dynamodb import payments as dynamo_payments
from paylink.services import deliver_webhook, hear_undelivered, settle_payment, sweep_payments
from tests.integration.aws import PHYSICAL_IDS, RECEIPT_SENDER, Aws
from tests.integration.stripe_driver import StripeSandbox, running_sandbox
from tests.integration.template import REGION, Template
from tests.integration.world import Clock, World
from tests.local.leaks import PERSONAL, SECRETS, found_in


@pytest.fixture(scope="session", autouse=True)
def _nothing_secret_is_logged() -> Iterator[None]:
    """Whatever any test has a function log is looked through; what is found fails the run."""

    def look(record: logging.LogRecord) -> bool:
        line = handler.format(record)
        found.update((kind, line) for kind in found_in(line, SECRETS | PERSONAL))
        return True

    found: set[tuple[str, str]] = set()
    (handler,) = logging.getLogger("paylink").handlers
    handler.addFilter(look)
    yield
    handler.removeFilter(look)
    assert found == set()


@pytest.fixture(scope="session")
def running_stripe() -> Iterator[StripeSandbox]:
    with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def stripe(running_stripe: StripeSandbox) -> StripeSandbox:
    running_stripe.reset()
    return running_stripe


@pytest.fixture
def template(running_stripe: StripeSandbox) -> Template:
    parameters = {
        "StripeApiBase": running_stripe.url,
        "ReceiptSender": RECEIPT_SENDER,
        "LocalWebhooks": "true",
        "StripeBackgroundRate": "100",
    }
    return Template(PHYSICAL_IDS, parameters)


@pytest.fixture
def aws(template: Template, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    # Sessions are slow to make and hold nothing of moto's.
    with mock_aws(config={"core": {"mock_credentials": True, "reset_boto3_session": False}}):
        stack = Aws(template)
        stack.create()

        def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
            return stack.call(client, operation, parameters)

        monkeypatch.setattr(botocore.client.BaseClient, "_make_api_call", call)
        yield stack


@pytest.fixture
def world(
    template: Template,
    aws: Aws,
    stripe: StripeSandbox,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[World]:
    # What a test changes of the environment is taken back by monkeypatch afterwards.
    for name in (
        template.variables("pay_page")
        | template.variables("dispatch_events")
        | template.variables("deliver_webhooks")
    ):
        monkeypatch.setenv(name, "")
    clock = Clock()
    monkeypatch.setattr(bootstrap, "clock", clock)
    one_thread_for_moto(monkeypatch)
    monkeypatch.setattr(settle_payment, "_BACKOFF_SECONDS", 0.0)
    stack = World(template, aws, stripe, clock, capsys)
    yield stack
    stack.new_container()


def one_thread_for_moto(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools of one worker: what runs in parallel on AWS runs in turn here."""
    for module in (sweep_payments, hear_undelivered, dynamo_payments, deliver_webhook):
        monkeypatch.setattr(module, "ThreadPoolExecutor", lambda _workers: ThreadPoolExecutor(1))
