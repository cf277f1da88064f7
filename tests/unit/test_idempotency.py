"""Callers' idempotency keys: who may run, who waits, who takes over, who is answered."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from paylink.domain.errors import IdempotencyInProgressError, IdempotencyKeyMismatchError
from paylink.ports import IdempotencyRecord, KeyInUseError, StoredResponse
from paylink.services.idempotency import RETENTION, resume
from tests.unit.fakes import START
from tests.unit.world import LEASE, MODE, ORGANIZATION, World, a_payment, a_request

ANSWER = StoredResponse(201, "{}")


def record(now: datetime = START, **changes: str) -> IdempotencyRecord:
    return replace(a_request(**changes).record(ORGANIZATION, MODE, now), payment_id="pay_1")


def claimed(world: World) -> IdempotencyRecord:
    """The record of a request that is running."""
    made = record()
    world.payments.add(a_payment(), made)
    return made


def stored(world: World) -> IdempotencyRecord:
    (found,) = world.memory.records.values()
    return found


def test_a_record_says_for_how_long_it_is_claimed_and_kept() -> None:
    made = record()
    assert made.lease_until == START + LEASE
    assert made.expires_at == START + RETENTION == START + timedelta(hours=24)


def test_an_answer_is_given_again_lease_or_not(world: World) -> None:
    found = replace(claimed(world), response=ANSWER)
    for now in (START, START + LEASE, START + timedelta(hours=23)):
        assert resume(found, record(now), world.idempotency, now).response == ANSWER


@pytest.mark.parametrize("change", [{"request_hash": "other"}, {"operation": "POST /x"}])
@pytest.mark.parametrize("response", [None, ANSWER])
def test_another_request_is_a_mismatch_whether_the_first_is_done_or_not(
    world: World, change: dict[str, str], response: StoredResponse | None
) -> None:
    found = replace(claimed(world), response=response)
    for now in (START, START + LEASE * 2):
        with pytest.raises(IdempotencyKeyMismatchError):
            resume(found, record(now, **change), world.idempotency, now)
    assert stored(world) == replace(found, response=None)


def test_the_same_request_waits_until_the_lease_is_over_and_not_longer(world: World) -> None:
    found = claimed(world)
    before = START + LEASE - timedelta(microseconds=1)
    with pytest.raises(IdempotencyInProgressError):
        resume(found, record(before), world.idempotency, before)
    now = START + LEASE
    ours = resume(found, record(now), world.idempotency, now)
    assert ours.payment_id == "pay_1"
    assert ours.lease_until == now + LEASE
    assert ours.expires_at == found.expires_at
    assert stored(world) == ours


def test_only_one_takes_over(world: World) -> None:
    found = claimed(world)
    now = START + LEASE

    def attempt(_number: int) -> bool:
        try:
            resume(found, record(now), world.idempotency, now)
        except IdempotencyInProgressError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 1


def test_nobody_takes_over_what_was_answered_in_the_meantime(world: World) -> None:
    found = claimed(world)
    key = next(iter(world.memory.records))
    world.memory.records[key] = replace(found, response=ANSWER)
    now = START + LEASE
    with pytest.raises(IdempotencyInProgressError):
        resume(found, record(now), world.idempotency, now)
    assert stored(world).response == ANSWER


def test_a_lease_that_was_given_up_lets_the_retry_run_at_once(world: World) -> None:
    found = claimed(world)
    now = START + timedelta(seconds=1)
    world.idempotency.release(found, now)
    assert resume(stored(world), record(now), world.idempotency, now).payment_id == "pay_1"


def test_nobody_gives_up_anothers_lease(world: World) -> None:
    found = claimed(world)
    now = START + LEASE
    ours = resume(found, record(now), world.idempotency, now)
    world.idempotency.release(found, now)
    assert stored(world) == ours


def test_a_key_that_is_taken_stays_taken_until_its_time_is_over(world: World) -> None:
    found = claimed(world)
    late = found.expires_at
    for now in (START, late - timedelta(seconds=1)):
        with pytest.raises(KeyInUseError) as taken:
            world.idempotency.claim(replace(record(now), response=ANSWER), now)
        assert taken.value.record == found
    world.idempotency.claim(replace(record(late), response=ANSWER), late)
    assert stored(world).response == ANSWER
