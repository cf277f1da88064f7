"""What writes cost, by DynamoDB's own rules: moto reports only how many items there were.

A write pays for every started kilobyte of the larger of an item's two states, twice that within a
transaction, and for each index entry that is made, moved or removed. `make bench` asks the
emulator, which counts the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from benchmarks.capacity import size
from tests.integration.aws import TABLE_NAME, TABLE_WRITES
from tests.integration.world import World

Image = dict[str, Any]
"""An item as the wire has it."""
Cost = tuple[str, int]
"""Of an item's family, or of an index: units."""


@contextmanager
def spent(world: World) -> Iterator[list[Cost]]:
    """What is written within the context, in order."""
    costs: list[Cost] = []
    real = world.aws.call

    def call(client: Any, operation: str, parameters: dict[str, Any]) -> Any:
        if operation not in TABLE_WRITES or "API_KEY#" in str(parameters.get("Key")):
            return real(client, operation, parameters)  # that a key was used is noted once a minute
        transacted = operation == "TransactWriteItems"
        parts = [next(iter(part.values())) for part in parameters.get("TransactItems", ())]
        keys = [_key(part) for part in parts or [parameters]]
        before = [_image(world, key) for key in keys]
        answer = real(client, operation, parameters)
        for key, old in zip(keys, before, strict=True):
            new = _image(world, key)
            kilobytes = -(-max(size(old), size(new)) // 1024)
            costs.append((_family(key), kilobytes * (2 if transacted else 1)))
            costs.extend(_indexes(world, old, new))
        return answer

    world.aws.call = call  # type: ignore[method-assign]
    try:
        yield costs
    finally:
        world.aws.call = real  # type: ignore[method-assign]


def _key(part: Mapping[str, Any]) -> Image:
    named = part.get("Key") or part["Item"]
    return {"pk": named["pk"], "sk": named["sk"]}


def _image(world: World, key: Image) -> Image:
    image: Image = world.aws.dynamodb.get_item(TableName=TABLE_NAME, Key=key).get("Item", {})
    return image


def _family(key: Image) -> str:
    """By the sort key where items of several kinds share a partition."""
    pk, sk = (key[name]["S"].partition("#")[0] for name in ("pk", "sk"))
    return sk if pk in {"CUSTOMER", "WEBHOOKS", "ORGANIZATION"} else pk


def _indexes(world: World, old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Cost]:
    costs = []
    for index in world.template.properties("Table")["GlobalSecondaryIndexes"]:
        assert index["Projection"] == {"ProjectionType": "KEYS_ONLY"}
        names = [key["AttributeName"] for key in index["KeySchema"]]
        before, after = (
            [image[name] for name in names] if all(name in image for name in names) else None
            for image in (old, new)
        )
        if before != after:
            costs.append((index["IndexName"], (before is not None) + (after is not None)))
    return costs
