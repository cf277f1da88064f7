"""Invoices and the number series that they take their numbers from."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.documents import DynamoDocuments
from paylink.adapters.dynamodb.table import ConditionFailedError, Item, Table, Told, outbox
from paylink.domain.errors import StateConflictError
from paylink.domain.invoice import Invoice, facts
from paylink.ports import IssuedInvoice, NumbersConflictError

INVOICE = "INVOICE"

_invoices = TypeAdapter(Invoice)


def invoice_told(item: Item) -> Told:
    """What an invoice's item says of its own event."""
    return partial(_told, _invoices.validate_python(item))


def _told(invoice: Invoice, _event_type: str) -> dict[str, Any]:
    return facts(invoice)


class DynamoInvoices(DynamoDocuments[Invoice]):
    """Fulfils `paylink.ports.InvoiceRepository`."""

    kind = "invoice"

    def __init__(self, table: Table) -> None:
        super().__init__(table, _invoices)

    def add(self, issued: Sequence[IssuedInvoice], year: int, first: int) -> None:
        table = self._table
        operations = [self._take(issued[0].invoice, year, first, len(issued))]
        for invoice, event in issued:
            item = self._item(invoice) | {"outbox": outbox([event], partial(_told, invoice))}
            operations.append(table.put(item, "attribute_not_exists(pk)"))
        try:
            table.write(operations, tries=1)
        except ConditionFailedError as error:
            taken = [issued[position - 1].invoice for position in error.items if position > 0]
            raise NumbersConflictError({invoice.payment_id for invoice in taken}) from error
        except StateConflictError as error:
            # Whoever was at it is about to have these numbers: the same again would fail for that.
            raise NumbersConflictError(()) from error
