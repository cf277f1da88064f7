"""A function makes what it needs while it starts, and asks nobody for anything then: a start may be
kept as a snapshot and restored any number of times, years after.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from paylink import bootstrap
from tests.integration.template import ROOT
from tests.integration.world import World

FUNCTIONS = sorted(folder.parent.name for folder in ROOT.glob("functions/*/app.py"))


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
    world.aws.calls.clear()
    world.stripe.forget_requests()
    with monkeypatch.context() as offline:
        offline.setattr(socket.socket, "connect", refuse)
        world.module(function)
    assert world.aws.calls == []
    assert world.stripe.requests() == []


def test_clients_are_there_before_the_first_call(
    world: World, restored: list[Callable[[], object]]
) -> None:
    world.module("create_payment")
    for part in (bootstrap.table, bootstrap.payments, bootstrap.providers, bootstrap.authenticator):
        assert part.cache_info().currsize == 1


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
