"""Charges a customer's vaulted payment method, once, however often the call is repeated.

One write claims the idempotency key, keeps the pending payment, and takes the customer's lease;
the tax is calculated; one write keeps the exact parameters; then the provider is asked for the
money; then one write keeps outcome and answer. A retry first looks whether the money was asked for
already.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from paylink.domain.charge import ChargeState, failure_details, refuse
from paylink.domain.customer import Buyer, Customer, PaymentMethod
from paylink.domain.errors import (
    ChargeInProgressError,
    CustomerNotFoundError,
    IdempotencyInProgressError,
    NoPaymentMethodError,
    PaylinkError,
    PaymentFailedError,
    ProviderCustomerGoneError,
    ProviderRejectedError,
    ProviderUnavailableError,
    StateConflictError,
    TaxCalculationError,
    ValidationError,
)
from paylink.domain.money import currency_named
from paylink.domain.organization import Address
from paylink.domain.payment import ChargeTerms, CheckoutSession, Payment
from paylink.domain.tax import LOCATION_UNKNOWN
from paylink.ports import (
    ChargeLease,
    Commit,
    IdempotencyRecord,
    KeyInUseError,
    PaymentProvider,
    VersionConflictError,
)
from paylink.services.idempotency import IdempotentRequest, resume
from paylink.services.payment_requests import (
    Answer,
    NewPayment,
    PaymentPorts,
    Requester,
    payment_of,
    stored,
)
from paylink.services.provider_customers import with_provider_customer, without_gone
from paylink.services.settle_charge import settle_charge

_CAUSE = "charge"


@dataclass(frozen=True, kw_only=True)
class NewCharge(NewPayment):
    """A validated request for a charge."""

    customer: str


def charge_payment(
    charge: NewCharge,
    requester: Requester,
    request: IdempotentRequest | None,
    ports: PaymentPorts,
    *,
    lease: timedelta,
) -> Answer:
    """Takes the money or says why not, or answers as before if this request was answered before.

    ``lease`` is the longest that this run can last: for so long no other charge of the customer is
    begun. Raises CustomerNotFoundError, NoPaymentMethodError, ChargeInProgressError, the
    idempotency conflicts, ProviderRejectedError (nothing is kept then) and ProviderUnavailableError
    (retry with the same key).
    """
    now = ports.clock()
    record = request.record(requester.organization.id, requester.mode, now) if request else None
    try:
        try:
            payment = _draft(charge, requester, ports)
            if record is not None:
                record = replace(record, payment_id=payment.id)
            held = _lease(payment, lease, ports)
            ports.payments.add(payment, record, held)
        except (CustomerNotFoundError, NoPaymentMethodError, ChargeInProgressError) as error:
            if record is not None:
                response = stored(ports.failure(error))
                ports.idempotency.claim(replace(record, payment_id=None, response=response), now)
            raise
    except KeyInUseError as taken:
        if record is None:
            raise
        return _resume(taken.record, record, lease, ports)
    except ValidationError:
        # What was good at the first request may not be any more: the answer still stands.
        found = ports.idempotency.find(record, now) if record else None
        if record is None or found is None:
            raise
        return _resume(found, record, lease, ports)
    return _finish(payment, record, held, ports)


def _draft(charge: NewCharge, requester: Requester, ports: PaymentPorts) -> Payment:
    customer = ports.customers.find(requester.organization.id, requester.mode, charge.customer)
    if customer is None:
        raise CustomerNotFoundError(param="customerId")
    method = _default_method(customer, ports)
    if method is None or customer.provider_customer_id is None:
        raise NoPaymentMethodError()
    payment = payment_of(charge, "charge", requester, customer, ports.clock())
    buyer, tax = Buyer(email=customer.email, name=customer.full_name), payment.tax
    if tax is not None:
        tax_ids = tax.place.tax_ids if tax.place else ()
        buyer = replace(
            buyer, address=customer.address or Address(), tax_ids=tax_ids or customer.tax_ids
        )
    terms = ChargeTerms(
        provider_customer_id=customer.provider_customer_id,
        payment_method=method,
        buyer=buyer,
        tax_lines=tax.lines if tax else (),
    )
    return replace(payment, charge=terms)


def _default_method(customer: Customer, ports: PaymentPorts) -> PaymentMethod | None:
    vaulted = ports.customers.payment_methods(customer)
    return next(
        (v.method for v in vaulted if v.method.key == customer.default_payment_method), None
    )


def _lease(payment: Payment, lease: timedelta, ports: PaymentPorts) -> ChargeLease:
    return ChargeLease(
        organization_id=payment.organization_id,
        mode=payment.mode,
        customer_id=payment.customer_id or "",
        payment_id=payment.id,
        until=ports.clock() + lease,
    )


def _resume(
    found: IdempotencyRecord, record: IdempotencyRecord, lease: timedelta, ports: PaymentPorts
) -> Answer:
    ours = resume(found, record, ports.idempotency, ports.clock())
    if ours.response is not None:
        return Answer(ours.response.status, ours.response.body, replayed=True)
    payment = ports.payments.get(ours.payment_id) if ours.payment_id else None
    if payment is None:
        raise IdempotencyInProgressError()
    held = _lease(payment, lease, ports)
    try:
        ports.payments.hold(held, ports.clock())
    except ChargeInProgressError:
        # Not this request's last word: its money may have been taken.
        ports.idempotency.release(ours, ports.clock())
        raise
    return _finish(payment, ours, held, ports)


def _finish(
    payment: Payment, record: IdempotencyRecord | None, held: ChargeLease, ports: PaymentPorts
) -> Answer:
    # Without a key the caller can't ask again for this very charge. So as long as nobody knows
    # whether it took the money, the lease keeps a second one from being made in its place.
    known = True
    try:
        provider = ports.providers.account(payment.organization_id, payment.mode)
        settled = _settled(payment, record, provider, ports)
    except (ProviderUnavailableError, StateConflictError):
        known = record is not None
        if record is not None:
            ports.idempotency.release(record, ports.clock())
        raise
    except VersionConflictError:
        # Somebody else is finishing this charge; the retry gets what they made of it.
        raise IdempotencyInProgressError() from None
    finally:
        if known:
            with suppress(StateConflictError):  # it ends by itself
                ports.payments.let_go(held)
    return _answer(settled, ports)


def _settled(
    payment: Payment,
    record: IdempotencyRecord | None,
    provider: PaymentProvider,
    ports: PaymentPorts,
) -> Payment:
    """The charge with its outcome, committed together with the answer."""

    def answered(after: Payment) -> IdempotencyRecord | None:
        return replace(record, response=stored(_answer(after, ports))) if record else None

    if payment.status != "pending":  # a webhook was faster than this retry
        answer = answered(payment)
        return ports.payments.commit(Commit(payment, answered=answer)) if answer else payment
    try:
        seen = _asked(payment, record, provider, ports)
    except TaxCalculationError as error:
        code = error.provider_code or "tax_calculation_failed"
        change = refuse(payment, code, error.message, ports.clock(), _CAUSE)
        return ports.payments.commit(
            Commit(change.after, change.events, answered=answered(change.after))
        )
    return settle_charge(
        payment.id,
        seen[1].intent_id,
        cause=_CAUSE,
        payments=ports.payments,
        provider=provider,
        clock=ports.clock,
        seen=seen,
        answered=answered,
    )


def _asked(
    payment: Payment,
    record: IdempotencyRecord | None,
    provider: PaymentProvider,
    ports: PaymentPorts,
) -> tuple[Payment, ChargeState]:
    """The payment with its intent's state: that of an earlier run if there is one."""
    found = _found(payment, provider)
    if found is not None:
        return payment, found
    try:
        payment, session = _prepared(payment, provider, ports)
        try:
            return payment, provider.create_charge(session)
        except ProviderUnavailableError as error:
            if error.outcome_stored:
                # Asked under this key, the provider would answer so for ever. Whether it took the
                # money the retry finds out before it asks under the next one.
                ended = payment.with_session(replace(session, ended=True))
                with suppress(VersionConflictError):
                    ports.payments.commit(Commit(ended))
            raise
    except (NoPaymentMethodError, ProviderRejectedError) as error:
        _take_back(payment, record, error, ports)
        raise


