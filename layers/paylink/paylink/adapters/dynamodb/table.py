"""The table's vocabulary: keys, conversion of shapes to items, and what its refusals mean.

Every item says whose it is (``organization_id``, ``mode``), in which shape it was written
(``schema``), and carries the events that its last write announced (``outbox``), from where the
table's stream takes them on.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from pydantic import TypeAdapter

from paylink.adapters.aws import rehearsal
from paylink.domain.errors import StateConflictError
from paylink.domain.events import DomainEvent
from paylink.domain.organization import Owner

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_dynamodb.type_defs import KeysAndAttributesTypeDef, TransactWriteItemTypeDef

SCHEMA = 1
_ATTEMPTS = 5
_TOMBSTONES_STAND = timedelta(hours=48)
_LONGEST_KEY, _LONGEST_SORT_KEY = 2048, 1024  # bytes
_BATCH, _BATCH_TRIES = 100, 4  # what one BatchGet takes

logger = logging.getLogger(__name__)

Item = dict[str, Any]
Key = tuple[str, str]
"""``pk`` and ``sk``."""

Told = Callable[[str], Mapping[str, Any]]
"""What an event of a type tells that follows from the item as the same write left it."""


class ConditionFailedError(Exception):
    """A condition of a write did not hold; ``items`` are those found, by position in the write."""

    def __init__(self, items: Mapping[int, Item]) -> None:
        super().__init__(sorted(items))
        self.items = items


def shape(value: object, adapter: TypeAdapter[Any]) -> Item:
    """A domain object as attributes; what is unset or at its default takes no space."""
    return cast(
        "Item", adapter.dump_python(value, mode="json", exclude_none=True, exclude_defaults=True)
    )


def nothing(_event_type: str) -> Mapping[str, Any]:
    """Of an item that says nothing of what its events tell."""
    return {}


def outbox(events: Sequence[DomainEvent], told: Told = nothing) -> str:
    """Events as JSON text: a stream's filter sees whether a text is there, but not a list.

    What the item says anyway is left out, for each write pays for every started kilobyte.
    """
    entries = [_entry(event, told(event.type)) for event in events]
    return json.dumps(entries, ensure_ascii=False, separators=(",", ":"))


def _entry(event: DomainEvent, known: Mapping[str, Any]) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": event.id, "type": event.type, "time": event.time.isoformat()}
    if not known.keys() <= event.data.keys():
        return entry | {"data": event.data}
    more = {n: v for n, v in event.data.items() if n not in known or known[n] != v}
    return entry | ({"more": more} if more else {})


def events_of(item: Item, told: Told = nothing) -> tuple[DomainEvent, ...]:
    """The events of an item's outbox, as they were announced."""
    return tuple(
        DomainEvent(
            type=entry["type"],
            time=datetime.fromisoformat(entry["time"]),
            organization_id=item["organization_id"],
            mode=item["mode"],
            data=entry["data"]
            if "data" in entry
            else {**told(entry["type"]), **entry.get("more", {})},
            id=entry["id"],
        )
        for entry in json.loads(item["outbox"])
    )


def encode(item: Mapping[str, Any]) -> dict[str, Any]:
    """Plain attributes in the wire's form. Sets are of texts; floats never occur."""
    return {name: _encoded(value) for name, value in item.items()}


def decode(item: Mapping[str, Any]) -> Item:
    return {name: _decoded(value) for name, value in item.items()}


# boto3 has both, for any type, at three times the cost, and with import of all that it has for S3.
def _encoded(value: object) -> dict[str, Any]:
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case bytes():
            return {"B": value}
        case None:
            return {"NULL": True}
        case set():
            return {"SS": sorted(value)}
        case list() | tuple():
            return {"L": [_encoded(member) for member in value]}
        case Mapping():
            return {"M": encode(value)}
    raise TypeError(f"{type(value).__name__} has no place in the table")


