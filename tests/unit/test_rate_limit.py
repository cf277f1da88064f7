"""The rate limit: roughly right over many containers, and without a write per request."""

from __future__ import annotations

from datetime import timedelta

from paylink.http.rate_limit import RateLimiter
from tests.unit.fakes import START


class SharedCounts:
    """The table's part: one sum per key and minute."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, int], int] = {}
        self.writes = 0
        self.fails = False

    def add(self, key_id: str, window: int, requests: int) -> int:
        self.writes += 1
        if self.fails:
            raise OSError
        self.sums[key_id, window] = self.sums.get((key_id, window), 0) + requests
        return self.sums[key_id, window]


def allowed(limiter: RateLimiter, times: int, key: str = "k", seconds: float = 0) -> int:
    """How many of so many requests at one moment are let through."""
    now = START + timedelta(seconds=seconds)
    taken = [limiter.take(key, now) for _ in range(times)]
    return sum(allowance is not None and allowance.remaining >= 0 for allowance in taken)


def test_a_minute_lets_the_limit_through_and_the_next_one_again() -> None:
    limiter = RateLimiter(100, SharedCounts())
    assert allowed(limiter, 250) == 100
    assert allowed(limiter, 10, seconds=59) == 0
    assert allowed(limiter, 250, seconds=60) == 100


def test_keys_do_not_share_a_limit() -> None:
    limiter = RateLimiter(10, SharedCounts())
    assert allowed(limiter, 20, "one") == 10
    assert allowed(limiter, 20, "two") == 10


def test_containers_share_a_limit_to_within_what_each_has_not_told_yet() -> None:
    counts = SharedCounts()
    containers = [RateLimiter(1000, counts) for _ in range(5)]
    through = sum(allowed(one, 1) for _ in range(600) for one in containers)
    assert 1000 <= through <= 1000 + 5 * 20


def test_there_is_no_write_per_request_and_none_at_all_for_a_quiet_key() -> None:
    counts = SharedCounts()
    limiter = RateLimiter(1000, counts)
    allowed(limiter, 19)
    assert counts.writes == 0
    allowed(limiter, 5000)
    assert counts.writes <= 60


def test_the_headers_say_what_is_left_and_when_it_starts_again() -> None:
    allowance = RateLimiter(3, SharedCounts()).take("k", START + timedelta(seconds=45))
    assert allowance is not None
    assert allowance.headers == {
        "ratelimit-limit": "3",
        "ratelimit-remaining": "2",
        "ratelimit-reset": "15",
    }


def test_zero_is_no_limit() -> None:
    assert RateLimiter(0, SharedCounts()).take("k", START) is None


def test_without_the_shared_count_a_container_holds_to_the_limit_by_itself() -> None:
    counts = SharedCounts()
    counts.fails = True
    limiter = RateLimiter(1000, counts)
    assert allowed(limiter, 1500) == 1000
    assert counts.writes == 1500 // 20


def test_what_could_not_be_told_is_told_later() -> None:
    counts = SharedCounts()
    counts.fails = True
    limiter = RateLimiter(1000, counts)
    allowed(limiter, 30)
    counts.fails = False
    allowed(limiter, 10)
    assert list(counts.sums.values()) == [40]
    assert allowed(limiter, 1500) == 960
