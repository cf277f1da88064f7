"""Payments, and all that one decision about a payment writes with it."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.charge_leases import end_lease, take_lease
from paylink.adapters.dynamodb.customers import (
    fill_customer,
    still_there,
    vault_payment_method,
)
from paylink.adapters.dynamodb.documents import item_key
from paylink.adapters.dynamodb.idempotency import (
    UNANSWERED,
    UNANSWERED_NAMES,
    claim,
    record_found,
    record_item,
    record_key,
)
from paylink.adapters.dynamodb.keys import payment_key
from paylink.adapters.dynamodb.lists import Lists, list_attributes
from paylink.adapters.dynamodb.table import (
    SCHEMA,
    ConditionFailedError,
    Item,
    Key,
    Table,
    Told,
    decode,
    encode,
    is_possible,
    outbox,
    shape,
)
from paylink.domain.errors import ChargeInProgressError, CustomerNotFoundError
from paylink.domain.events import DomainEvent
from paylink.domain.invoice import invoice_id_for
from paylink.domain.organization import Mode
from paylink.domain.payment import Payment, Transaction, session_key, told_of
from paylink.ports import (
    ChargeLease,
    Commit,
    IdempotencyRecord,
    KeyInUseError,
    VersionConflictError,
)

DUE_SHARDS = 8
_DUE_PAGE = 100

_payments = TypeAdapter(Payment)
_transactions = TypeAdapter(Transaction)


def payment_told(item: Item) -> Told:
    """What a payment's item says of its own events."""
    return partial(told_of, _payment(item))


def _invoice_key(payment: Key) -> Key:
    return item_key("invoice", invoice_id_for(payment[0].removeprefix("PAYMENT#")))


def due_shard(payment_id: str) -> str:
    """Links due at the same moment are spread, so that no partition takes them all."""
    return f"DUE#{zlib.crc32(payment_id.encode()) % DUE_SHARDS}"


