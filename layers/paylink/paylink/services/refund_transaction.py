"""Sends money back once, however often the call is repeated, and keeps up with the provider.

The provider is asked which refunds there are; a new one is kept here first, then the provider is
asked for it. A retry finds by our mark what an earlier run was not told of.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from paylink.domain.errors import (
    DuplicateError,
    ProviderRejectedError,
    ProviderUnavailableError,
    ProviderUnsupportedError,
    StateConflictError,
    TransactionNotFoundError,
    UnknownPaymentError,
    ValidationError,
)
from paylink.domain.ids import derived_id, new_id
from paylink.domain.organization import Owner
from paylink.domain.payment import Payment, Refund, Transaction
from paylink.domain.refund import (
    REFUNDABLE,
    RefundState,
    newly_failed,
    observe_refunds,
    refund_of,
    with_refund,
    without_refund,
)
from paylink.ports import (
    Clock,
    Commit,
    PaymentProvider,
    PaymentRepository,
    Providers,
    VersionConflictError,
)
from paylink.services.settle_payment import back_off
from paylink.services.transactions import read_transaction

_ATTEMPTS = 8
_ALREADY = "charge_already_refunded"
_DISPUTED = "charge_disputed"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NewRefund:
    """A validated request; ``amount`` in minor units, None for all that is left."""

    amount: int | None = None
    reason: str | None = None


def refund_transaction(
    transaction_id: str,
    wanted: NewRefund,
    seed: str | None,
    owner: Owner,
    *,
    payments: PaymentRepository,
    providers: Providers,
    clock: Clock,
) -> tuple[Refund, Transaction]:
    """The refund, which may still be pending or have failed, and its transaction.

    Under the same seed it is the same refund. Raises TransactionNotFoundError, ValidationError,
    DuplicateError (all of it went back), ProviderUnsupportedError (the buyer's bank disputes the
    payment), ProviderRejectedError and ProviderUnavailableError (retry with the same seed).
    """
    found = read_transaction(transaction_id, owner, payments)
    if found.status not in REFUNDABLE or found.payment_intent_id is None:
        raise ValidationError.of(
            "transactionId", f"Only money that came can be refunded; this one is {found.status}."
        )
    asked = "" if wanted.amount is None else str(wanted.amount)
    refund_id = derived_id("ref", found.id, seed, asked) if seed else new_id("ref")
    provider = providers.account(*owner)
    for attempt in range(_ATTEMPTS):
        try:
            payment, transaction = _synced(found.payment_id, found.id, payments, provider, clock)
            refund = payment.refund_named(refund_id)
            if refund is None:
                refund = refund_of(
                    payment, transaction, refund_id, wanted.amount, wanted.reason, clock()
                )
                payment = payments.commit(Commit(with_refund(payment, refund)))
            if refund.provider_id is None:
                state = _asked(payment, transaction, refund, seed, payments, provider)
                payment, transaction = _moved(payment, transaction, [state], payments, clock)
                refund = payment.refund_named(refund_id) or refund
        except VersionConflictError:
            back_off(attempt)
            continue
        return refund, transaction
    raise StateConflictError()


def sync_refunds(
    payment_id: str,
    transaction_id: str,
    *,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
) -> Payment:
    """Moves the refunds of a transaction to where the provider says they are.

    Raises UnknownPaymentError, ProviderUnavailableError, and StateConflictError when others kept
    changing the payment.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _synced(payment_id, transaction_id, payments, provider, clock)[0]
        except VersionConflictError:
            back_off(attempt)
    raise StateConflictError()


def _synced(
    payment_id: str,
    transaction_id: str,
    payments: PaymentRepository,
    provider: PaymentProvider,
    clock: Clock,
) -> tuple[Payment, Transaction]:
    # The payment is read before all else: its version says whether the rest is still true.
    payment = payments.get(payment_id, with_invoice=True)
    if payment is None:
        raise UnknownPaymentError()
    transaction = payments.transaction(transaction_id)
    if transaction is None:
        raise TransactionNotFoundError()
    try:
        states = provider.refunds_of(transaction.payment_intent_id or "")
    except ProviderRejectedError as error:
        # Not being told isn't being told that there are none.
        raise ProviderUnavailableError() from error
    return _moved(payment, transaction, states, payments, clock)


def _moved(
    payment: Payment,
    transaction: Transaction,
    states: Sequence[RefundState],
    payments: PaymentRepository,
    clock: Clock,
) -> tuple[Payment, Transaction]:
    change = observe_refunds(payment, transaction, states, clock())
    if change is None:
        return payment, transaction
    committed = payments.commit(Commit(change.after, change.events, change.transaction))
    for refund in newly_failed(change.before, change.after):
        logger.error(
            "a refund failed after it was made: the buyer has not got this money",
            extra={
                "payment_id": payment.id,
                "transaction_id": transaction.id,
                "refund_id": refund.id,
                "refund_status": refund.status,
            },
        )
    logger.info(
        "refunds moved",
        extra={
            "payment_id": payment.id,
            "transaction_id": transaction.id,
            "amount_refunded": committed.amount_refunded,
        },
    )
    return committed, change.transaction or transaction


def _asked(
    payment: Payment,
    transaction: Transaction,
    refund: Refund,
    seed: str | None,
    payments: PaymentRepository,
    provider: PaymentProvider,
) -> RefundState:
    try:
        return provider.create_refund(payment, transaction, refund)
    except ProviderUnavailableError as error:
        if seed is None:
            # Nobody can come back to this one; if it was made, the provider tells of it.
            _put(without_refund(payment, refund.id), payments)
        elif error.outcome_stored:
            # Asked under this key, the provider would answer so for ever.
            again = replace(refund, generation=refund.generation + 1)
            _put(with_refund(payment, again), payments)
        raise
    except ProviderRejectedError as error:
        _put(without_refund(payment, refund.id), payments)
        if error.provider_code == _ALREADY:
            raise DuplicateError("This transaction has been refunded in full.") from error
        if error.provider_code == _DISPUTED:
            raise ProviderUnsupportedError(
                "The buyer's bank disputes this payment, so it can't be refunded."
            ) from error
        raise


def _put(payment: Payment, payments: PaymentRepository) -> None:
    with suppress(VersionConflictError):  # a retry comes to the same end
        payments.commit(Commit(payment))
