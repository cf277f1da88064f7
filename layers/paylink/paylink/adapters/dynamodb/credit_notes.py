"""Credit notes: numbered as invoices are, each written while its payment is as it was read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.documents import DynamoDocuments
from paylink.adapters.dynamodb.keys import payment_key
from paylink.adapters.dynamodb.table import ConditionFailedError, Table, outbox, shape
from paylink.domain.credit_note import CreditNote
from paylink.domain.events import DomainEvent
from paylink.ports import VersionConflictError

_notes = TypeAdapter(CreditNote)


class DynamoCreditNotes(DynamoDocuments[CreditNote]):
    """Fulfils `paylink.ports.CreditNoteRepository`."""

    kind = "credit_note"

    def __init__(self, table: Table) -> None:
        super().__init__(table, _notes)

    def add(
        self,
        note: CreditNote,
        year: int,
        sequence: int,
        payment_version: int,
        events: Sequence[DomainEvent],
    ) -> None:
        item = self._item(note) | {"outbox": outbox(events)}
        self._write(
            self._table.put(item, "attribute_not_exists(pk)"),
            self._take(note, year, sequence),
            self._unchanged(note, payment_version),
        )

    def void(self, note: CreditNote, payment_version: int, events: Sequence[DomainEvent]) -> None:
        changed = shape(note, _notes)
        self._write(
            self._table.update(
                *self._key(note.id),
                "SET #status = :void, voided_at = :at, outbox = :outbox",
                {
                    ":void": changed["status"],
                    ":at": changed["voided_at"],
                    ":issued": "issued",
                    ":outbox": outbox(events),
                },
                "#status = :issued",
                {"#status": "status"},
            ),
            self._unchanged(note, payment_version),
        )

    def _unchanged(self, note: CreditNote, payment_version: int) -> dict[str, Any]:
        """Counts the payment's version up, so that notes of one payment come one by one."""
        return self._table.update(
            *payment_key(note.payment_id),
            "SET version = version + :one REMOVE outbox",
            {":one": 1, ":seen": payment_version},
            "version = :seen",
        )

    def _write(self, *operations: dict[str, Any]) -> None:
        try:
            self._table.write(operations)
        except ConditionFailedError as error:
            raise VersionConflictError from error
