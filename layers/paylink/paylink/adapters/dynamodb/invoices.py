"""Invoices and the number series that they take their numbers from."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.documents import DynamoDocuments
from paylink.adapters.dynamodb.payments import payment_key
from paylink.adapters.dynamodb.table import ConditionFailedError, Table, outbox
from paylink.domain.events import DomainEvent
from paylink.domain.invoice import Invoice
from paylink.ports import VersionConflictError

_invoices = TypeAdapter(Invoice)


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
