"""Events leave in order, at least once, and none is left out."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain import events
from paylink.domain.events import DomainEvent
from paylink.domain.webhook import WebhookEndpoint
from paylink.metrics import unmeasured
from paylink.ports import EventBus, WebhookRepository
from paylink.services.dispatch_events import StreamRecord, dispatch_events
from tests.unit.fakes import START, FakeEventBus
from tests.unit.test_webhook_rules import ENDPOINT


def event(name: str, event_type: str = "payment.created", owner: str = "org_1") -> DomainEvent:
    data = {"kind": "link", "currency": "eur", "amount": 100, "reason": "requested"}
    return DomainEvent(event_type, START, owner, "sandbox", data, id=name)


class Endpoints:
    """What of `paylink.ports.WebhookRepository` is asked for: each owner's endpoints."""

    def __init__(self, **known: WebhookEndpoint) -> None:
        self._known = known
        self.asked: list[str] = []

    def endpoints(self, organization_id: str, _mode: str) -> Sequence[WebhookEndpoint]:
        self.asked.append(organization_id)
        if organization_id == "org_broken":
            raise ValueError("an endpoint that can't be read")
        return [self._known[organization_id]] if organization_id in self._known else []


def dispatch(
    stream: Sequence[StreamRecord], bus: EventBus, webhooks: Endpoints | None = None
) -> list[str]:
    repository = cast("WebhookRepository", webhooks or Endpoints())
    return dispatch_events(stream, bus=bus, webhooks=repository, metrics=unmeasured)


def records(*names: str) -> list[StreamRecord]:
    """One record for each text, with an event for each of its letters."""
    return [
        StreamRecord(str(position), tuple(event(name) for name in letters))
        for position, letters in enumerate(names)
    ]


def test_every_event_is_published_in_the_order_of_the_stream() -> None:
    bus = FakeEventBus()
    assert dispatch(records("ab", "", "c"), bus) == []
    assert [e.id for e in bus.published] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("refused", "again"),
    [("a", "0"), ("b", "0"), ("c", "2"), ("d", "3"), ("dc", "2"), ("cd", "2"), ("abcd", "0")],
)
def test_the_first_refused_position_comes_again(refused: str, again: str) -> None:
    bus = FakeEventBus(refused)
    assert dispatch(records("ab", "", "c", "d"), bus) == [again]


def test_nothing_to_tell_is_no_failure() -> None:
    assert dispatch([], FakeEventBus()) == []
    assert dispatch(records("", ""), FakeEventBus()) == []


def test_a_bus_that_fails_altogether_fails_the_batch() -> None:
    class Down(FakeEventBus):
        def publish(self, events: Sequence[DomainEvent], awaited: Set[str]) -> list[str]:
            raise ConnectionError(f"{len(events)} events could not be sent, {len(awaited)} awaited")

    with pytest.raises(ConnectionError):
        dispatch(records("a"), Down())


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
    while failed := dispatch(left, bus):
        positions = [record.sequence_number for record in left]
        left = left[positions.index(failed[0]) :]
        assert any(e.id in bus.refused for e in left[0].events)
        bus.refused -= {e.id for e in left[0].events}
    assert {e.id for e in bus.published} == every


WANTS_LINKS = replace(ENDPOINT, events=("payment_link.created",))


@pytest.mark.parametrize(
    ("one", "awaited"),
    [
        (event("a"), True),
        (event("a", owner="org_2"), False),
        (event("a", events.PAYMENT_CANCELED), False),
        (event("a", events.PAYMENT_SUCCEEDED), False),
        (event("a", events.WEBHOOK_DELIVERY_RESENT, "org_2"), True),
    ],
)
def test_whether_somebody_waits_for_an_event_is_known_on_the_bus(
    one: DomainEvent, awaited: bool
) -> None:
    bus = FakeEventBus()
    assert dispatch([StreamRecord("0", (one,))], bus, Endpoints(org_1=WANTS_LINKS)) == []
    assert bus.published == [one]
    assert bus.awaited == ({"a"} if awaited else set())


def test_an_endpoint_that_was_switched_off_for_failing_still_waits() -> None:
    bus = FakeEventBus()
    off = replace(WANTS_LINKS, is_active=False, disabled_reason="failing")
    dispatch(records("a"), bus, Endpoints(org_1=off))
    assert bus.awaited == {"a"}
    dispatch(records("b"), bus, Endpoints(org_1=replace(off, disabled_reason=None)))
    assert bus.awaited == {"a"}


def test_each_owner_is_asked_about_once_and_one_in_trouble_holds_up_nobody() -> None:
    bus, webhooks = FakeEventBus(), Endpoints(org_1=WANTS_LINKS)
    mixed = [
        event(name, owner=owner)
        for name, owner in zip("abcd", ["org_1", "org_broken", "org_1", "org_broken"], strict=True)
    ]
    assert dispatch([StreamRecord("0", tuple(mixed))], bus, webhooks) == []
    assert webhooks.asked == ["org_1", "org_broken"]
    assert bus.published == mixed
    assert bus.awaited == {"a", "b", "c", "d"}


def test_endpoints_are_read_only_for_what_webhooks_tell_of() -> None:
    webhooks = Endpoints()
    silent = StreamRecord("0", (event("a", events.PAYMENT_SUCCEEDED),))
    dispatch([silent], FakeEventBus(), webhooks)
    assert webhooks.asked == []
