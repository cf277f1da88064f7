"""Domain objects as items and back: nothing is lost, and what sorts as text sorts as time."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from stripe._encode import _api_encode

from paylink.adapters.dynamodb.payments import (
    DUE_SHARDS,
    DynamoPayments,
    due_at,
    due_shard,
    payment_told,
)
from paylink.adapters.dynamodb.stream import stream_record
from paylink.adapters.dynamodb.table import (
    Table,
    decode,
    encode,
    epoch,
    events_of,
    outbox,
    shape,
)
from paylink.adapters.stripe.checkout import session_parameters
from paylink.domain import events
from paylink.domain.customer import Customer
from paylink.domain.events import DomainEvent
from paylink.domain.invoice import Invoice
from paylink.domain.payment import (
    CheckoutSession,
    LineItem,
    Payment,
    Transaction,
    event_about,
    told_of,
)
from paylink.ports import IdempotencyRecord, StoredResponse
from tests.unit.fakes import START
from tests.unit.world import MODE, ORGANIZATION, World, a_payment, a_request

MOMENTS = st.datetimes(
    datetime(2026, 1, 1),  # noqa: DTZ001 - the strategy adds the zone
    datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC]),
)
TEXT = st.text(st.characters(codec="utf-8"), max_size=20)


def there_and_back(value: object, shape_of: Any) -> object:
    adapter: TypeAdapter[Any] = TypeAdapter(shape_of)
    return adapter.validate_python(decode(encode(shape(value, adapter))))


def test_a_whole_life_survives_the_table(world: World) -> None:
    payment_id = world.new_payment(metadata={"order": "7"}, success_url="https://shop.example")
    session = world.session(payment_id)
    seen = [world.payment(payment_id)]
    for step in ("decline", "ask_for_3ds", "approve_3ds"):
        getattr(world.provider, step)(session)
        world.hear(payment_id)
        seen.append(world.payment(payment_id))
    invoice = world.issue(payment_id)
    seen.append(world.payment(payment_id))
    assert len({payment.status for payment in seen}) == 4
    for payment in seen:
        assert there_and_back(payment, Payment) == payment
    for transaction in world.memory.transactions.values():
        assert there_and_back(transaction, Transaction) == transaction
    for customer in world.memory.customers.values():
        assert there_and_back(customer, Customer) == customer
    assert there_and_back(invoice, Invoice) == invoice


EXTRAS: list[dict[str, Any]] = [{}, {"description": "another", "chargeId": None, "refund": 1}]


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_outbox_tells_what_its_events_told(world: World, extra: dict[str, Any]) -> None:
    """The events keep only what their item doesn't say."""
    world.paid()
    payment = world.only_payment()
    for event_type in (v for n, v in vars(events).items() if n.isupper()):
        told = event_about(payment, event_type, START, extra)
        item = {
            **shape(payment, TypeAdapter(Payment)),
            "outbox": outbox([told], partial(told_of, payment)),
        }
        read = decode(encode(item))
        assert events_of(read, payment_told(read)) == (told,)
        assert ("data" in item["outbox"]) is False
        assert ("more" in item["outbox"]) is bool(extra)


def test_an_event_without_what_its_item_would_say_is_kept_whole() -> None:
    (kept,) = json.loads(outbox([event("a")], lambda _type: {"url": "x"}))
    assert kept["data"] == event("a").data


@given(
    description=TEXT,
    amount=st.integers(1, 10**12),
    metadata=st.none() | st.dictionaries(TEXT, TEXT, max_size=3),
    now=MOMENTS,
    expires=st.timedeltas(timedelta(minutes=30), timedelta(days=365)),
)
def test_any_payment_survives_the_table(
    description: str,
    amount: int,
    metadata: dict[str, str] | None,
    now: datetime,
    expires: timedelta,
) -> None:
    payment = a_payment(
        amount_subtotal=amount,
        line_items=(LineItem(description, amount),),
        metadata=metadata,
        created_at=now,
        expires_at=now + expires,
    )
    assert there_and_back(payment, Payment) == payment


