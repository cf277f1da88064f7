"""Gives the buyer of a link a hosted checkout: the one that lives, or the next one."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from paylink.domain.errors import (
    PaymentNotFoundError,
    ProviderSessionGoneError,
    StateConflictError,
)
from paylink.domain.payment import CheckoutSession, Payment, announce
from paylink.domain.tax import Place
from paylink.ports import (
    Clock,
    Commit,
    CustomerRepository,
    OrganizationRepository,
    PaymentProvider,
    PaymentRepository,
    Providers,
    SessionNotOpenError,
    VersionConflictError,
)
from paylink.services.checkout_sessions import obtain_session
from paylink.services.end_sessions import end_sessions
from paylink.services.own_tax import Told, with_known_tax, with_told_tax
from paylink.services.settle_payment import back_off, settle_payment
from paylink.services.view_link import LinkView

_ATTEMPTS = 6
_MOST_CORRECTED = 100
"""Anybody with the link may correct, and a payment that outgrows the table could not be settled."""


def open_checkout(
    payment_id: str,
    told: Told | None = None,
    reads: str | None = None,
    *,
    payments: PaymentRepository,
    customers: CustomerRepository,
    organizations: OrganizationRepository,
    providers: Providers,
    clock: Clock,
) -> str | LinkView:
    """Where the buyer goes on: a live checkout if the link can still be paid, else the link itself.

    Where the tax depends on what the buyer has to say (``told``), and that is missing or can't be,
    it is the page that asks for it. Whoever says that they are elsewhere than they said before gets
    another checkout in place of the one that lives.

    ``reads`` is the language that they read, if known: kept with a checkout that is made, for the
    documents. Where one lives already nothing is written, and so it isn't kept.

    Raises PaymentNotFoundError, ProviderUnavailableError, ProviderRejectedError,
    TaxCalculationError and, when others kept changing the payment, StateConflictError.
    """
    for attempt in range(_ATTEMPTS):
        payment = payments.get(payment_id)
        if payment is None or payment.kind != "link":
            raise PaymentNotFoundError()
        now = clock()
        session = payment.current_session
        live = session is not None and session.open_at(now)
        corrects = (
            told is not None and payment.asks_place and len(payment.sessions) < _MOST_CORRECTED
        )
        if not payment.payable(now) or (live and not corrects):
            return _destination(payment, now)
        provider = providers.account(payment.organization_id, payment.mode)
        if live:
            taxed = _taxed(payment, told, customers, organizations)
            if isinstance(taxed, LinkView):
                return taxed
            if _place(taxed) == _place(payment):
                return _destination(payment, now)
            try:
                payment = _withdrawn(payment, payments, provider, clock)
            except (SessionNotOpenError, VersionConflictError):
                back_off(attempt)
                continue
            if not payment.payable(now):
                return _destination(payment, now)
            session = payment.current_session
        if session and session.id and not session.ended:
            # Past its time by our clock, yet it may have been paid in the last moment.
            try:
                settled = settle_payment(
                    payment_id,
                    session.id,
                    cause="pay_page",
                    payments=payments,
                    provider=provider,
                    clock=clock,
                )
            except ProviderSessionGoneError:
                with suppress(VersionConflictError):
                    payments.commit(Commit(payment.with_session(replace(session, ended=True))))
                continue
            if settled.state.session_status == "open":
                return _destination(settled.payment, now)
            continue
        if payment.tax_mode == "rates" and not (session and _unfinished(session, now)):
            taxed = _taxed(payment, told, customers, organizations)
            if isinstance(taxed, LinkView):
                return taxed
            payment = taxed
        if reads is not None:
            payment = replace(payment, buyer_language=reads)
        try:
            payment = obtain_session(
                payment,
                keep=lambda changed: payments.commit(Commit(changed)),
                customers=customers,
                provider=provider,
                now=now,
            )
            change = announce(payment, now, "pay_page")
            return _destination(payments.commit(Commit(change.after, change.events)), now)
        except VersionConflictError:
            back_off(attempt)
    raise StateConflictError()


def _place(payment: Payment) -> Place | None:
    return payment.tax.place if payment.tax else None


def _withdrawn(
    payment: Payment, payments: PaymentRepository, provider: PaymentProvider, clock: Clock
) -> Payment:
    """The payment without a checkout, because the buyer took back where they said they are."""
    payment = end_sessions(
        payment, cause="pay_page", payments=payments, provider=provider, clock=clock
    )
    return replace(payment, sessions=tuple(replace(s, ended=True) for s in payment.sessions))


def _unfinished(session: CheckoutSession, now: datetime) -> bool:
    """Whether it was asked for and may come yet: it will be of the tax that it was asked with."""
    return not session.ended and session.id is None and now < session.expires_at


def _taxed(
    payment: Payment,
    told: Told | None,
    customers: CustomerRepository,
    organizations: OrganizationRepository,
) -> Payment | LinkView:
    """The payment with its tax: what the seller has on record of a customer counts more than what
    the buyer says."""
    seller = organizations.get(payment.organization_id)
    if seller is None:
        raise PaymentNotFoundError()
    customer = None
    if payment.customer_id is not None:
        customer = customers.find(payment.organization_id, payment.mode, payment.customer_id)
    known = with_known_tax(payment, seller, customer)
    if known is not payment:
        return known
    if not payment.asks_place:
        return payment  # the record told once
    answered = with_told_tax(payment, seller, told)
    if isinstance(answered, Payment):
        return answered
    return LinkView("payable", payment, seller, can_pay=True, form=answered)


def _destination(payment: Payment, now: datetime) -> str:
    """A session may outlive its link, which then says itself that it is over."""
    session = payment.current_session
    live = session if session and not session.ended else None
    url = live.url if live and payment.payable(now) else payment.url
    return url or ""
