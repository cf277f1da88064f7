"""Requests per key and minute, roughly, and without a write per request.

Each container counts for itself and tells the shared count of a minute only every so many requests,
so the limit is exceeded by at most that many per container. While the shared count can't be
reached, each container holds to the limit for itself: a limiter must not be what fails a request.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cachetools import LRUCache

from paylink.observability import logger

WINDOW_SECONDS = 60
_SYNCS_PER_WINDOW = 50


class RequestCounter(Protocol):
    def add(self, key_id: str, window: int, requests: int) -> int:
        """Adds to the shared count of a key's minute and returns the sum."""


@dataclass
class _Count:
    window: int
    shared: int = 0
    own: int = 0
    """Not told yet."""
    waiting: int = 0
    """Since it was last tried to tell them."""


@dataclass(frozen=True)
class Allowance:
    """What is left of a key's minute."""

    limit: int
    remaining: int
    reset_seconds: int

    @property
    def headers(self) -> dict[str, str]:
        return {
            "ratelimit-limit": str(self.limit),
            "ratelimit-remaining": str(max(self.remaining, 0)),
            "ratelimit-reset": str(self.reset_seconds),
        }


class RateLimiter:
    """``limit`` requests per key and minute; 0 switches it off."""

    def __init__(self, limit: int, counter: RequestCounter) -> None:
        self._limit = limit
        self._counter = counter
        self._step = max(1, limit // _SYNCS_PER_WINDOW)
        self._counts: LRUCache[str, _Count] = LRUCache(4096)

    def take(self, key_id: str, now: datetime) -> Allowance | None:
        """Counts one request; an allowance with nothing left is to be refused."""
        if self._limit == 0:
            return None
        window, into = divmod(int(now.timestamp()), WINDOW_SECONDS)
        count = self._counts.get(key_id)
        if count is None or count.window != window:
            count = self._counts[key_id] = _Count(window)
        count.own += 1
        count.waiting += 1
        if count.waiting >= self._step and count.shared <= self._limit:
            self._tell(key_id, count)
        left = self._limit - count.shared - count.own
        return Allowance(self._limit, left, WINDOW_SECONDS - into)

    def _tell(self, key_id: str, count: _Count) -> None:
        count.waiting = 0
        try:
            count.shared = self._counter.add(key_id, count.window, count.own)
        except Exception as error:
            about = {"key_id": key_id, "error": type(error).__name__}
            logger.warning("the shared count of requests is out of reach", extra=about)
        else:
            count.own = 0
