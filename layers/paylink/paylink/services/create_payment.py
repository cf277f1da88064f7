"""Makes a payment link: one payment and one provider session, however often the call is repeated.

One write claims the idempotency key and keeps a draft there, with the parameters to be sent; then
the provider is asked; then one write makes the payment. Whatever fails in between leaves a draft
that the retry completes. Where no retry comes, or there is no key, at most a session is left that
nobody has the address of, and that ends by itself.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from paylink.domain.errors import (
    CustomerNotFoundError,
    IdempotencyInProgressError,
    PaylinkError,
    ProviderRejectedError,
    ProviderUnavailableError,
    TaxCalculationError,
    ValidationError,
)
from paylink.domain.payment import Payment, announce, as_made
from paylink.ports import (
    Commit,
    IdempotencyRecord,
    KeyInUseError,
    SessionNotOpenError,
    VersionConflictError,
)
from paylink.services.checkout_sessions import obtain_session
from paylink.services.estimate_tax import estimating
from paylink.services.idempotency import IdempotentRequest, matches, resume
from paylink.services.payment_requests import (
    Answer,
    NewPayment,
    PaymentPorts,
    Requester,
    payment_of,
    stored,
)
from paylink.services.provider_customers import has_provider_customer

SHORTEST_LIFETIME = timedelta(minutes=30)
LONGEST_LIFETIME = timedelta(days=365)
_CAUSE = "create"
_KEPT = frozenset({CustomerNotFoundError.status, TaxCalculationError.status})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class NewLink(NewPayment):
    """A validated request for a link."""

    success_url: str | None = None
    expires_at: datetime | None = None


def create_payment(
    link: NewLink,
    requester: Requester,
    request: IdempotentRequest | None,
    ports: PaymentPorts,
    *,
    public_base_url: str,
    default_lifetime: timedelta,
) -> Answer:
    """Creates a link, or answers as before if this request was answered before.

    Raises ValidationError, CustomerNotFoundError, the idempotency conflicts, ProviderRejectedError
    and TaxCalculationError (no payment is kept then), and ProviderUnavailableError (retry with the
    same key).
    """
    now = ports.clock()
    record = request.record(requester.organization.id, requester.mode, now) if request else None
    if record is None:
        draft = _draft(link, requester, ports, public_base_url, default_lifetime)
        return _finish(draft, None, ports)
    try:
        try:
            draft = _draft(link, requester, ports, public_base_url, default_lifetime)
            record = replace(record, payment_id=draft.id, draft=ports.payments.drafted(draft))
            ports.idempotency.claim(record, now)
        except CustomerNotFoundError as error:
            ports.idempotency.claim(replace(record, response=stored(ports.failure(error))), now)
            raise
    except KeyInUseError as taken:
        return _resume(taken.record, record, ports)
    except ValidationError:
        # What was in time at the first request may not be any more: the answer still stands.
        found = ports.idempotency.find(record, now)
        if found is None:
            raise
        return _resume(found, record, ports)
    return _finish(draft, record, ports)


def _draft(
    link: NewLink,
    requester: Requester,
    ports: PaymentPorts,
    public_base_url: str,
    default_lifetime: timedelta,
) -> Payment:
    organization, mode = requester.organization, requester.mode
    customer = None
    if link.customer is not None:
        customer = ports.customers.find(organization.id, mode, link.customer)
        if customer is None:
            raise CustomerNotFoundError(param="customerId")
    days = organization.link_lifetime_days
    lifetime = default_lifetime if days is None else timedelta(days=days)
    now = ports.clock()
    if link.expires_at is not None and not (
        SHORTEST_LIFETIME <= link.expires_at - now <= LONGEST_LIFETIME
    ):
        raise ValidationError.of("expiresAt", "It must be 30 minutes to 1 year ahead.")
    payment = payment_of(link, "link", requester, customer, now)
    payment = replace(
        payment,
        success_url=link.success_url,
        url=f"{public_base_url}/pay/{payment.id}",
        expires_at=link.expires_at or now + lifetime,
    )
    if payment.awaits_place:
        return payment  # the buyer is asked first, on our own page
    provider = ports.providers.account(organization.id, mode)
    if customer is not None and not has_provider_customer(customer):
        return payment  # the provider is asked for the customer first, once the key is claimed
    return payment.with_session(provider.prepare_session(payment, customer, now))


def _resume(found: IdempotencyRecord, record: IdempotencyRecord, ports: PaymentPorts) -> Answer:
    if matches(found, record) and found.response is None and found.payment_id is not None:
        made = ports.payments.get(found.payment_id)
        if made is not None:
            return replace(ports.payment(as_made(made)), replayed=True)
    ours = resume(found, record, ports.idempotency, ports.clock())
    if ours.response is not None:
        return Answer(ours.response.status, ours.response.body, replayed=True)
    if ours.draft is None:
        raise IdempotencyInProgressError()
    return _finish(ports.payments.of_draft(ours.draft), ours, ports)


def _finish(payment: Payment, record: IdempotencyRecord | None, ports: PaymentPorts) -> Answer:
    """Gets the payment its session, and puts it on record, with the answer where need be."""
    try:
        # A retry may come after the end.
        if payment.payable(ports.clock()) and not payment.awaits_place:
            payment = _with_session(payment, record, ports)
        change = announce(payment, ports.clock(), _CAUSE)
        answer = ports.payment(change.after)
        # An answer that follows from the payment for good is not kept.
        follows = answer == ports.payment(as_made(change.after))
        answered = None if record is None or follows else _answered(record, answer)
        ports.payments.commit(
            Commit(change.after, new=True, events=change.events, answered=answered)
        )
    except (ProviderRejectedError, TaxCalculationError, CustomerNotFoundError) as error:
        _take_back(payment, record, error, ports)
        raise
    except ProviderUnavailableError:
        if record is not None:
            ports.idempotency.release(record, ports.clock())
        raise
    except VersionConflictError:
        # Somebody else is making this link; the retry gets what they made of it.
        raise IdempotencyInProgressError() from None
    logger.info("link made", extra={"payment_id": payment.id})
    return answer


def _with_session(
    payment: Payment, record: IdempotencyRecord | None, ports: PaymentPorts
) -> Payment:
    def keep(changed: Payment) -> Payment:
        if record is not None:
            newer = replace(record, draft=ports.payments.drafted(changed))
            if not ports.idempotency.take_over(record, newer):
                raise VersionConflictError
        return changed

    with estimating(payment, customers=ports.customers, providers=ports.providers) as estimate:
        payment = obtain_session(
            payment,
            keep=keep,
            customers=ports.customers,
            provider=ports.providers.account(payment.organization_id, payment.mode),
            now=ports.clock(),
        )
        return estimate.put_on(payment)


def _answered(record: IdempotencyRecord, answer: Answer) -> IdempotencyRecord:
    return replace(record, response=stored(answer), draft=None)


def _take_back(
    payment: Payment, record: IdempotencyRecord | None, error: PaylinkError, ports: PaymentPorts
) -> None:
    """No payment is made, so nothing is kept but an answer that is to be repeated."""
    for session in payment.sessions:
        # Nobody has its address; but neither shall it stay open for somebody who is being erased.
        if session.id is not None and not session.ended:
            with suppress(SessionNotOpenError, PaylinkError):
                provider = ports.providers.account(payment.organization_id, payment.mode)
                provider.expire_session(session.id)
    if record is None:
        return
    if error.status in _KEPT:
        ports.idempotency.answer(_answered(record, ports.failure(error)))
    else:
        ports.idempotency.forget(record)
