"""Invoices and the number series that they take their numbers from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.documents import DynamoDocuments
from paylink.adapters.dynamodb.payments import payment_key
from paylink.adapters.dynamodb.table import ConditionFailedError, Table, outbox
from paylink.domain.events import DomainEvent
from paylink.domain.invoice import Invoice
from paylink.ports import ReceiptClaim, ReceiptOutcome, VersionConflictError

_invoices = TypeAdapter(Invoice)


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class DynamoInvoices(DynamoDocuments[Invoice]):
    """Fulfils `paylink.ports.InvoiceRepository`."""

    kind = "invoice"

    def __init__(self, table: Table) -> None:
        super().__init__(table, _invoices)

    def add(
        self, invoice: Invoice, year: int, sequence: int, events: Sequence[DomainEvent]
    ) -> None:
        table = self._table
        item = self._item(invoice)
        item["outbox"] = outbox(events)
        operations = [
            table.put(item, "attribute_not_exists(pk)"),
            self._take(invoice, year, sequence),
            table.update(
                *payment_key(invoice.payment_id),
                "SET invoice_id = :invoice, invoice_number = :number, version = version + :one"
                " REMOVE outbox",
                {
                    ":invoice": invoice.id,
                    ":number": invoice.number,
                    ":one": 1,
                    ":succeeded": "succeeded",
                },
                "#status = :succeeded AND attribute_not_exists(invoice_id)",
                {"#status": "status"},
            ),
        ]
        try:
            table.write(operations)
        except ConditionFailedError as error:
            raise VersionConflictError from error

    def claim_receipt(self, invoice: Invoice, now: datetime, until: datetime) -> ReceiptClaim:
        operation = self._table.update(
            *self._key(invoice.id),
            "SET receipt_claimed_until = :until",
            {":until": _instant(until), ":now": _instant(now)},
            "attribute_exists(pk) AND attribute_not_exists(receipt)"
            " AND (attribute_not_exists(receipt_claimed_until) OR receipt_claimed_until <= :now)",
        )
        try:
            self._table.write([operation])
        except ConditionFailedError as error:
            return "done" if "receipt" in error.items[0] else "claimed_by_another"
        return "claimed"

    def release_receipt(self, invoice: Invoice) -> None:
        operation = self._table.update(
            *self._key(invoice.id),
            "REMOVE receipt_claimed_until",
            {},
            "attribute_exists(pk)",
        )
        self._table.write([operation])

    def note_receipt(self, invoice: Invoice, now: datetime, outcome: ReceiptOutcome) -> None:
        operation = self._table.update(
            *self._key(invoice.id),
            "SET receipt = :outcome, receipt_at = :now REMOVE receipt_claimed_until",
            {":outcome": outcome, ":now": _instant(now)},
            "attribute_exists(pk)",
        )
        self._table.write([operation])
