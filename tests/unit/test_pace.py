"""Background work takes its turns at Stripe, a number of them a second, whatever it has to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from paylink.adapters.stripe.pace import Pace


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_calls_are_spread_evenly() -> None:
    time = Time()
    pace = Pace(8, clock=lambda: time.now, sleep=time.sleep)
    for _ in range(17):
        pace.wait()
    assert time.now - 1000 == pytest.approx(2)
    assert max(time.slept) == pytest.approx(0.125)


def test_time_that_was_not_used_is_not_made_up_for() -> None:
    time = Time()
    pace = Pace(8, clock=lambda: time.now, sleep=time.sleep)
    pace.wait()
    time.now += 60
    for _ in range(3):
        pace.wait()
    assert time.slept == pytest.approx([0, 0, 0.125, 0.125])


def test_all_threads_share_the_turns() -> None:
    waits: list[float] = []
    pace = Pace(8, clock=lambda: 1000.0, sleep=waits.append)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(40):
            pool.submit(pace.wait)
    assert sorted(waits) == pytest.approx([turn / 8 for turn in range(40)])


def test_without_a_limit_nobody_waits() -> None:
    time = Time()
    pace = Pace(0, clock=lambda: time.now, sleep=time.sleep)
    pace.wait()
    assert time.slept == []
