"""Reads one customer of the caller's, by either id; anybody else's doesn't exist."""

from __future__ import annotations

from paylink.domain.customer import Customer
from paylink.domain.errors import CustomerNotFoundError
from paylink.domain.organization import Owner
from paylink.ports import CustomerRepository


def read_customer(owner: Owner, reference: str, customers: CustomerRepository) -> Customer:
    """By our id or the caller's own; raises CustomerNotFoundError."""
    found = customers.find(*owner, reference)
    if found is None:
        raise CustomerNotFoundError()
    return found
