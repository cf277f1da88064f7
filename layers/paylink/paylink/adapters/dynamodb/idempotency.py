"""Uses of callers' idempotency keys; one past its time counts as gone, even while it is there."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.packing import packed, unpacked
from paylink.adapters.dynamodb.table import (
    SCHEMA,
    ConditionFailedError,
    Item,
    Table,
    epoch,
    shape,
)
from paylink.ports import IdempotencyRecord, KeyInUseError

_records = TypeAdapter(IdempotencyRecord)

UNANSWERED = "attribute_not_exists(#response)"
UNANSWERED_NAMES = {"#response": "response"}  # a reserved word of the table's expressions


def record_key(record: IdempotencyRecord) -> tuple[str, str]:
    digest = hashlib.sha256(record.key.encode()).hexdigest()
    return f"IDEMPOTENCY#{record.organization_id}#{record.mode}#{digest}", "IDEMPOTENCY"


def record_item(record: IdempotencyRecord) -> Item:
    pk, sk = record_key(record)
    item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(record, _records)}
    if record.draft is not None:
        item["draft"] = packed(record.draft)
    return item | {"lease": _instant(record.lease_until), "ttl": epoch(record.expires_at)}


def claim(table: Table, record: IdempotencyRecord, now: datetime) -> dict[str, Any]:
    """The part of a write that takes the key, unless a record of it is still good."""
    return table.put(
        record_item(record),
        "attribute_not_exists(pk) OR #ttl <= :now",
        {":now": epoch(now)},
        {"#ttl": "ttl"},
    )


def record_found(error: ConditionFailedError, position: int) -> IdempotencyRecord:
    """The record that stood in the way of a `claim`."""
    return _record(error.items[position])


def _record(item: Item) -> IdempotencyRecord:
    if "draft" in item:
        item = item | {"draft": unpacked(item["draft"])}
    record: IdempotencyRecord = _records.validate_python(item)
    return record


class DynamoIdempotency:
    """Fulfils `paylink.ports.IdempotencyRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, record: IdempotencyRecord, now: datetime) -> IdempotencyRecord | None:
        item = self._table.get(*record_key(record))
        found = _record(item) if item else None
        return found if found and now < found.expires_at else None

    def claim(self, record: IdempotencyRecord, now: datetime) -> None:
        try:
            self._table.write([claim(self._table, record, now)])
        except ConditionFailedError as error:
            raise KeyInUseError(record_found(error, 0)) from error

    def answer(self, record: IdempotencyRecord) -> None:
        operation = self._table.put(
            record_item(record),
            f"lease = :lease AND {UNANSWERED}",
            {":lease": _instant(record.lease_until)},
            UNANSWERED_NAMES,
        )
        # Taken over in the meantime: then the answer is somebody else's to keep.
        with suppress(ConditionFailedError):
            self._table.write([operation])

    def take_over(self, old: IdempotencyRecord, new: IdempotencyRecord) -> bool:
        operation = self._table.put(
            record_item(new),
            f"lease = :lease AND {UNANSWERED}",
            {":lease": _instant(old.lease_until)},
            UNANSWERED_NAMES,
        )
        try:
            self._table.write([operation])
        except ConditionFailedError:
            return False
        return True

    def forget(self, record: IdempotencyRecord) -> None:
        operation = self._table.delete(
            *record_key(record),
            f"lease = :lease AND {UNANSWERED}",
            {":lease": _instant(record.lease_until)},
            UNANSWERED_NAMES,
        )
        # Taken over in the meantime: then the key is somebody else's.
        with suppress(ConditionFailedError):
            self._table.write([operation])

    def release(self, record: IdempotencyRecord, now: datetime) -> None:
        operation = self._table.update(
            *record_key(record),
            "SET lease_until = :now, lease = :instant",
            {
                ":now": now.isoformat(),
                ":instant": _instant(now),
                ":lease": _instant(record.lease_until),
            },
            f"lease = :lease AND {UNANSWERED}",
            UNANSWERED_NAMES,
        )
        # Taken over in the meantime: then the lease is somebody else's to end.
        with suppress(ConditionFailedError):
            self._table.write([operation])


def _instant(moment: datetime) -> int:
    """Microseconds, so that a lease is known by its end."""
    return int(moment.timestamp() * 1_000_000)
