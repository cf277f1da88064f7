"""The provider's customer of a customer: made once, kept as it is here, made again if it is gone.

A change is first marked on our side, then told to the provider, then written. Wherever that is
interrupted, the mark makes whoever uses the customer next tell the provider how things stand here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from paylink.domain.customer import Customer
from paylink.domain.errors import (
    ProviderCustomerGoneError,
    ProviderUnavailableError,
    StateConflictError,
)
from paylink.ports import CustomerRepository, PaymentProvider, VersionConflictError
from paylink.services.read_customer import read_customer

_ATTEMPTS = 5


def has_provider_customer(customer: Customer) -> bool:
    """Whether the provider's customer can be used as it is."""
    return customer.provider_customer_id is not None and not customer.provider_stale


def with_provider_customer(
    customer: Customer,
    *,
    customers: CustomerRepository,
    provider: PaymentProvider,
    now: datetime,
) -> Customer:
    """The customer with one at the provider that knows what is known here.

    Raises ProviderUnavailableError, ProviderRejectedError and, when others kept changing the
    customer, StateConflictError.
    """
    for _ in range(_ATTEMPTS):
        if has_provider_customer(customer):
            return customer
        try:
            if customer.provider_customer_id is None:
                customer = _made(customer, customers, provider)
            else:
                provider.update_customer(customer)
                customer = customers.update(customer, replace(customer, provider_stale=False))
        except ProviderCustomerGoneError as gone:
            customer = without_gone(
                customer, gone.provider_customer_id, customers=customers, now=now
            )
        except VersionConflictError:
            # Another change may have been told before ours was, so what stands is told again.
            customer = replace(read_again(customer, customers), provider_stale=True)
    raise StateConflictError()


def without_gone(
    customer: Customer, provider_customer_id: str, *, customers: CustomerRepository, now: datetime
) -> Customer:
    """The customer after the provider's was found to be gone, and with it all vaulted methods."""
    for _ in range(_ATTEMPTS):
        if customer.provider_customer_id != provider_customer_id:
            return customer  # somebody else noticed
        try:
            return customers.update(customer, customer.without_provider_customer(now))
        except VersionConflictError:
            customer = read_again(customer, customers)
    raise StateConflictError()


def read_again(customer: Customer, customers: CustomerRepository) -> Customer:
    return read_customer((customer.organization_id, customer.mode), customer.id, customers)


def _made(customer: Customer, customers: CustomerRepository, provider: PaymentProvider) -> Customer:
    try:
        made = provider.create_customer(customer)
    except ProviderUnavailableError as error:
        if error.outcome_stored:
            # The provider would answer so for ever under this generation's key.
            following = customer.provider_generation + 1
            customers.update(customer, replace(customer, provider_generation=following))
        raise
    try:
        return customers.update(customer, replace(customer, provider_customer_id=made))
    except VersionConflictError:
        # Changed meanwhile: what was made is kept, and told the news by the caller's next round.
        changed = read_again(customer, customers)
        if changed.provider_customer_id is not None:
            return changed
        return customers.update(
            changed, replace(changed, provider_customer_id=made, provider_stale=True)
        )
