"""What invoices and credit notes have in common in the table: numbers without gaps, lists, and
what their buyers were written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.lists import Lists, list_attributes
from paylink.adapters.dynamodb.table import (
    SCHEMA,
    ConditionFailedError,
    Item,
    Key,
    Table,
    shape,
)
from paylink.domain.document import Document
from paylink.domain.organization import Mode
from paylink.ports import ReceiptClaim, ReceiptOutcome

Kind = Literal["invoice", "credit_note"]


Paper = TypeVar("Paper", bound=Document)

# A run that died may have sent what it didn't come to note.
_MAYBE_TOLD = (
    "(outcome = :after OR attribute_not_exists(outcome) AND attribute_exists(claimed_until))"
)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def item_key(kind: Kind, document_id: str) -> Key:
    """Where the item of a document is."""
    name = kind.upper()
    return f"{name}#{document_id}", name


def _receipt_key(document: Document) -> Key:
    """An item of its own: one unit a write, where the document's would be two or three."""
    return f"RECEIPT#{document.id}", "RECEIPT"


class DynamoDocuments(Generic[Paper]):
    """Documents of one kind, each an item whose kind has a number series per year."""

    kind: ClassVar[Kind]

    def __init__(self, table: Table, adapter: TypeAdapter[Paper]) -> None:
        self._table = table
        self._adapter = adapter

    def get(self, document_id: str) -> Paper | None:
        item = self._table.get(*self._key(document_id))
        return self._adapter.validate_python(item) if item else None

    def next_sequence(self, organization_id: str, mode: Mode, year: int) -> int:
        item = self._table.get(*self._series_key(organization_id, mode, year))
        return int(item["taken"]) + 1 if item else 1

    def claim_receipt(
        self,
        document: Document,
        now: datetime,
        until: datetime,
        after: ReceiptOutcome | None = None,
    ) -> ReceiptClaim:
        operation = self._table.update(
            *_receipt_key(document),
            "SET claimed_until = :until, organization_id = :organization, #mode = :mode,"
            " #schema = :schema",
            {
                ":until": _instant(until),
                ":now": _instant(now),
                ":organization": document.organization_id,
                ":mode": document.mode,
                ":schema": SCHEMA,
            }
            | ({":after": after} if after else {}),
            f"{_MAYBE_TOLD if after else 'attribute_not_exists(outcome)'}"
            " AND (attribute_not_exists(claimed_until) OR claimed_until <= :now)",
            {"#mode": "mode", "#schema": "schema"},
        )
        try:
            self._table.write([operation])
        except ConditionFailedError as error:
            return "claimed_by_another" if "claimed_until" in error.items[0] else "done"
        return "claimed"

    def release_receipt(self, document: Document) -> None:
        operation = self._table.update(*_receipt_key(document), "REMOVE claimed_until", {})
        self._table.write([operation])

    def note_receipt(self, document: Document, now: datetime, outcome: ReceiptOutcome) -> None:
        operation = self._table.update(
            *_receipt_key(document),
            "SET outcome = :outcome, outcome_at = :now REMOVE claimed_until",
            {":outcome": outcome, ":now": _instant(now)},
        )
        self._table.write([operation])

    def page(
        self,
        organization_id: str,
        mode: Mode,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Paper]]:
        found = Lists(self._table).page(
            self.kind,
            organization_id,
            mode,
            customer_id=customer_id,
            before=before,
            limit=limit,
        )
        return [(place, self._adapter.validate_python(item)) for place, item in found]

    def _key(self, document_id: str) -> Key:
        return item_key(self.kind, document_id)

    def _series_key(self, organization_id: str, mode: Mode, year: int) -> Key:
        return f"NUMBERS#{organization_id}#{mode}#{self.kind}#{year}", "NUMBERS"

    def _item(self, document: Paper) -> Item:
        pk, sk = self._key(document.id)
        item: Item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(document, self._adapter)}
        return item | list_attributes(
            self.kind,
            document.organization_id,
            document.mode,
            document.issued_at,
            document.id,
            document.customer_id,
        )

    def _take(self, document: Paper, year: int, first: int, count: int = 1) -> dict[str, Any]:
        """Takes so many numbers for a document and those after it, if ``first`` is the next one."""
        return self._table.update(
            *self._series_key(document.organization_id, document.mode, year),
            "SET taken = :last, organization_id = :organization, #mode = :mode, #schema = :schema",
            ({":before": first - 1} if first > 1 else {})
            | {
                ":last": first + count - 1,
                ":organization": document.organization_id,
                ":mode": document.mode,
                ":schema": SCHEMA,
            },
            "taken = :before" if first > 1 else "attribute_not_exists(pk)",
            {"#mode": "mode", "#schema": "schema"},
        )
