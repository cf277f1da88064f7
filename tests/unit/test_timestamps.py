"""Moments as the API writes them: in UTC, wherever the service and whoever asks are."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import pytest

from paylink.domain.timestamps import timestamp

MOMENT = datetime(2026, 11, 25, 9, 30, 0, 123_456, UTC)


@pytest.fixture(params=["UTC", "Asia/Kolkata", "America/New_York"])
def _place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_place")
@pytest.mark.parametrize("hours", [0, 9, -5])
def test_a_moment_is_written_in_utc_to_the_millisecond(hours: int) -> None:
    elsewhere = MOMENT.astimezone(timezone(timedelta(hours=hours)))
    assert timestamp(elsewhere) == "2026-11-25T09:30:00.123Z"


def test_no_moment_is_nothing() -> None:
    assert timestamp(None) is None
