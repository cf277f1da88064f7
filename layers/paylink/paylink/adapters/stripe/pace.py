"""Keeps work that nobody waits for from using up what Stripe lets an account ask in a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock


class Pace:
    """At most so many calls a second, evenly spread over all threads; 0 is as many as they like."""

    def __init__(
        self,
        calls_per_second: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._seconds = 1 / calls_per_second if calls_per_second else 0.0
        self._clock, self._sleep = clock, sleep
        self._lock = Lock()
        self._next = 0.0

    def wait(self) -> None:
        """Returns when the caller's turn has come; turns are given in the order of asking."""
        if not self._seconds:
            return
        with self._lock:
            now = self._clock()
            turn = max(now, self._next)
            self._next = turn + self._seconds
        self._sleep(turn - now)
