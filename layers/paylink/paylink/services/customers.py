"""Customers as callers make, change, read and list them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from paylink.domain import events
from paylink.domain.customer import Customer
from paylink.domain.errors import (
    DuplicateError,
    ProviderCustomerGoneError,
    StateConflictError,
)
from paylink.domain.events import DomainEvent
from paylink.domain.ids import derived_id, new_id
from paylink.domain.organization import Address, Owner
from paylink.ports import (
    Clock,
    CredentialsStore,
    CustomerRepository,
    ExternalIdTakenError,
    Providers,
    VersionConflictError,
)
from paylink.services.list_items import ListRequest, Page, list_items
from paylink.services.provider_customers import without_gone
from paylink.services.read_customer import read_customer
from paylink.services.settle_payment import back_off

_ATTEMPTS = 6

Present = Callable[[Customer], Mapping[str, Any]]
"""How a customer looks outside; events show them so."""


@dataclass(frozen=True)
class NewCustomer:
    """A validated request for a customer."""

    email: str
    external_id: str | None = None
    full_name: str | None = None
    tax_document: str | None = None
    time_zone: str | None = None
    address: Address | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class CustomerPorts:
    """What making and changing customers needs from outside."""

    customers: CustomerRepository
    providers: Providers
    present: Present
    clock: Clock


def create_customer(
    wanted: NewCustomer,
    seed: str | None,
    owner: Owner,
    ports: CustomerPorts,
) -> tuple[Customer, bool]:
    """A new customer and True, or the one who has the caller's id already, unchanged, and False.

    Under the same seed it is the same customer.
    """
    now = ports.clock()
    customer = Customer(
        id=derived_id("cus", seed) if seed is not None else new_id("cus"),
        organization_id=owner[0],
        mode=owner[1],
        created_at=now,
        updated_at=now,
        email=wanted.email,
        external_id=wanted.external_id,
        full_name=wanted.full_name,
        address=wanted.address,
        tax_ids=(wanted.tax_document,) if wanted.tax_document else (),
        time_zone=wanted.time_zone,
        metadata=wanted.metadata,
    )
    event = _event(customer, events.CUSTOMER_CREATED, ports)
    for attempt in range(_ATTEMPTS):
        try:
            ports.customers.add(customer, (event,))
        except VersionConflictError:
            for reference in (customer.id, customer.external_id):
                found = reference and ports.customers.find(*owner, reference)
                if found:
                    return found, found.id == customer.id
            back_off(attempt)  # who had the id has just given it away
        else:
            return customer, True
    raise StateConflictError()


def update_customer(
    reference: str,
    changes: Mapping[str, Any],
    owner: Owner,
    ports: CustomerPorts,
) -> Customer:
    """The customer with some members changed, here and at the provider, or nowhere.

    ``changes`` are members of `Customer`. Raises CustomerNotFoundError, DuplicateError for an
    external id of somebody else's, ProviderUnavailableError and ProviderRejectedError.
    """
    for attempt in range(_ATTEMPTS):
        customer = read_customer(owner, reference, ports.customers)
        wanted = replace(customer, **changes)
        if wanted == customer:
            return customer
        wanted = replace(wanted, updated_at=ports.clock())
        _check_external_id(customer, wanted, ports.customers)
        try:
            customer, wanted = _told(customer, wanted, ports)
            event = _event(wanted, events.CUSTOMER_UPDATED, ports)
            return ports.customers.update(customer, wanted, (event,))
        except ExternalIdTakenError:
            raise _duplicate() from None
        except VersionConflictError:
            reference = customer.id  # the caller's own may be the one that was changed
            back_off(attempt)
    raise StateConflictError()


def list_customers(
    request: ListRequest,
    *,
    external_id: str | None,
    customers: CustomerRepository,
    credentials: CredentialsStore,
) -> Page[Customer]:
    """With ``external_id``, the one who has it.

    Raises ValidationError for a cursor of another list.
    """
    owner = request.organization_id, request.mode
    if external_id is None:
        return list_items(
            request,
            lambda before, limit: customers.page(*owner, before, limit),
            credentials,
            keep=lambda customer: customer.erasing_since is None,
        )
    found = customers.find(*owner, external_id)
    named = [("", found)] if found and found.external_id == external_id else []
    return list_items(request, lambda _before, _limit: named, credentials)


def _check_external_id(before: Customer, after: Customer, customers: CustomerRepository) -> None:
    """Before the provider is told; the write itself decides."""
    if after.external_id is None or after.external_id == before.external_id:
        return
    if customers.find(after.organization_id, after.mode, after.external_id) is not None:
        raise _duplicate()


def _told(customer: Customer, wanted: Customer, ports: CustomerPorts) -> tuple[Customer, Customer]:
    """The customer as on record, and as wanted, once the provider's customer is as wanted."""
    known = customer.provider_customer_id
    if known is None or _at_provider(customer) == _at_provider(wanted):
        return customer, wanted
    provider = ports.providers.account(customer.organization_id, customer.mode)
    if not customer.provider_stale:
        customer = ports.customers.update(customer, replace(customer, provider_stale=True))
    try:
        provider.update_customer(wanted)
    except ProviderCustomerGoneError:
        customer = without_gone(customer, known, customers=ports.customers, now=wanted.updated_at)
        return customer, wanted.with_provider_state_of(customer)
    return customer, replace(wanted, provider_stale=False)


def _at_provider(customer: Customer) -> tuple[object, ...]:
    """What the provider is told of a customer."""
    return customer.email, customer.full_name, customer.address, customer.tax_ids


def _event(customer: Customer, event_type: str, ports: CustomerPorts) -> DomainEvent:
    return DomainEvent(
        event_type,
        customer.updated_at,
        customer.organization_id,
        customer.mode,
        dict(ports.present(customer)),
    )


def _duplicate() -> DuplicateError:
    return DuplicateError("Another customer has this external id.", param="externalId")
