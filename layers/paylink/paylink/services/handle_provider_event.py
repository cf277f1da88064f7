"""What a provider's webhook leads to: find the payment that it is about, and look at its money."""

from __future__ import annotations

import logging

from paylink.domain.errors import (
    ProviderRejectedError,
    ProviderSessionGoneError,
    UnknownPaymentError,
)
from paylink.domain.organization import Mode
from paylink.domain.payment import CheckoutMismatchError, Payment, paying_transaction_id
from paylink.domain.provider_event import ProviderEvent
from paylink.metrics import WEBHOOK_LAG, Measure, Metrics
from paylink.ports import Clock, PaymentProvider, PaymentRepository, Providers
from paylink.services.refund_transaction import sync_refunds
from paylink.services.settle_charge import settle_charge
from paylink.services.settle_payment import settle_payment
from paylink.services.sync_disputes import sync_disputes

logger = logging.getLogger(__name__)


def handle_provider_event(
    event: ProviderEvent | None,
    *,
    organization_id: str,
    mode: Mode,
    deployment_id: str,
    payments: PaymentRepository,
    providers: Providers,
    metrics: Metrics,
    clock: Clock,
) -> str:
    """Settles the payment of an event of ours; returns in a word what was done.

    ``organization_id`` and ``mode`` are those whose secret signed the event. An event of somebody
    else's is ignored; one of ours whose payment can't be seen yet raises UnknownPaymentError, so
    that it comes again.
    """
    if event is None:
        return "ignored: not about a payment"
    if event.mode != mode or event.organization_id not in {None, organization_id}:
        return "ignored: another organization's or mode's"
    if event.deployment_id not in {None, deployment_id}:
        return "ignored: another deployment's"
    payment_id = event.payment_id if event.deployment_id is not None else None
    if payment_id is None and event.payment_intent_id is not None:
        owned = paying_transaction_id(organization_id, mode, event.payment_intent_id)
        paid_by = payments.transaction(owned)
        payment_id = paid_by.payment_id if paid_by else None
    if payment_id is None and event.about_money_that_came:
        payment_id = _by_its_intent(event, organization_id, mode, deployment_id, providers)
    if payment_id is None:
        return "ignored: not ours"
    payment = payments.get(payment_id)
    if payment is None:
        if event.about_an_end:
            return "ignored: its link was never made"
        raise UnknownPaymentError()
    if (payment.organization_id, payment.mode) != (organization_id, mode):
        return "ignored: another organization's or mode's"
    if any(entry.cause == event.id for entry in payment.history):
        return "seen before"
    provider = providers.account(organization_id, mode)
    if not event.about_money_that_came:
        moved, outcome = _settle(event, payment, payments, provider, clock)
        if any(entry.cause == event.id for entry in moved.history):
            lag = (clock() - event.at).total_seconds()
            metrics(Measure(WEBHOOK_LAG, lag, {"mode": mode}))
        return outcome
    if payment.transaction_of_intent(event.payment_intent_id) is None:
        # The money went back, or is disputed, before we heard that it came.
        payment, _ = _settle(event, payment, payments, provider, clock)
    transaction_id = payment.transaction_of_intent(event.payment_intent_id)
    if transaction_id is None:
        return "ignored: no money of this payment"
    if event.about_disputes:
        sync_disputes(payment_id, transaction_id, payments=payments, provider=provider, clock=clock)
        return "disputes"
    sync_refunds(payment_id, transaction_id, payments=payments, provider=provider, clock=clock)
    return "refunds"


def _by_its_intent(
    event: ProviderEvent,
    organization_id: str,
    mode: Mode,
    deployment_id: str,
    providers: Providers,
) -> str | None:
    """The payment of money that we haven't heard of yet, by our marks on its payment intent.

    Refunds made in the provider's dashboard and disputes bear no mark of ours themselves.
    """
    if event.payment_intent_id is None:
        return None
    provider = providers.account(organization_id, mode)
    try:
        marks = provider.marks_of_payment_intent(event.payment_intent_id)
    except ProviderRejectedError:
        return None
    mine = (marks.organization_id, marks.deployment_id) == (organization_id, deployment_id)
    return marks.payment_id if mine else None


def _settle(
    event: ProviderEvent,
    payment: Payment,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
) -> tuple[Payment, str]:
    """The payment as it is then, and in a word what was done."""
    if payment.kind == "charge":
        return _settle_charge(event, payment, payments, provider, clock)
    session_id = _session_of(event, payment, provider)
    if session_id is None:
        return payment, "ignored: no session"
    if payment.settled_by(session_id):
        # A payment is told of twice, by its checkout and by its intent: the second isn't asked for.
        return payment, payment.status
    try:
        settled = settle_payment(
            payment.id,
            session_id,
            cause=event.id,
            payments=payments,
            provider=provider,
            clock=clock,
            known=payment,
        )
    except ProviderSessionGoneError:
        logger.error(  # noqa: TRY400 - the message says it all
            "an event claims a payment by a checkout that is not there",
            extra={"event_id": event.id, "payment_id": payment.id},
        )
        return payment, "refused: does not match"
    except CheckoutMismatchError as error:
        if payment.session_named(session_id) is None and any(
            session.id is None and not session.ended and clock() < session.expires_at
            for session in payment.sessions
        ):
            # Asked for, but its id isn't on record yet: it may be this very one, so look again.
            raise UnknownPaymentError() from None
        logger.error(  # noqa: TRY400 - the message says it all
            "an event claims a payment that its checkout does not match",
            extra={"event_id": event.id, "payment_id": payment.id, "reason": str(error)},
        )
        return payment, "refused: does not match"
    return settled.payment, settled.payment.status


def _settle_charge(
    event: ProviderEvent,
    payment: Payment,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
) -> tuple[Payment, str]:
    if event.session_id is not None or event.payment_intent_id is None:
        return payment, "ignored: a charge has no checkout"
    if payment.settled_by(event.payment_intent_id):
        return payment, payment.status
    try:
        settled = settle_charge(
            payment.id,
            event.payment_intent_id,
            cause=event.id,
            payments=payments,
            provider=provider,
            clock=clock,
        )
    except CheckoutMismatchError as error:
        logger.error(  # noqa: TRY400 - the message says it all
            "an event claims a charge that its payment intent does not match",
            extra={"event_id": event.id, "payment_id": payment.id, "reason": str(error)},
        )
        return payment, "refused: does not match"
    return settled, settled.status


def _session_of(event: ProviderEvent, payment: Payment, provider: PaymentProvider) -> str | None:
    if event.session_id is not None:
        return event.session_id
    settlement = payment.settlement
    if settlement and settlement.payment_intent_id == event.payment_intent_id:
        return settlement.session_id
    if event.payment_intent_id is None:
        return None
    return provider.session_of_payment_intent(event.payment_intent_id)