def due_at(moment: datetime) -> str:
    """Text of fixed width that sorts as time does."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


class DynamoPayments:
    """Fulfils `paylink.ports.PaymentRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(
        self, payment: Payment, record: IdempotencyRecord | None, lease: ChargeLease | None = None
    ) -> None:
        operations = [self._table.put(_payment_item(payment, ()), "attribute_not_exists(pk)")]
        if record is not None:
            operations.append(claim(self._table, record, payment.created_at))
        if lease is not None:
            operations.append(take_lease(self._table, lease, payment.created_at))
        if payment.customer_id is not None:
            owner = payment.organization_id, payment.mode
            operations.append(still_there(self._table, *owner, payment.customer_id))
        try:
            self._table.write(operations)
        except ConditionFailedError as error:
            if record is not None and 1 in error.items:
                raise KeyInUseError(record_found(error, 1)) from error
            if payment.customer_id is not None and len(operations) - 1 in error.items:
                raise CustomerNotFoundError(param="customerId") from error
            if lease is not None:
                raise ChargeInProgressError() from error
            raise

    def hold(self, lease: ChargeLease, now: datetime) -> None:
        try:
            self._table.write([take_lease(self._table, lease, now)])
        except ConditionFailedError as error:
            raise ChargeInProgressError() from error

    def let_go(self, lease: ChargeLease) -> None:
        with suppress(ConditionFailedError):  # over, and another's by now
            self._table.write([end_lease(self._table, lease)])

    def remove(self, payment: Payment, record: IdempotencyRecord | None) -> None:
        operations = [
            self._table.delete(
                *payment_key(payment.id), "version = :version", {":version": payment.version}
            )
        ]
        if record is not None:
            operations.append(
                self._table.delete(
                    *record_key(record), "payment_id = :payment", {":payment": payment.id}
                )
            )
        try:
            self._table.write(operations)
        except ConditionFailedError as error:
            raise VersionConflictError from error

    def get(self, payment_id: str, *, with_invoice: bool = False) -> Payment | None:
        key = payment_key(payment_id)
        item = self._with_invoices([key]).get(key) if with_invoice else self._table.get(*key)
        return _payment(item) if item else None

    def several(self, payment_ids: Iterable[str]) -> Sequence[Payment]:
        found = self._with_invoices(map(payment_key, payment_ids))
        return [_payment(item) for item in found.values()]

    def _with_invoices(self, keys: Iterable[Key]) -> dict[Key, Item]:
        """Payments, each with what it has only by its invoice, read at the same time."""
        invoices = {key: _invoice_key(key) for key in keys if is_possible(*key)}
        found = self._table.get_all([*invoices, *invoices.values()])
        payments = {key: found[key] for key in invoices if key in found}
        for key, payment in payments.items():
            invoice = found.get(invoices[key])
            if invoice is not None:
                payment |= {"invoice_id": invoice["id"], "invoice_number": invoice["number"]}
        return payments

    def commit(self, commit: Commit) -> Payment:
        payment = replace(commit.payment, version=commit.payment.version + 1)
        table = self._table
        item = _payment_item(payment, commit.events)
        if commit.new:
            operations = [table.put(item, "attribute_not_exists(pk)")]
        else:
            version = {":version": commit.payment.version}
            operations = [table.put(item, "version = :version", version)]
        if commit.transaction is not None:
            operations.append(table.put(_transaction_item(commit.transaction)))
        if commit.customer is not None:
            operations.append(fill_customer(table, commit.customer))
            if commit.payment_method is not None:
                operations.append(
                    vault_payment_method(table, commit.customer, commit.payment_method)
                )
        if commit.answered is not None:
            operations.append(
                table.put(
                    record_item(commit.answered),
                    f"payment_id = :payment AND {UNANSWERED}",
                    {":payment": payment.id},
                    UNANSWERED_NAMES,
                )
            )
        erasing = None
        if commit.new and payment.customer_id is not None:
            erasing = len(operations)
            owner = payment.organization_id, payment.mode
            operations.append(still_there(table, *owner, payment.customer_id))
        try:
            table.write(operations)
        except ConditionFailedError as error:
            if 0 not in error.items and erasing in error.items:
                raise CustomerNotFoundError(param="customerId") from error
            raise VersionConflictError from error
        return payment

    def drafted(self, payment: Payment) -> str:
        return _payments.dump_json(payment, exclude_none=True, exclude_defaults=True).decode()

    def of_draft(self, draft: str) -> Payment:
        return _payments.validate_json(draft)

    def page(
        self,
        organization_id: str,
        mode: Mode,
        customer_id: str | None,
        before: str | None,
        limit: int,
    ) -> Sequence[tuple[str, Payment]]:
        found = Lists(self._table, self._with_invoices).page(
            "payment",
            organization_id,
            mode,
            customer_id=customer_id,
            before=before,
            limit=limit,
        )
        return [(place, _payment(item)) for place, item in found]

    def transaction(self, transaction_id: str) -> Transaction | None:
        item = self._table.get(f"TRANSACTION#{transaction_id}", "TRANSACTION")
        return _transactions.validate_python(item) if item else None

    def transactions_page(
        self,
        organization_id: str,
        mode: Mode,
        before: str | None,
        limit: int,
        *,
        customer_id: str | None = None,
    ) -> Sequence[tuple[str, Transaction]]:
        found = Lists(self._table).page(
            "transaction",
            organization_id,
            mode,
            customer_id=customer_id,
            before=before,
            limit=limit,
        )
        return [(place, _transactions.validate_python(item)) for place, item in found]

    def due(self, now: datetime) -> Iterator[str]:
        """Page by page from all shards at once, and no page before the last one is taken."""
        starts: dict[str, dict[str, Any]] = {f"DUE#{n}": {} for n in range(DUE_SHARDS)}
        with ThreadPoolExecutor(DUE_SHARDS) as pool:
            while starts:
                pages = pool.map(
                    lambda shard: self._due_page(shard, now, starts[shard]), list(starts)
                )
                for shard, (ids, following) in zip(list(starts), list(pages), strict=True):
                    yield from ids
                    if following:
                        starts[shard] = {"ExclusiveStartKey": following}
                    else:
                        del starts[shard]

    def _due_page(
        self, shard: str, now: datetime, start: dict[str, Any]
    ) -> tuple[list[str], dict[str, Any] | None]:
        found = self._table.client.query(
            TableName=self._table.name,
            IndexName="due",
            KeyConditionExpression="due_shard = :shard AND due_at <= :now",
            ExpressionAttributeValues=encode({":shard": shard, ":now": due_at(now)}),
            Limit=_DUE_PAGE,
            **start,
        )
        ids = [decode(item)["pk"].removeprefix("PAYMENT#") for item in found["Items"]]
        return ids, found.get("LastEvaluatedKey")


def _payment_item(payment: Payment, events: Sequence[DomainEvent]) -> Item:
    pk, sk = payment_key(payment.id)
    item: Item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(payment, _payments)}
    for kept_elsewhere in ("invoice_id", "invoice_number"):
        item.pop(kept_elsewhere, None)
    for session in item.get("sessions", ()):
        _leave_out(_usual_of_session(item["id"], session), session)
    _leave_out(_usual(item), item)
    item |= {"version": payment.version}
    item |= list_attributes(
        "payment",
        payment.organization_id,
        payment.mode,
        payment.created_at,
        payment.id,
        payment.customer_id,
    )
    if events:
        item["outbox"] = outbox(events, partial(told_of, payment))
    if payment.due_at is not None:
        item |= {"due_shard": due_shard(payment.id), "due_at": due_at(payment.due_at)}
    return item


def _payment(item: Item) -> Payment:
    sessions = [
        {**_usual_of_session(item["id"], session), **session}
        for session in item.get("sessions", ())
    ]
    payment: Payment = _payments.validate_python({**_usual(item), **item, "sessions": sessions})
    return payment


def _usual(item: Item) -> Item:
    """What members nearly always are, so that they take no space then."""
    return {
        "customer_public_id": item.get("customer_id"),
        "last_attempt_id": item.get("settlement", {}).get("charge_id"),
    }


def _usual_of_session(payment_id: str, session: Item) -> Item:
    return {"idempotency_key": session_key(payment_id, session["generation"]), "request": {}}


def _leave_out(usual: Item, item: Item) -> None:
    for name, value in usual.items():
        if item.get(name) == value:
            item.pop(name, None)
        else:
            item.setdefault(name, None)  # so that it isn't taken for what it usually is


def _transaction_item(transaction: Transaction) -> Item:
    return {
        "pk": f"TRANSACTION#{transaction.id}",
        "sk": "TRANSACTION",
        "schema": SCHEMA,
        **shape(transaction, _transactions),
        **list_attributes(
            "transaction",
            transaction.organization_id,
            transaction.mode,
            transaction.created_at,
            transaction.id,
            None if transaction.settles else transaction.customer_id,
        ),
    }
