"""Customers and their vaulted payment methods, which share a partition."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.lists import Lists, list_attributes
from paylink.adapters.dynamodb.table import (
    SCHEMA,
    ConditionFailedError,
    Item,
    Table,
    decode,
    encode,
    outbox,
    shape,
)
from paylink.domain.customer import (
    OUR_IDS,
    Customer,
    PaymentMethod,
    VaultedMethod,
    vaulted,
)
from paylink.domain.events import DomainEvent
from paylink.domain.organization import Mode
from paylink.ports import ExternalIdTakenError, VersionConflictError

_customers = TypeAdapter(Customer)
_methods = TypeAdapter(PaymentMethod)

_LONGEST_REFERENCE = 255  # strangers may ask for any; the table refuses keys of over 2 KB
_METHOD = "PAYMENT_METHOD#"

# What a checkout may fill in but never overwrite.
_FILLED = (
    "created_at",
    "email",
    "full_name",
    "address",
    "tax_ids",
    "provider_customer_id",
    "list_key",
    "list_sort",
)


def customer_partition(organization_id: str, mode: Mode, customer_id: str) -> str:
    return f"CUSTOMER#{organization_id}#{mode}#{customer_id}"


def fill_customer(table: Table, customer: Customer) -> dict[str, Any]:
    """The part of a write that makes a customer, or fills in what was unknown of one.

    The outbox stays as it is: a guest is announced by the payment that made them.
    """
    values = {"schema": SCHEMA, **shape(customer, _customers), **_listed(customer)}
    assignments = []
    for name in values:
        value = f"if_not_exists(#{name}, :{name})" if name in _FILLED else f":{name}"
        assignments.append(f"#{name} = {value}")
    # Whoever read the customer before must not write over what is filled in now.
    assignments.append("#version = if_not_exists(#version, :none) + :one")
    return table.update(
        *_key(customer),
        f"SET {', '.join(assignments)}",
        {f":{name}": value for name, value in values.items()} | {":none": 0, ":one": 1},
        names={f"#{name}": name for name in (*values, "version")},
    )


def still_there(table: Table, organization_id: str, mode: Mode, customer_id: str) -> dict[str, Any]:
    """The part of a write that only holds while nobody has begun to erase a customer."""
    return table.check(
        customer_partition(organization_id, mode, customer_id),
        "CUSTOMER",
        "attribute_exists(pk) AND attribute_not_exists(erasing_since)",
    )


def vault_payment_method(table: Table, customer: Customer, method: PaymentMethod) -> dict[str, Any]:
    """The part of a write that keeps a method once, under every id the provider gave it."""
    values = {
        "schema": SCHEMA,
        "organization_id": customer.organization_id,
        "mode": customer.mode,
        "updated_at": customer.updated_at.isoformat(),
        **shape(method, _methods),
    }
    assignments = ", ".join(f"#{name} = :{name}" for name in values)
    return table.update(
        _key(customer)[0],
        f"{_METHOD}{method.key}",
        f"SET {assignments}, created_at = if_not_exists(created_at, :updated_at)"
        " ADD provider_ids :provider_ids",
        {f":{name}": value for name, value in values.items()}
        | {":provider_ids": {method.provider_id}},
        names={f"#{name}": name for name in values},
    )


class DynamoCustomers:
    """Fulfils `paylink.ports.CustomerRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(
        self, organization_id: str, mode: Mode, reference: str, *, erasing: bool = False
    ) -> Customer | None:
        if not _possible(reference):
            return None
        customer_id: str | None = reference
        if not reference.startswith(OUR_IDS):
            item = self._table.get(*_marker_key(organization_id, mode, reference))
            customer_id = str(item["customer_id"]) if item else None
        if customer_id is None:
            return None
        item = self._table.get(customer_partition(organization_id, mode, customer_id), "CUSTOMER")
        found = _customer(item) if item else None
        if found is None or found.erased_at or (found.erasing_since and not erasing):
            return None
        return found

    def add(self, customer: Customer, events: Sequence[DomainEvent]) -> None:
        operations = [self._table.put(_item(customer, events), "attribute_not_exists(pk)")]
        if customer.external_id is not None:
            operations.append(self._mark(customer))
        try:
            self._table.write(operations)
        except ConditionFailedError as error:
            raise VersionConflictError from error

    def update(
        self, before: Customer, after: Customer, events: Sequence[DomainEvent] = ()
    ) -> Customer:
        after = replace(after, version=before.version + 1)
        operations = [self._put(before, after, events)]
        if after.external_id != before.external_id:
            if after.external_id is not None:
                operations.append(self._mark(after))
            if before.external_id is not None:
                operations.append(self._unmark(before))
        try:
            self._table.write(operations)
        except ConditionFailedError as error:
            if 0 not in error.items and 1 in error.items and after.external_id is not None:
                raise ExternalIdTakenError from error
            raise VersionConflictError from error
        return after

    def page(
        self, organization_id: str, mode: Mode, before: str | None, limit: int
    ) -> Sequence[tuple[str, Customer]]:
        found = Lists(self._table).page(
            "customer", organization_id, mode, customer_id=None, before=before, limit=limit
        )
        return [(place, _customer(item)) for place, item in found]

    def payment_methods(self, customer: Customer) -> Sequence[VaultedMethod]:
        values: Item = {":pk": _key(customer)[0], ":method": _METHOD}
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :method)",
            ExpressionAttributeValues=encode(values),
            ConsistentRead=True,
        )
        items = [decode(item) for page in pages for item in page["Items"]]
        found = [
            _vaulted(customer, item)
            for item in items
            if customer.has_since(datetime.fromisoformat(item["updated_at"]))
        ]
        return sorted(found, key=lambda method: (method.vaulted_at, method.id), reverse=True)

    def remove_payment_method(
        self, before: Customer, after: Customer, method: VaultedMethod
    ) -> Customer:
        after = replace(after, version=before.version + 1)
        pk, _ = _key(before)
        operations = [
            self._put(before, after),
            self._table.delete(pk, f"{_METHOD}{method.method.key}", "attribute_exists(pk)", {}),
        ]
        try:
            self._table.write(operations)
        except ConditionFailedError as error:
            raise VersionConflictError from error
        return after

    def _put(
        self, before: Customer, after: Customer, events: Sequence[DomainEvent] = ()
    ) -> dict[str, Any]:
        # Customers of before there were versions have none.
        unversioned = "attribute_not_exists(version) AND attribute_exists(pk)"
        condition = "version = :version"
        return self._table.put(
            _item(after, events),
            condition if before.version else f"{condition} OR ({unversioned})",
            {":version": before.version},
        )

    def _mark(self, customer: Customer) -> dict[str, Any]:
        pk, sk = _marker_key(customer.organization_id, customer.mode, customer.external_id or "")
        item = {
            "pk": pk,
            "sk": sk,
            "schema": SCHEMA,
            "organization_id": customer.organization_id,
            "mode": customer.mode,
            "customer_id": customer.id,
        }
        return self._table.put(item, "attribute_not_exists(pk)")

    def _unmark(self, customer: Customer) -> dict[str, Any]:
        return self._table.delete(
            *_marker_key(customer.organization_id, customer.mode, customer.external_id or ""),
            "customer_id = :customer",
            {":customer": customer.id},
        )


def _key(customer: Customer) -> tuple[str, str]:
    return customer_partition(customer.organization_id, customer.mode, customer.id), "CUSTOMER"


def _marker_key(organization_id: str, mode: Mode, external_id: str) -> tuple[str, str]:
    return f"EXTERNAL#{organization_id}#{mode}#customer#{external_id}", "ID"


def _possible(reference: str) -> bool:
    """Whether any customer could be named so: half a surrogate pair can't even be asked for."""
    try:
        reference.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(reference) <= _LONGEST_REFERENCE


def _listed(customer: Customer) -> Item:
    return list_attributes(
        # Out of the list of customers, but for good: a late payment must not put them back there.
        "erased_customer" if customer.erased_at else "customer",
        customer.organization_id,
        customer.mode,
        customer.created_at,
        customer.id,
    )


def _item(customer: Customer, events: Sequence[DomainEvent] = ()) -> Item:
    pk, sk = _key(customer)
    item: Item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(customer, _customers)}
    item |= {"version": customer.version, **_listed(customer)}
    if customer.metadata is not None:
        # As text: the table has no floats, and no integers as long as JSON has.
        item["metadata"] = json.dumps(dict(customer.metadata), ensure_ascii=False)
    if customer.erased_at:
        # Taken as well, so that a payment which comes late fills nothing in.
        item |= {name: [] if name == "tax_ids" else None for name in _FILLED if name not in item}
    if events:
        item["outbox"] = outbox(events)
    return item


def _customer(item: Item) -> Customer:
    metadata = item.get("metadata")
    if isinstance(metadata, str):
        item = {**item, "metadata": json.loads(metadata)}
    customer: Customer = _customers.validate_python(item)
    return customer


def _vaulted(customer: Customer, item: Item) -> VaultedMethod:
    return vaulted(
        customer,
        _methods.validate_python(item),
        item["provider_ids"],
        datetime.fromisoformat(str(item.get("created_at") or item["updated_at"])),
    )
