"""What invoices and credit notes have in common in the table: numbers without gaps, lists, and
what their buyers were written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Literal, TypeVar

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.lists import Lists, list_attributes
from paylink.adapters.dynamodb.table import SCHEMA, ConditionFailedError, Item, Table, shape
from paylink.domain.document import Document
from paylink.domain.organization import Mode
from paylink.ports import ReceiptClaim, ReceiptOutcome

Kind = Literal["invoice", "credit_note"]


Paper = TypeVar("Paper", bound=Document)

# A run that died may have sent what it didn't come to note.
_MAYBE_TOLD = (
    "(receipt = :after"
    " OR attribute_not_exists(receipt) AND attribute_exists(receipt_claimed_until))"
)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


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

    def set_document(self, document: Paper, document_key: str) -> None:
        operation = self._table.update(
            *self._key(document.id),
            "SET document_key = :key",
            {":key": document_key},
            "attribute_exists(pk)",
        )
        self._table.write([operation])

    def claim_receipt(
        self,
        document: Document,
        now: datetime,
        until: datetime,
        after: ReceiptOutcome | None = None,
    ) -> ReceiptClaim:
        operation = self._table.update(
            *self._key(document.id),
            "SET receipt_claimed_until = :until",
            {":until": _instant(until), ":now": _instant(now)}
            | ({":after": after} if after else {}),
            f"attribute_exists(pk) AND {_MAYBE_TOLD if after else 'attribute_not_exists(receipt)'}"
            " AND (attribute_not_exists(receipt_claimed_until) OR receipt_claimed_until <= :now)",
        )
        try:
            self._table.write([operation])
        except ConditionFailedError as error:
            claimed = "receipt_claimed_until" in error.items[0]
            return "claimed_by_another" if claimed else "done"
        return "claimed"

    def release_receipt(self, document: Document) -> None:
        operation = self._table.update(
            *self._key(document.id),
            "REMOVE receipt_claimed_until",
            {},
            "attribute_exists(pk)",
        )
        self._table.write([operation])

    def note_receipt(self, document: Document, now: datetime, outcome: ReceiptOutcome) -> None:
        operation = self._table.update(
            *self._key(document.id),
            "SET receipt = :outcome, receipt_at = :now REMOVE receipt_claimed_until",
            {":outcome": outcome, ":now": _instant(now)},
            "attribute_exists(pk)",
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

    def _key(self, document_id: str) -> tuple[str, str]:
        name = self.kind.upper()
        return f"{name}#{document_id}", name

    def _series_key(self, organization_id: str, mode: Mode, year: int) -> tuple[str, str]:
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

    def _take(self, document: Paper, year: int, sequence: int) -> dict[str, Any]:
        """Takes a number, if it is the next one."""
        return self._table.update(
            *self._series_key(document.organization_id, document.mode, year),
            "SET taken = :number, organization_id = :organization, #mode = :mode,"
            " #schema = :schema",
            ({":before": sequence - 1} if sequence > 1 else {})
            | {
                ":number": sequence,
                ":organization": document.organization_id,
                ":mode": document.mode,
                ":schema": SCHEMA,
            },
            "taken = :before" if sequence > 1 else "attribute_not_exists(pk)",
            {"#mode": "mode", "#schema": "schema"},
        )