def test_a_prepared_checkout_is_asked_for_in_the_very_same_words_afterwards() -> None:
    payment = a_payment(amount_subtotal=12_345_678_900, success_url="https://shop.example/?ü=1")
    request = session_parameters(payment, None, "deployment_1", START)
    session = CheckoutSession(1, "pay_1:1", request, START)
    stored = there_and_back(payment.with_session(session), Payment)
    assert isinstance(stored, Payment)
    again = stored.sessions[0].request
    assert sorted(urlencode(list(_api_encode(dict(again)))).split("&")) == sorted(
        urlencode(list(_api_encode(request))).split("&")
    )


@pytest.mark.parametrize("response", [None, StoredResponse(201, '{"a":"é"}')])
def test_an_idempotency_record_keeps_its_lease_to_the_microsecond(
    response: StoredResponse | None,
) -> None:
    now = START + timedelta(microseconds=123_457)
    record = replace(a_request().record(ORGANIZATION, MODE, now), response=response)
    assert there_and_back(record, IdempotencyRecord) == record


@given(one=MOMENTS, other=MOMENTS)
def test_due_times_sort_as_text_as_they_do_in_time(one: datetime, other: datetime) -> None:
    assert (due_at(one) < due_at(other)) == (one < other)


def test_a_due_time_is_the_same_in_every_zone() -> None:
    assert due_at(datetime.fromisoformat("2026-11-25T13:00:00+01:00")) == due_at(START)


def test_due_links_are_spread_over_all_shards() -> None:
    shards = {due_shard(f"pay_{number}") for number in range(500)}
    assert len(shards) == DUE_SHARDS


def test_time_to_live_is_in_whole_seconds() -> None:
    assert epoch(START + timedelta(microseconds=999_999)) == int(START.timestamp())


@pytest.mark.parametrize("payment_id", ["x" * 2049, "é" * 1100, "x" * 100_000])
def test_an_id_longer_than_any_of_ours_is_unknown_without_asking(payment_id: str) -> None:
    class Untouchable:
        def __getattr__(self, name: str) -> object:
            raise AssertionError(f"{name} must not be called")

    table = Table(Untouchable(), "table")  # type: ignore[arg-type]
    assert DynamoPayments(table).get(payment_id) is None


def event(name: str) -> DomainEvent:
    data = {"amount": 12_345_678_900, "description": "é 😀", "customerId": None}
    return DomainEvent("payment.created", START, "org_1", "sandbox", data, id=name)


def image(*names: str) -> dict[str, Any]:
    owner = {"organization_id": "org_1", "mode": "sandbox"}
    item = {"pk": "X#1", "sk": "X", **owner, "outbox": outbox([event(name) for name in names])}
    return encode(item)


@pytest.mark.parametrize(
    ("change", "announced"),
    [
        ({"NewImage": image("a")}, ["a"]),
        ({"NewImage": image("a", "b")}, ["a", "b"]),
        ({"NewImage": image("b"), "OldImage": image("a")}, ["b"]),
        ({"NewImage": image("a"), "OldImage": image("a")}, []),
        ({"NewImage": image("a", "b"), "OldImage": image("a")}, ["b"]),
        ({"NewImage": encode({"pk": "x"}), "OldImage": image("a")}, []),
        ({"OldImage": image("a")}, []),
        ({"NewImage": encode({"pk": "x"})}, []),
        ({}, []),
    ],
)
def test_a_change_announces_what_its_old_image_did_not(
    change: dict[str, Any], announced: list[str]
) -> None:
    record = stream_record({"dynamodb": {"SequenceNumber": "7", **change}})
    assert record.sequence_number == "7"
    assert record.events == tuple(event(name) for name in announced)


class Meeting:
    """A client whose reads wait for one another."""

    def __init__(self, parties: int) -> None:
        self._barrier = threading.Barrier(parties, timeout=10)

    def batch_get_item(self, **_: Any) -> dict[str, Any]:
        self._barrier.wait()
        return {"Responses": {}}


def test_more_than_one_batch_is_read_side_by_side() -> None:
    # A hundred payments and their invoices: what the longest page of a list reads.
    keys = [(f"{kind}#{n}", kind) for n in range(100) for kind in ("PAYMENT", "INVOICE")]
    client: Any = Meeting(2)
    assert Table(client, "table").get_all(keys) == {}
    assert Table(client, "table").get_all([]) == {}
