"""Pages of the table's lists, whose index may be a moment behind the table."""

from __future__ import annotations

from typing import Any, cast

import pytest

from paylink.adapters.dynamodb.lists import SHARDS, Lists
from paylink.adapters.dynamodb.table import Table, encode

COUNT = 12


class ClientWithLateIndex:
    """DynamoDB with items in both indexes, of which some are gone from the table already."""

    def __init__(self, gone: set[int]) -> None:
        self._gone = gone

    def query(self, **request: Any) -> dict[str, Any]:
        values = request["ExpressionAttributeValues"]
        before = values[":before"]["S"] if ":before" in values else "~"
        shard = values[":key"]["S"].rpartition("#")[2]
        numbers = [
            n
            for n in reversed(range(COUNT))
            if f"{n:03}" < before and (request["IndexName"] == "by_customer" or str(n % 4) == shard)
        ]
        keys = [{"pk": f"P#{n:03}", "sk": "P", "list_sort": f"{n:03}"} for n in numbers]
        return {"Items": [encode(key) for key in keys[: request["Limit"]]]}

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803
        keys = RequestItems["table"]["Keys"]
        there = [key for key in keys if int(key["pk"]["S"][2:]) not in self._gone]
        return {"Responses": {"table": there}}


@pytest.mark.parametrize("customer", [None, "cus_1"])
@pytest.mark.parametrize("gone", [{11}, {5, 4, 3}, {0}, {11, 10, 9, 8, 7, 6}, set(range(COUNT))])
@pytest.mark.parametrize("limit", [1, 3, 4, COUNT, COUNT + 1])
def test_what_only_the_index_still_has_does_not_end_a_list_early(
    customer: str | None, gone: set[int], limit: int
) -> None:
    assert SHARDS == 4
    lists = Lists(Table(cast("Any", ClientWithLateIndex(gone)), "table"))
    found: list[str] = []
    before = None
    while page := lists.page(
        "payment", "org", "live", customer_id=customer, before=before, limit=limit
    ):
        before = page[-1][0]
        found += [place for place, _ in page]
        if len(page) < limit:
            break
    assert found == [f"{n:03}" for n in reversed(range(COUNT)) if n not in gone]
