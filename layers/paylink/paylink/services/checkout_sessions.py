"""Provider sessions of a payment: written down first, asked for second, kept third.

A session's exact parameters are stored before the provider is called, so whoever asks again, in a
second tab or after a crash, gets the same session from the provider's own idempotency.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from paylink.domain.errors import (
    ProviderCustomerGoneError,
    ProviderRejectedError,
    ProviderUnavailableError,
    TaxCalculationError,
)
from paylink.domain.payment import CheckoutSession, Payment
from paylink.ports import CustomerRepository, PaymentProvider
from paylink.services.provider_customers import with_provider_customer, without_gone

Keep = Callable[[Payment], Payment]
"""Puts a payment on record and returns it as it is there; raises VersionConflictError."""


def obtain_session(
    payment: Payment,
    *,
    keep: Keep,
    customers: CustomerRepository,
    provider: PaymentProvider,
    now: datetime,
) -> Payment:
    """The payment with a session that exists at the provider, not yet kept.

    Keeps on the way what must be on record before the provider is asked. A failure that the
    provider would replay for ever ends this generation, so that the next try asks under a new key;
    so does a customer whom the provider doesn't know any more, and then another one is made.
    Raises VersionConflictError, ProviderUnavailableError, ProviderRejectedError and, where the
    seller's tax isn't set up at the provider, TaxCalculationError.
    """
    session = payment.current_session
    if session is not None and not session.ended:
        if session.id is not None:
            return payment
        if now < session.expires_at:
            try:
                return _with_created(payment, session, keep, provider)
            except ProviderCustomerGoneError as gone:
                _forget(payment, gone, customers, now)
            except ProviderRejectedError as error:
                # Had it been made, it would have been found; now it is too late to make it.
                if error.param != "expiresAt":
                    raise
        payment = payment.with_session(replace(session, ended=True))
    payment, session = _prepared(payment, keep, customers, provider, now)
    try:
        return _with_created(payment, session, keep, provider)
    except ProviderCustomerGoneError as gone:
        _forget(payment, gone, customers, now)
        payment = payment.with_session(replace(session, ended=True))
    payment, session = _prepared(payment, keep, customers, provider, now)
    return _with_created(payment, session, keep, provider)


def _prepared(
    payment: Payment,
    keep: Keep,
    customers: CustomerRepository,
    provider: PaymentProvider,
    now: datetime,
) -> tuple[Payment, CheckoutSession]:
    """The next session on record, and what it needs at the provider there."""
    customer = None
    if payment.customer_id is not None:
        customer = customers.find(payment.organization_id, payment.mode, payment.customer_id)
    if customer is not None:
        customer = with_provider_customer(customer, customers=customers, provider=provider, now=now)
    session = provider.prepare_session(payment, customer, now)
    return keep(payment.with_session(session).watched(now)), session


def _forget(
    payment: Payment, gone: ProviderCustomerGoneError, customers: CustomerRepository, now: datetime
) -> None:
    customer = customers.find(payment.organization_id, payment.mode, payment.customer_id or "")
    if customer is not None:
        without_gone(customer, gone.provider_customer_id, customers=customers, now=now)


def _with_created(
    payment: Payment,
    session: CheckoutSession,
    keep: Keep,
    provider: PaymentProvider,
) -> Payment:
    try:
        return payment.with_session(provider.create_session(session))
    except (ProviderUnavailableError, TaxCalculationError) as error:
        # What the seller has to set up for tax can be there at the next try.
        if isinstance(error, TaxCalculationError) or error.outcome_stored:
            keep(payment.with_session(replace(session, ended=True)))
        raise
