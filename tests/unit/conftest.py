"""What every unit test can rely on: nobody sleeps, and a world is a new one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from paylink.services import settle_payment
from tests.unit.world import World


@pytest.fixture(autouse=True, scope="session")
def _nobody_sleeps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle_payment, "_BACKOFF_SECONDS", 0)
        yield


@pytest.fixture
def world() -> World:
    return World()
