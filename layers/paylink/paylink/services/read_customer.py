"""Reads one customer of the caller's, by either id; anybody else's doesn't exist."""

from __future__ import annotations

from paylink.domain.customer import Customer
from paylink.domain.errors import CustomerNotFoundError
from paylink.domain.organization import Owner
from paylink.ports import CustomerRepository

_PERCENT = "%25"
"""Of all that is encoded in a path, the gateway decodes everything but this."""


def read_customer(owner: Owner, reference: str, customers: CustomerRepository) -> Customer:
    """By our id or the caller's own; raises CustomerNotFoundError."""
    found = customers.find(*owner, reference)
    if found is None and _PERCENT in reference:
        found = customers.find(*owner, reference.replace(_PERCENT, "%"))
    if found is None:
        raise CustomerNotFoundError()
    return found
