"""Customers and their vaulted payment methods, which share a partition."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.table import SCHEMA, Table, shape
from paylink.domain.customer import Customer, PaymentMethod
from paylink.domain.organization import Mode

_customers = TypeAdapter(Customer)
_methods = TypeAdapter(PaymentMethod)

# What a checkout may fill in but never overwrite.
_FILLED = (
    "created_at",
    "email",
    "full_name",
    "address",
    "tax_ids",
    "provider_customer_id",
)


def customer_partition(organization_id: str, mode: Mode, customer_id: str) -> str:
    return f"CUSTOMER#{organization_id}#{mode}#{customer_id}"


def fill_customer(table: Table, customer: Customer) -> dict[str, Any]:
    """The part of a write that makes a customer, or fills in what was unknown of one."""
    values = {
        "schema": SCHEMA,
        **shape(customer, _customers),
    }
    assignments = []
    for name in values:
        value = f"if_not_exists(#{name}, :{name})" if name in _FILLED else f":{name}"
        assignments.append(f"#{name} = {value}")
    return table.update(
        customer_partition(customer.organization_id, customer.mode, customer.id),
        "CUSTOMER",
        f"SET {', '.join(assignments)}",
        {f":{name}": value for name, value in values.items()},
        names={f"#{name}": name for name in values},
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
        customer_partition(customer.organization_id, customer.mode, customer.id),
        f"PAYMENT_METHOD#{method.key}",
        f"SET {assignments} ADD provider_ids :provider_ids",
        {f":{name}": value for name, value in values.items()}
        | {":provider_ids": {method.provider_id}},
        names={f"#{name}": name for name in values},
    )


class DynamoCustomers:
    """Fulfils `paylink.ports.CustomerRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self, organization_id: str, mode: Mode, reference: str) -> Customer | None:
        customer_id: str | None = reference
        if not reference.startswith("cus_"):
            customer_id = self._id_of_external(organization_id, mode, reference)
        if customer_id is None:
            return None
        item = self._table.get(customer_partition(organization_id, mode, customer_id), "CUSTOMER")
        return _customers.validate_python(item) if item else None

    def _id_of_external(self, organization_id: str, mode: Mode, external_id: str) -> str | None:
        item = self._table.get(f"EXTERNAL#{organization_id}#{mode}#customer#{external_id}", "ID")
        return str(item["customer_id"]) if item else None