def _found(payment: Payment, provider: PaymentProvider) -> ChargeState | None:
    session = payment.current_session
    if session is None:
        return None
    try:
        if session.id is not None:
            return provider.fetch_charge(session.id)
        return provider.find_charge(payment)
    except ProviderRejectedError as error:
        # Not being told isn't being told that there is none.
        raise ProviderUnavailableError() from error


def _prepared(
    payment: Payment, provider: PaymentProvider, ports: PaymentPorts
) -> tuple[Payment, CheckoutSession]:
    """The payment intent to ask for, on record with its exact parameters."""
    now = ports.clock()
    session = payment.current_session
    if session is not None and not session.ended:
        if now < session.expires_at:
            return payment, session
        payment = payment.with_session(replace(session, ended=True))
    if payment.charge is not None and payment.tax_status == "pending":
        payment = _taxed(payment, payment.charge, provider, ports)
    session = provider.prepare_charge(payment, now)
    return ports.payments.commit(Commit(payment.with_session(session))), session


def _taxed(
    payment: Payment, terms: ChargeTerms, provider: PaymentProvider, ports: PaymentPorts
) -> Payment:
    if payment.awaits_place:
        raise TaxCalculationError(provider_code=LOCATION_UNKNOWN)
    customer = ports.customers.find(
        payment.organization_id, payment.mode, payment.customer_id or ""
    )
    if customer is not None and customer.provider_stale:
        customer = with_provider_customer(
            customer, customers=ports.customers, provider=provider, now=ports.clock()
        )
    if customer is None or customer.provider_customer_id != terms.provider_customer_id:
        raise NoPaymentMethodError()
    try:
        tax = provider.calculate_tax(payment, customer)
    except ProviderCustomerGoneError as gone:
        without_gone(
            customer, gone.provider_customer_id, customers=ports.customers, now=ports.clock()
        )
        raise NoPaymentMethodError() from gone
    currency = currency_named(payment.currency)
    if (payment.amount_subtotal + tax.tax_amount) % currency.step:
        # The provider's tax has the smallest units, which its own charges refuse.
        raise TaxCalculationError(
            f"The total with tax can't be charged in {currency.code.upper()}: it must be a "
            f"multiple of {currency.step} minor units.",
            provider_code="total_not_chargeable",
        )
    buyer = replace(terms.buyer, address=tax.address, tax_ids=tax.tax_ids or customer.tax_ids)
    return replace(
        payment,
        tax_amount=tax.tax_amount,
        tax_status=tax.status,
        charge=replace(terms, buyer=buyer, tax_calculation_id=tax.id, tax_lines=tax.lines),
    )


def _take_back(
    payment: Payment,
    record: IdempotencyRecord | None,
    error: PaylinkError,
    ports: PaymentPorts,
) -> None:
    """Nothing was made at the provider, so nothing is kept but an answer that is to be repeated.

    What was asked for before under another key is another matter: its news must find the payment.
    """
    kept = ports.payments.get(payment.id)
    if kept is None or kept.status != "pending" or len(kept.sessions) > 1:
        return
    with suppress(VersionConflictError, KeyInUseError):  # somebody else is dealing with it
        ports.payments.remove(kept, record)
        if record is not None and error.status == NoPaymentMethodError.status:
            response = stored(ports.failure(error))
            answered = replace(record, payment_id=None, response=response)
            ports.idempotency.claim(answered, ports.clock())


def _answer(payment: Payment, ports: PaymentPorts) -> Answer:
    if payment.status == "failed":
        error = PaymentFailedError(payment.failure_message, details=dict(failure_details(payment)))
        return ports.failure(error)
    return ports.payment(payment)
