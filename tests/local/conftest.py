"""A local stack of the tests' own, and a browser.

The stack is started as a user would start it, beside whatever runs already. To try tests on a stack
that stays up, name its state: ``PAYLINK_TEST_STATE=.local/tests pytest tests/local``.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.local.stack import ROOT, Stack, make, ports_environment

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
ARGUMENTS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    running = os.environ.get("PAYLINK_TEST_STATE")
    if running:
        with contextlib.closing(Stack.at(Path(running).resolve())) as found:
            yield found
        return
    state = ROOT / ".local" / "tests"
    make("stop", state=state)
    shutil.rmtree(state, ignore_errors=True)
    started = make("run", state=state, **ports_environment())
    assert started.returncode == 0, started.stdout + started.stderr
    try:
        with contextlib.closing(Stack.at(state)) as ours:
            yield ours
    finally:
        make("stop", state=state)


@pytest.fixture(autouse=True)
def _untroubled_sandbox(request: pytest.FixtureRequest) -> Iterator[None]:
    """No fault or held event of one test reaches the next."""
    yield
    if "stack" in request.fixturenames:
        request.getfixturevalue("stack").control("POST", "clear", {})


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    installed = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        if installed is None and not Path(playwright.chromium.executable_path).exists():
            fetch = [sys.executable, "-m", "playwright", "install", "--with-deps", "chromium"]
            fetched = subprocess.run(fetch, capture_output=True, check=False)
            if fetched.returncode:
                if os.environ.get("CI"):
                    pytest.fail("CI needs a browser, and none could be installed")
                pytest.skip("no Chromium is installed, and none could be")
        # Chromium's own sandbox doesn't work for root.
        root = ["--no-sandbox"] if os.geteuid() == 0 else []
        launched = playwright.chromium.launch(executable_path=installed, args=[*ARGUMENTS, *root])
        yield launched
        launched.close()


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
