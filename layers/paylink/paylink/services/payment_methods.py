"""A customer's vaulted payment methods: seen, and removed here and at the provider."""

from __future__ import annotations

from dataclasses import replace

from paylink.domain.customer import VaultedMethod
from paylink.domain.errors import PaymentMethodNotFoundError, StateConflictError
from paylink.domain.organization import Owner
from paylink.ports import CredentialsStore, CustomerRepository, Providers, VersionConflictError
from paylink.services.list_items import ListRequest, Page, list_items
from paylink.services.read_customer import read_customer
from paylink.services.settle_payment import back_off

_ATTEMPTS = 6


def list_payment_methods(
    request: ListRequest,
    reference: str,
    *,
    customers: CustomerRepository,
    credentials: CredentialsStore,
) -> Page[VaultedMethod]:
    """Methods of one customer, newest first.

    Raises CustomerNotFoundError, ValidationError for a cursor of another list.
    """
    customer = read_customer((request.organization_id, request.mode), reference, customers)
    methods = [
        (f"{vaulted.vaulted_at.isoformat()}#{vaulted.id}", vaulted)
        for vaulted in customers.payment_methods(customer)
    ]

    def read(before: str | None, limit: int) -> list[tuple[str, VaultedMethod]]:
        return [pair for pair in methods if before is None or pair[0] < before][:limit]

    of_customer = replace(request, filters=(*request.filters, customer.id))
    return list_items(of_customer, read, credentials)


def remove_payment_method(
    reference: str,
    method_id: str,
    owner: Owner,
    *,
    customers: CustomerRepository,
    providers: Providers,
) -> VaultedMethod:
    """Detaches a method under every id that the provider gave it, then forgets it.

    A default that is removed gives way to the newest of what remains. Raises CustomerNotFoundError,
    PaymentMethodNotFoundError and ProviderUnavailableError; a retry goes on where it was.
    """
    for attempt in range(_ATTEMPTS):
        customer = read_customer(owner, reference, customers)
        methods = customers.payment_methods(customer)
        removed = next((found for found in methods if found.id == method_id), None)
        if removed is None:
            raise PaymentMethodNotFoundError()
        provider = providers.account(*owner)
        for provider_id in sorted(removed.provider_ids):
            provider.detach_payment_method(provider_id)
        after = customer
        if removed.default:
            newest = next((found for found in methods if found is not removed), None)
            default = newest.method.key if newest else None
            after = replace(customer, default_payment_method=default)
        try:
            customers.remove_payment_method(customer, after, removed)
        except VersionConflictError:
            # A payment may just have vaulted it once more, under another id.
            back_off(attempt)
            continue
        return removed
    raise StateConflictError()
