"""Forgets a customer: here, in their payments, and at the provider.

From the first write on nobody finds the customer, so nothing new begins. The customer's own ids go
last: whatever interrupts this, the same request goes on where it was.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeVar

from paylink.domain import events
from paylink.domain.customer import Customer
from paylink.domain.erasure import erased_customer, erased_payment, erased_transaction
from paylink.domain.errors import (
    ChargeInProgressError,
    CustomerNotFoundError,
    PaymentNotCancelableError,
    StateConflictError,
)
from paylink.domain.events import DomainEvent
from paylink.domain.invoice import invoice_id_for
from paylink.domain.organization import Owner
from paylink.domain.payment import PAYABLE, Payment, Transaction
from paylink.ports import (
    ChargeLease,
    Clock,
    Commit,
    CustomerRepository,
    InvoiceRepository,
    PaymentRepository,
    Providers,
    VersionConflictError,
)
from paylink.services.cancel_payment import cancel_payment
from paylink.services.settle_payment import back_off

_ATTEMPTS = 6
_PAGE = 50
_LEASE_NAME = "erasure"  # stands where a charge's lease has its payment

Found = TypeVar("Found")


@dataclass(frozen=True)
class ErasurePorts:
    """What forgetting a customer needs from outside."""

    customers: CustomerRepository
    payments: PaymentRepository
    invoices: InvoiceRepository
    providers: Providers
    clock: Clock


def erase_customer(
    reference: str, owner: Owner, ports: ErasurePorts, *, lease: timedelta
) -> Customer:
    """What is left of the customer once everything personal is gone.

    Links that wait for them are canceled. No charge of theirs begins for ``lease``. Raises
    CustomerNotFoundError (also for one who was erased before), PaymentNotCancelableError while a
    payment of theirs is being processed, ChargeInProgressError, ProviderUnavailableError and
    StateConflictError; a retry goes on.
    """
    customer = _withdrawn(reference, owner, ports)
    held = ChargeLease(*owner, customer.id, _LEASE_NAME, ports.clock() + lease)
    ports.payments.hold(held, ports.clock())
    try:
        for payment in _all(lambda before: ports.payments.page(*owner, customer.id, before, _PAGE)):
            forgotten = _forget_payment(payment, owner, ports)
            paid = forgotten.settlement if forgotten else None
            paid_by = ports.payments.transaction(paid.transaction_id) if paid else None
            if paid_by is not None:
                _forget_transaction(paid_by, ports)
        for transaction in _all(
            lambda before: ports.payments.transactions_page(
                *owner, before, _PAGE, customer_id=customer.id
            )
        ):
            _forget_transaction(transaction, ports)
        return _forgotten(_forget_at_provider(customer, ports), ports)
    finally:
        ports.payments.let_go(held)


def _all(page: Callable[[str | None], Sequence[tuple[str, Found]]]) -> Iterator[Found]:
    before: str | None = None
    while found := page(before):
        yield from (thing for _, thing in found)
        before = found[-1][0]


def _withdrawn(reference: str, owner: Owner, ports: ErasurePorts) -> Customer:
    """The customer, from now on found by no other request."""
    for attempt in range(_ATTEMPTS):
        customer = ports.customers.find(*owner, reference, erasing=True)
        if customer is None:
            raise CustomerNotFoundError()
        if customer.erasing_since is not None:
            return customer
        try:
            withdrawn = replace(customer, erasing_since=ports.clock())
            return ports.customers.update(customer, withdrawn)
        except VersionConflictError:
            back_off(attempt)
    raise StateConflictError()


def _forget_payment(payment: Payment, owner: Owner, ports: ErasurePorts) -> Payment | None:
    """The payment without the person; None if it isn't there any more."""
    found: Payment | None = payment
    for attempt in range(_ATTEMPTS):
        if found is None:
            return None
        if found.status == "processing":
            raise PaymentNotCancelableError(
                f"{found.id} of this customer is being processed. Ask again once it has settled."
            )
        if found.kind == "charge" and found.status == "pending":
            raise ChargeInProgressError()
        if found.kind == "link" and found.status in PAYABLE:
            found = cancel_payment(
                found.id,
                owner,
                payments=ports.payments,
                providers=ports.providers,
                clock=ports.clock,
            )
        if found.status == "succeeded" and ports.invoices.get(invoice_id_for(found.id)) is None:
            raise StateConflictError()  # the invoice that is about to be issued names the buyer
        forgotten = erased_payment(found)
        if forgotten == found:
            return found
        try:
            return ports.payments.commit(Commit(forgotten))
        except VersionConflictError:
            back_off(attempt)
            found = ports.payments.get(payment.id)
    raise StateConflictError()


def _forget_transaction(transaction: Transaction, ports: ErasurePorts) -> None:
    for attempt in range(_ATTEMPTS):
        # The payment's version guards its transactions too.
        payment = ports.payments.get(transaction.payment_id)
        found = ports.payments.transaction(transaction.id)
        if payment is None or found is None or erased_transaction(found) == found:
            return
        try:
            ports.payments.commit(Commit(payment, transaction=erased_transaction(found)))
        except VersionConflictError:
            back_off(attempt)
        else:
            return
    raise StateConflictError()


def _forget_at_provider(customer: Customer, ports: ErasurePorts) -> Customer:
    """Detaches every method under every id, and deletes the provider's customer."""
    provider = ports.providers.account(customer.organization_id, customer.mode)
    # Those of a former customer at the provider are still on record here.
    for method in ports.customers.payment_methods(replace(customer, methods_since=None)):
        for provider_id in sorted(method.provider_ids):
            provider.detach_payment_method(provider_id)
        try:
            customer = ports.customers.remove_payment_method(customer, customer, method)
        except VersionConflictError:
            raise StateConflictError() from None
    if customer.provider_customer_id is not None:
        provider.delete_customer(customer.provider_customer_id)
    return customer


def _forgotten(customer: Customer, ports: ErasurePorts) -> Customer:
    erased = erased_customer(customer, ports.clock())
    event = DomainEvent(
        events.CUSTOMER_ERASED,
        erased.updated_at,
        customer.organization_id,
        customer.mode,
        {"customerId": customer.id},
    )
    try:
        return ports.customers.update(customer, erased, (event,))
    except VersionConflictError:
        raise StateConflictError() from None
