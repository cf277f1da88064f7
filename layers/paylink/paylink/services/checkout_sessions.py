"""Provider sessions of a payment: written down first, asked for second, kept third.

A session's exact parameters are stored before the provider is called, so whoever asks again, in a
second tab or after a crash, gets the same session from the provider's own idempotency.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from paylink.domain.errors import ProviderUnavailableError
from paylink.domain.payment import Payment
from paylink.ports import Commit, CustomerRepository, PaymentProvider, PaymentRepository

_SHORTEST_LIFE = timedelta(minutes=31)  # the provider refuses an end less than 30 minutes ahead


def obtain_session(
    payment: Payment,
    *,
    payments: PaymentRepository,
    customers: CustomerRepository,
    provider: PaymentProvider,
    now: datetime,
) -> Payment:
    """The payment with a session that exists at the provider, not yet committed.

    Commits on the way what must be on record before the provider is asked. A failure that the
    provider would replay for ever ends this generation, so that the next try asks under a new key.
    Raises VersionConflictError, ProviderUnavailableError, ProviderRejectedError.
    """
    session = payment.current_session
    if session and session.id is None and session.expires_at < now + _SHORTEST_LIFE:
        payment = payment.with_session(replace(session, ended=True))
        session = None
    if session is None or session.ended:
        customer = None
        if payment.customer_id is not None:
            customer = customers.find(payment.organization_id, payment.mode, payment.customer_id)
        session = provider.prepare_session(payment, customer, now)
        payment = payments.commit(Commit(payment.with_session(session)))
    if session.id is not None:
        return payment
    try:
        return payment.with_session(provider.create_session(session))
    except ProviderUnavailableError as error:
        if error.outcome_stored:
            payments.commit(Commit(payment.with_session(replace(session, ended=True))))
        raise
