"""A function makes what it needs while it starts, and asks nobody for anything then: a start may be
kept as a snapshot and restored any number of times, years after.
"""

from __future__ import annotations

import gc
import json
import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest
from botocore.session import Session
from moto.core.models import botocore_stubber

from paylink import bootstrap
from paylink.adapters import aws
from tests.integration.template import ROOT
from tests.integration.world import World

FUNCTIONS = sorted(folder.parent.name for folder in ROOT.glob("functions/*/app.py"))


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """What was there at a start is looked through again: the tests' process has other garbage."""
    yield
    gc.unfreeze()


@pytest.fixture
def restored(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], object]]:
    """What Lambda's runtime would run after a restore."""
    hooks: list[Callable[[], object]] = []
    runtime = ModuleType("snapshot_restore_py")
    vars(runtime)["register_after_restore"] = hooks.append
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", runtime)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
    return hooks


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_start_connects_to_nobody_and_reads_nothing(
    world: World,
    restored: list[Callable[[], object]],
    function: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("a start must not connect")

    world.module("reference")  # the world itself is there
    world.stripe.forget_requests()
    with monkeypatch.context() as offline:
        offline.setattr(socket.socket, "connect", refuse)
        offline.setattr(botocore_stubber, "enabled", False)  # it would answer instead of AWS
        world.module(function)
    assert world.stripe.requests() == []


@pytest.mark.parametrize("function", FUNCTIONS)
def test_garbage_is_looked_for_again_once_a_function_has_started(
    world: World, restored: list[Callable[[], object]], function: str
) -> None:
    gc.disable()
    try:
        world.module(function)
        assert gc.isenabled()
    finally:
        gc.enable()


def test_nobody_looks_for_garbage_while_lambda_starts_a_function() -> None:
    looks = "import gc; from paylink import bootstrap; print(gc.isenabled())"

    def seen(**variables: str) -> str:
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "layers/paylink"), **variables}
        run = [sys.executable, "-c", looks]
        return subprocess.check_output(run, env=environment, text=True).strip()

    assert seen(AWS_LAMBDA_INITIALIZATION_TYPE="on-demand") == "False"
    assert seen() == "True"


def test_clients_are_there_before_the_first_call(
    world: World, restored: list[Callable[[], object]]
) -> None:
    world.module("create_payment")
    for part in (bootstrap.table, bootstrap.payments, bootstrap.providers, bootstrap.authenticator):
        assert part.cache_info().currsize == 1


def operations(world: World) -> set[str]:
    """What the SDK was called for since this was last asked."""
    asked = {operation for operation, _ in world.aws.calls}
    world.aws.calls.clear()
    return asked


def test_whatever_the_first_calls_ask_of_aws_was_rehearsed_at_the_start(
    world: World, restored: list[Callable[[], object]]
) -> None:
    operations(world)
    world.module("create_payment")
    rehearsed = operations(world)
    link = world.create()
    assert operations(world) <= rehearsed
    world.stripe.pay(world.checkout_url(link["id"]))
    told = world.provider_event("checkout.session.completed")
    operations(world)
    world.module("stripe_webhook")
    rehearsed = operations(world)
    assert world.deliver(told).json["outcome"] == "succeeded"
    assert operations(world) <= rehearsed


@pytest.mark.parametrize("function", ["issue_invoice", "send_mails", "fan_out_event"])
def test_nothing_is_rehearsed_where_nobody_waits(
    world: World, restored: list[Callable[[], object]], function: str
) -> None:
    operations(world)
    world.module(function)
    assert operations(world) == set()


def test_a_rehearsal_leaves_nothing_behind(world: World) -> None:
    world.create()
    table = bootstrap.table()
    before = world.aws.items()
    table.rehearse()
    bootstrap.credentials().rehearse()
    assert world.aws.items() == before
    table.write([table.put({"pk": "A", "sk": "A", "what": "real"})])
    found = table.get("A", "A")
    assert found is not None
    assert found["what"] == "real"


def test_copies_of_a_snapshot_do_not_draw_the_same_random_numbers(
    world: World, restored: list[Callable[[], object]]
) -> None:
    world.module("create_payment")
    frozen = random.getstate()
    draws = set()
    for _ in range(2):
        random.setstate(frozen)
        for hook in restored:
            hook()
        draws.add(random.random())  # noqa: S311 - no secret
    assert len(draws) == 2


def test_a_start_without_a_snapshot_needs_nothing_of_lambdas_runtime(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "snapshot_restore_py", None)
    monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand")
    world.module("create_payment")
    assert bootstrap.payments.cache_info().currsize == 1


class _Keys(BaseHTTPRequestHandler):
    """Lambda's own source of credentials beside a function that starts from a snapshot: a key of
    the start, whose time is over, and then keys that are good for an hour."""

    given = 0

    def do_GET(self) -> None:
        type(self).given += 1
        keys = {"AccessKeyId": f"KEY{self.given}", "SecretAccessKey": "s", "Token": "t"}
        end = datetime.now(UTC) + timedelta(hours=1 if self.given > 1 else -1)
        body = json.dumps({**keys, "Expiration": end.isoformat()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing to say."""


def test_credentials_of_a_snapshot_are_replaced_when_it_is_restored_after_their_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Keys) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"http://127.0.0.1:{server.server_port}/credentials"
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)
        monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        monkeypatch.setattr(aws, "_session", Session())
        started = aws.client("dynamodb")
        assert _Keys.given == 1
        signing = started._request_signer._credentials.get_frozen_credentials()
        assert signing.access_key == "KEY2"
        server.shutdown()