def _decoded(value: Mapping[str, Any]) -> Any:
    ((kind, content),) = value.items()
    match kind:
        case "N":
            return int(content)
        case "M":
            return decode(content)
        case "L":
            return [_decoded(member) for member in content]
        case "SS":
            return set(content)
        case "NULL":
            return None
    return content


def epoch(moment: datetime) -> int:
    """Whole seconds, as the table's time-to-live wants them."""
    return int(moment.timestamp())


def _puts(operation: Mapping[str, Any], item: Item) -> bool:
    """Whether this is the very item that an operation puts: its event has an id of its own, and its
    times have microseconds."""
    return "Put" in operation and decode(operation["Put"]["Item"]) == item


def tombstone(pk: str, sk: str, owner: Owner, now: datetime) -> Item:
    """What is left of a deleted item whose maker may still repeat the request: its id is taken.

    It outlasts the idempotency key that the id follows from.
    """
    return {
        "pk": pk,
        "sk": sk,
        "schema": SCHEMA,
        "organization_id": owner[0],
        "mode": owner[1],
        "deleted_at": now.isoformat(),
        "ttl": epoch(now + _TOMBSTONES_STAND),
    }


def _fits(key: str, longest: int) -> bool:
    try:
        return len(key.encode()) <= longest
    except UnicodeEncodeError:  # half of a surrogate pair
        return False


def is_possible(pk: str, sk: str) -> bool:
    """Whether the table could hold an item of this key."""
    return _fits(pk, _LONGEST_KEY) and _fits(sk, _LONGEST_SORT_KEY)


