"""What every unit test can rely on: nobody sleeps, and a world is a new one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from paylink.services import settle_payment
from tests.unit.world import World

# How long one example takes says more about the machine than about the code.
settings.register_profile("unit", deadline=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True, scope="session")
def _nobody_sleeps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settle_payment, "_BACKOFF_SECONDS", 0)
        yield


@pytest.fixture
def world() -> World:
    return World()
