"""What a call reads doesn't grow with how much there is: the sweep's and a page's reads, counted by
the table itself at three sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from paylink.adapters.dynamodb.payments import DynamoPayments
from paylink.adapters.dynamodb.table import Table
from paylink.domain.payment import Payment
from tests.integration.aws import TABLE_NAME, Aws
from tests.unit.world import a_payment

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SIZES = (100, 400, 1600)
DUE = 40


@contextmanager
def reads(aws: Aws) -> Iterator[Counter[str]]:
    """How many items each operation looked at, whatever it gave back."""
    looked_at: Counter[str] = Counter()

    def count(parsed: dict[str, Any], model: Any, **_: Any) -> None:
        found = sum(map(len, parsed.get("Responses", {}).values()))
        looked_at[model.name] += parsed.get("ScannedCount", found)

    aws.dynamodb.meta.events.register("after-call.dynamodb", count)
    try:
        yield looked_at
    finally:
        aws.dynamodb.meta.events.unregister("after-call.dynamodb", count)


def link(number: int, expires_at: datetime) -> Payment:
    made = NOW - timedelta(days=1, seconds=number)
    return replace(
        a_payment(), id=f"pay_{number}", created_at=made, updated_at=made, expires_at=expires_at
    )


def test_neither_the_sweep_nor_a_page_reads_more_where_there_is_more(aws: Aws) -> None:
    payments = DynamoPayments(Table(aws.dynamodb, TABLE_NAME))
    for number in range(DUE):
        payments.add(link(number, NOW - timedelta(minutes=1)), None)
    there = DUE
    swept, paged = [], []
    for size in SIZES:
        for number in range(there, size):
            payments.add(link(number, NOW + timedelta(days=30)), None)
        there = size
        with reads(aws) as looked_at:
            assert len(list(payments.due(NOW))) == DUE
        swept.append(dict(looked_at))
        with reads(aws) as looked_at:
            assert len(payments.page("org_1", "sandbox", None, None, 20)) == 20
        paged.append(dict(looked_at))
    # Of each due link its key, and of nothing else.
    assert swept == [{"Query": DUE}] * len(SIZES)
    # Of each of the four shards a page of keys, and the page itself.
    assert paged == [{"Query": 4 * 20, "BatchGetItem": 20}] * len(SIZES)
