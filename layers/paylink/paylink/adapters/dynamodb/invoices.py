"""Invoices and the number series that they take their numbers from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.lists import Lists, list_attributes
from paylink.adapters.dynamodb.payments import payment_key
from paylink.adapters.dynamodb.table import SCHEMA, ConditionFailedError, Item, Table, outbox, shape
from paylink.domain.events import DomainEvent
from paylink.domain.invoice import Invoice
from paylink.domain.organization import Mode
from paylink.ports import ReceiptClaim, ReceiptOutcome, VersionConflictError

_invoices = TypeAdapter(Invoice)


def _invoice_key(invoice_id: str) -> tuple[str, str]:
    return f"INVOICE#{invoice_id}", "INVOICE"


def _series_key(organization_id: str, mode: Mode, year: int) -> tuple[str, str]:
    return f"NUMBERS#{organization_id}#{mode}#invoice#{year}", "NUMBERS"


def _instant(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class DynamoInvoices:
    """Fulfils `paylink.ports.InvoiceRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, invoice_id: str) -> Invoice | None:
        item = self._table.get(*_invoice_key(invoice_id))
        return _invoices.validate_python(item) if item else None

    def next_sequence(self, organization_id: str, mode: Mode, year: int) -> int:
        item = self._table.get(*_series_key(organization_id, mode, year))
        return int(item["taken"]) + 1 if item else 1

    def add(
        self, invoice: Invoice, year: int, sequence: int, events: Sequence[DomainEvent]
    ) -> None:
        table = self._table
        pk, sk = _invoice_key(invoice.id)
        item: Item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(invoice, _invoices)}
        item |= list_attributes(
            "invoice",
            invoice.organization_id,
            invoice.mode,
            invoice.issued_at,
            invoice.id,
            invoice.customer_id,
        )
        item["outbox"] = outbox(events)
        operations = [
            table.put(item, "attribute_not_exists(pk)"),
            table.update(
                *_series_key(invoice.organization_id, invoice.mode, year),
                "SET taken = :number, organization_id = :organization, #mode = :mode,"
                " #schema = :schema",
                ({":before": sequence - 1} if sequence > 1 else {})
                | {
                    ":number": sequence,
                    ":organization": invoice.organization_id,
                    ":mode": invoice.mode,
                    ":schema": SCHEMA,
                },
                "taken = :before" if sequence > 1 else "attribute_not_exists(pk)",
                {"#mode": "mode", "#schema": "schema"},
            ),
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

    def set_document(self, invoice: Invoice, document_key: str) -> None:
        operation = self._table.update(
            *_invoice_key(invoice.id),
            "SET document_key = :key",
            {":key": document_key},
            "attribute_exists(pk)",
        )
        self._table.write([operation])

    def claim_receipt(self, invoice: Invoice, now: datetime, until: datetime) -> ReceiptClaim:
        operation = self._table.update(
            *_invoice_key(invoice.id),
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
            *_invoice_key(invoice.id),
            "REMOVE receipt_claimed_until",
            {},
            "attribute_exists(pk)",
        )
        self._table.write([operation])

    def note_receipt(self, invoice: Invoice, now: datetime, outcome: ReceiptOutcome) -> None:
        operation = self._table.update(
            *_invoice_key(invoice.id),
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
    ) -> Sequence[tuple[str, Invoice]]:
        found = Lists(self._table).page(
            "invoice",
            organization_id,
            mode,
            customer_id=customer_id,
            before=before,
            limit=limit,
        )
        return [(place, _invoices.validate_python(item)) for place, item in found]