class Table:
    """Reads and writes of one table; refusals come as `ConditionFailedError`, trouble as a 503."""

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self.client = client
        self.name = name

    def rehearse(self) -> None:
        """The usual calls, once and to nobody, with an item that has values of each kind."""
        item: Item = {"pk": "", "sk": "", "number": 1, "list": [True], "map": {"text": ""}}
        put = self.put(item, "attribute_not_exists(pk)")
        update = self.update("", "", "SET a = :a", {":a": ""}, "attribute_exists(pk)")
        with rehearsal(self.client, json.dumps({"Item": encode(item)}).encode()):
            self.get("", "")
            for operations in ([put], [update], [put, update]):
                self.write(operations)

    def get(self, pk: str, sk: str) -> Item | None:
        """A consistent read: what was answered a moment ago is there.

        A key that the table could not hold, as strangers may name, is just not there.
        """
        if not is_possible(pk, sk):
            return None
        found = self.client.get_item(
            TableName=self.name, Key=encode({"pk": pk, "sk": sk}), ConsistentRead=True
        ).get("Item")
        return decode(found) if found else None

    def get_all(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Consistent reads of any number of items, side by side where one request can't take all.
        Those that aren't there are left out."""
        wanted = [key for key in dict.fromkeys(keys) if is_possible(*key)]
        if len(wanted) <= _BATCH:
            return self._get_batch(wanted) if wanted else {}
        batches = [wanted[at : at + _BATCH] for at in range(0, len(wanted), _BATCH)]
        found: dict[Key, Item] = {}
        with ThreadPoolExecutor(len(batches)) as pool:
            for part in pool.map(self._get_batch, batches):
                found |= part
        return found

    def _get_batch(self, keys: Sequence[Key]) -> dict[Key, Item]:
        found: dict[Key, Item] = {}
        wanted = [encode({"pk": pk, "sk": sk}) for pk, sk in keys]
        for _ in range(_BATCH_TRIES):
            request = {self.name: {"Keys": wanted, "ConsistentRead": True}}
            answer = self.client.batch_get_item(
                RequestItems=cast("dict[str, KeysAndAttributesTypeDef]", request)
            )
            for raw in answer["Responses"].get(self.name, []):
                item = decode(raw)
                found[item["pk"], item["sk"]] = item
            # What didn't fit into the answer comes back to be asked for again.
            left = answer.get("UnprocessedKeys", {}).get(self.name)
            if not left:
                return found
            wanted = cast("list[dict[str, Any]]", left["Keys"])
        raise StateConflictError()

    def put(
        self,
        item: Item,
        condition: str | None = None,
        values: Item | None = None,
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One put of a `write`."""
        return {"Put": self._operation({"Item": encode(item)}, condition, values, names)}

    def update(
        self,
        pk: str,
        sk: str,
        expression: str,
        values: Item,
        condition: str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One update of a `write`."""
        operation = {"Key": encode({"pk": pk, "sk": sk}), "UpdateExpression": expression}
        return {"Update": self._operation(operation, condition, values, names)}

    def check(self, pk: str, sk: str, condition: str) -> dict[str, Any]:
        """A part of a `write` that only holds if another item is as it should be."""
        operation = {"Key": encode({"pk": pk, "sk": sk})}
        return {"ConditionCheck": self._operation(operation, condition, None)}

    def delete(
        self,
        pk: str,
        sk: str,
        condition: str,
        values: Item,
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One delete of a `write`."""
        operation = {"Key": encode({"pk": pk, "sk": sk})}
        return {"Delete": self._operation(operation, condition, values, names)}

    def write(self, operations: Sequence[dict[str, Any]], tries: int = _ATTEMPTS) -> None:
        """All of it or nothing.

        Raises ConditionFailedError if a condition did not hold. Conflicts with another writer and
        throttling are tried again, and in the end StateConflictError asks the caller to.
        """
        for attempt in range(tries):
            try:
                self._write_once(operations)
            except self.client.exceptions.ConditionalCheckFailedException as error:
                item = decode(cast("Item", error.response.get("Item", {})))
                if _puts(operations[0], item):
                    # Its answer was lost, and the client's own retry met what it had written.
                    return
                raise ConditionFailedError({0: item}) from error
            except self.client.exceptions.TransactionCanceledException as error:
                reasons = error.response.get("CancellationReasons", [])
                failed = {
                    position: decode(reason.get("Item", {}))
                    for position, reason in enumerate(reasons)
                    if reason.get("Code") == "ConditionalCheckFailed"
                }
                if failed:
                    raise ConditionFailedError(failed) from error
                codes = [reason.get("Code") for reason in reasons]
                logger.warning("a write was cancelled", extra={"reasons": codes})
            except (
                self.client.exceptions.TransactionConflictException,
                self.client.exceptions.TransactionInProgressException,
            ):
                logger.warning("a write was held up")
            except (
                self.client.exceptions.ProvisionedThroughputExceededException,
                self.client.exceptions.RequestLimitExceeded,
                self.client.exceptions.ThrottlingException,
            ):
                logger.warning("a write was held up")
                # Each try was three of the SDK's, seconds apart: more would outlast the function.
                if attempt > 1:
                    break
            else:
                return
            time.sleep(random.uniform(0, 0.03 * 2**attempt))  # noqa: S311 - no secret
        raise StateConflictError()

    def _write_once(self, operations: Sequence[dict[str, Any]]) -> None:
        if len(operations) == 1:
            # A single write needs no transaction, which costs twice as much.
            ((kind, operation),) = operations[0].items()
            single: dict[str, Callable[..., object]] = {
                "Put": self.client.put_item,
                "Update": self.client.update_item,
                "Delete": self.client.delete_item,
            }
            single[kind](**operation)
            return
        self.client.transact_write_items(
            TransactItems=cast("list[TransactWriteItemTypeDef]", list(operations))
        )

    def _operation(
        self,
        operation: dict[str, Any],
        condition: str | None,
        values: Item | None,
        names: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        operation["TableName"] = self.name
        if condition is not None:
            operation["ConditionExpression"] = condition
            operation["ReturnValuesOnConditionCheckFailure"] = "ALL_OLD"
        if values:
            operation["ExpressionAttributeValues"] = encode(values)
        if names:
            operation["ExpressionAttributeNames"] = dict(names)
        return operation
