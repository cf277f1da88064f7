"""Events leave in order, at least once, and none is left out."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.events import DomainEvent
from paylink.metrics import unmeasured
from paylink.services.dispatch_events import StreamRecord, dispatch_events
from tests.unit.fakes import START, FakeEventBus


def event(name: str) -> DomainEvent:
    return DomainEvent("payment.created", START, "org_1", "sandbox", {}, id=name)


def records(*names: str) -> list[StreamRecord]:
    """One record for each text, with an event for each of its letters."""
    return [
        StreamRecord(str(position), tuple(event(name) for name in letters))
        for position, letters in enumerate(names)
    ]


def test_every_event_is_published_in_the_order_of_the_stream() -> None:
    bus = FakeEventBus()
    assert dispatch_events(records("ab", "", "c"), bus, unmeasured) == []
    assert [e.id for e in bus.published] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("refused", "again"),
    [("a", "0"), ("b", "0"), ("c", "2"), ("d", "3"), ("dc", "2"), ("cd", "2"), ("abcd", "0")],
)
def test_the_first_refused_position_comes_again(refused: str, again: str) -> None:
    bus = FakeEventBus(refused)
    assert dispatch_events(records("ab", "", "c", "d"), bus, unmeasured) == [again]


def test_nothing_to_tell_is_no_failure() -> None:
    assert dispatch_events([], FakeEventBus(), unmeasured) == []
    assert dispatch_events(records("", ""), FakeEventBus(), unmeasured) == []


def test_a_bus_that_fails_altogether_fails_the_batch() -> None:
    class Down(FakeEventBus):
        def publish(self, events: Sequence[DomainEvent]) -> list[str]:
            raise ConnectionError(f"{len(events)} events could not be sent")

    with pytest.raises(ConnectionError):
        dispatch_events(records("a"), Down(), unmeasured)


@given(sizes=st.lists(st.integers(0, 3), max_size=8), data=st.data())
def test_after_enough_replays_every_event_was_published(
    sizes: list[int], data: st.DataObject
) -> None:
    names = iter(range(100))
    stream = [
        StreamRecord(str(n), tuple(event(str(next(names))) for _ in range(size)))
        for n, size in enumerate(sizes)
    ]
    every = {e.id for record in stream for e in record.events}
    bus = FakeEventBus()
    if every:
        bus.refused = data.draw(st.sets(st.sampled_from(sorted(every))))
    left = stream
    while failed := dispatch_events(left, bus, unmeasured):
        positions = [record.sequence_number for record in left]
        left = left[positions.index(failed[0]) :]
        assert any(e.id in bus.refused for e in left[0].events)
        bus.refused -= {e.id for e in left[0].events}
    assert {e.id for e in bus.published} == every
