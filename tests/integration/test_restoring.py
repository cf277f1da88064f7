"""What the operator's page tells to do with a table restored beside the damaged one, done."""

from __future__ import annotations

import re
import sys

import pytest

from paylink.adapters.dynamodb.table import Item, Table, encode
from tests.integration.aws import TABLE_NAME, Aws
from tests.integration.template import ROOT

COPY = f"{TABLE_NAME}-copy"
PUT_BACK, COMPARE = re.findall(
    r"\.venv/bin/python - \"\$TABLE\" <<'END'\n(.+?)\nEND\n",
    (ROOT / "docs" / "operations.md").read_text("utf-8"),
    re.S,
)


def payment(number: int, status: str, **more: str) -> Item:
    return {"pk": f"PAYMENT#pay_{number}", "sk": "PAYMENT", "status": status, **more}


@pytest.fixture
def tables(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> tuple[Table, Table]:
    """The table, which lost an item and has another changed, and its copy from before."""
    described = aws.dynamodb.describe_table(TableName=TABLE_NAME)["Table"]
    aws.dynamodb.create_table(
        TableName=COPY,
        KeySchema=described["KeySchema"],
        AttributeDefinitions=[
            one for one in described["AttributeDefinitions"] if one["AttributeName"] in {"pk", "sk"}
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    table, copy = Table(aws.dynamodb, TABLE_NAME), Table(aws.dynamodb, COPY)
    for number in (1, 2, 3):
        aws.dynamodb.put_item(TableName=COPY, Item=encode(payment(number, "succeeded")))
    for one in (payment(2, "succeeded"), payment(3, "pending", note="new")):
        aws.dynamodb.put_item(TableName=TABLE_NAME, Item=encode(one))
    monkeypatch.setattr(sys, "argv", ["-", TABLE_NAME])
    return table, copy


def test_what_was_deleted_is_put_back_and_nothing_else(tables: tuple[Table, Table]) -> None:
    table, _ = tables
    exec(PUT_BACK, {})  # noqa: S102
    assert [table.get(f"PAYMENT#pay_{number}", "PAYMENT") for number in (1, 2, 3)] == [
        payment(1, "succeeded"),
        payment(2, "succeeded"),
        payment(3, "pending", note="new"),
    ]


def test_what_differs_is_named(
    tables: tuple[Table, Table], capsys: pytest.CaptureFixture[str]
) -> None:
    exec(PUT_BACK, {})  # noqa: S102
    exec(COMPARE, {})  # noqa: S102
    assert capsys.readouterr().out == "PAYMENT#pay_3 PAYMENT note status\n"
