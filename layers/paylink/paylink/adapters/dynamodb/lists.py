"""Lists by two indexes of keys: everything of one kind, and everything of one kind and customer.

The keys say which items there are and in which order; the items are then read as they are now. The
first index is spread over shards, which a page reads side by side and merges.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from paylink.adapters.dynamodb.table import Item, Key, Table, decode, encode
from paylink.domain.organization import Mode

SHARDS = 4

Read = Callable[[Iterable[Key]], Mapping[Key, Item]]
"""The items of some keys, without those that aren't there."""


def list_attributes(
    kind: str,
    organization_id: str,
    mode: Mode,
    created_at: datetime,
    item_id: str,
    customer_id: str | None = None,
) -> Item:
    """What an item needs to be in its lists."""
    shard = zlib.crc32(item_id.encode()) % SHARDS
    attributes: Item = {
        "list_key": f"{organization_id}#{mode}#{kind}#{shard}",
        "list_sort": f"{place_before(created_at)}#{item_id}",
    }
    if customer_id is not None:
        attributes["customer_key"] = f"{organization_id}#{mode}#{kind}#{customer_id}"
    return attributes


def place_before(moment: datetime) -> str:
    """The place in a list before which all is older than a moment."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class Lists:
    """Reads pages of keys and, by ``read``, the items behind them."""

    def __init__(self, table: Table, read: Read | None = None) -> None:
        self._table = table
        self._read = read or table.get_all

    def page(
        self,
        kind: str,
        organization_id: str,
        mode: Mode,
        *,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Item]]:
        """Up to ``limit`` items older than a position, newest first, with their positions; fewer
        only at the end of the list."""
        owner = f"{organization_id}#{mode}#{kind}"
        page: list[tuple[str, Item]] = []
        while missing := limit - len(page):
            keys = self._newest(owner, customer_id, before, missing)
            items = self._read((key["pk"], key["sk"]) for key in keys)
            for key in keys:
                before = str(key["list_sort"])
                # An index still has for a moment what is gone from the table.
                item = items.get((key["pk"], key["sk"]))
                if item is not None:
                    page.append((before, item))
            if len(keys) < missing:
                break
        return page

    def _newest(
        self, owner: str, customer_id: str | None, before: str | None, limit: int
    ) -> list[Item]:
        if customer_id is not None:
            return self._keys(
                "by_customer", "customer_key", f"{owner}#{customer_id}", before, limit
            )
        with ThreadPoolExecutor(SHARDS) as pool:
            shards = pool.map(
                lambda n: self._keys("listed", "list_key", f"{owner}#{n}", before, limit),
                range(SHARDS),
            )
            merged = [key for shard in shards for key in shard]
        return sorted(merged, key=lambda key: str(key["list_sort"]), reverse=True)[:limit]

    def _keys(
        self, index: str, name: str, value: str, before: str | None, limit: int
    ) -> list[Item]:
        condition, values = f"{name} = :key", {":key": value}
        if before is not None:
            condition, values = (
                f"{condition} AND list_sort < :before",
                {**values, ":before": before},
            )
        found = self._table.client.query(
            TableName=self._table.name,
            IndexName=index,
            KeyConditionExpression=condition,
            ExpressionAttributeValues=encode(values),
            ScanIndexForward=False,
            Limit=limit,
        )
        return [decode(item) for item in found["Items"]]
