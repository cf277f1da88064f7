"""What Stripe's tax will probably come to, while the link is being made: the checkout decides.

The estimate is made beside the session, so the caller waits for the slower of the two at most, and
a little longer only. It is a courtesy: without it the link is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace

from paylink.domain.charge import TaxCalculation
from paylink.domain.payment import Payment
from paylink.ports import CustomerRepository, Providers

_PATIENCE_SECONDS = 2.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Estimate:
    """An estimate that is being made, or none that could be."""

    _calculation: Future[TaxCalculation | None] | None = None

    def put_on(self, payment: Payment) -> Payment:
        """The payment with the estimate, if it came, unless better is known by now."""
        if self._calculation is None or payment.tax_status != "pending":
            return payment
        try:
            calculation = self._calculation.result(_PATIENCE_SECONDS)
        except Exception as error:  # the link is there, whatever went wrong beside it
            _log(payment, error)
            return payment
        if calculation is None:
            return payment
        status = "estimated" if calculation.status == "final" else calculation.status
        return replace(payment, tax_amount=calculation.tax_amount, tax_status=status)


@contextmanager
def estimating(
    payment: Payment, *, customers: CustomerRepository, providers: Providers
) -> Iterator[Estimate]:
    """Begins the estimate for a customer on record; what is slow is not waited for at the end."""
    if payment.tax_mode != "stripe" or payment.customer_id is None:
        yield Estimate()
        return
    pool = ThreadPoolExecutor(1)
    try:
        yield Estimate(pool.submit(_calculate, payment, customers, providers))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _calculate(
    payment: Payment, customers: CustomerRepository, providers: Providers
) -> TaxCalculation | None:
    owner = payment.organization_id, payment.mode
    customer = customers.find(*owner, payment.customer_id or "")
    if customer is None or customer.address is None or customer.address.country is None:
        return None
    return providers.account(*owner).calculate_tax(payment, customer)


def _log(payment: Payment, error: Exception) -> None:
    logger.warning(
        "no tax estimate",
        extra={
            "payment_id": payment.id,
            "error": type(error).__name__,
            "provider_code": getattr(error, "provider_code", None),
        },
    )
