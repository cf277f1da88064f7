"""The browser, of which a test run has one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

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
