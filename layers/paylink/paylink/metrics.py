"""Every metric of the service, by its one name, and what of it the domain's events tell.

CloudWatch charges for each name with each set of dimensions: those are few, and never an id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from paylink.domain import events
from paylink.domain.events import DomainEvent


@dataclass(frozen=True)
class Metric:
    """``unit`` is CloudWatch's; ``dimensions`` are those that every value of it has."""

    name: str
    unit: Literal["Count", "Milliseconds", "Seconds", "None"] = "Count"
    dimensions: tuple[str, ...] = ("mode",)


LINKS_MADE: Final = Metric("LinksMade")
LINKS_EXPIRED: Final = Metric("LinksExpired")
PAYMENTS_SUCCEEDED: Final = Metric("PaymentsSucceeded")
PAYMENTS_FAILED: Final = Metric("PaymentsFailed")
"""Attempts: the buyer of a link may try again."""
AMOUNT_PAID: Final = Metric("AmountPaid", "None", ("mode", "currency"))
"""Tax included, in minor units."""
REFUNDS_FAILED: Final = Metric("RefundsFailed")
INVOICE_LAG: Final = Metric("InvoiceLag", "Seconds")
"""From the buyer's payment to its invoice."""
WEBHOOK_LAG: Final = Metric("WebhookLag", "Seconds")
"""From the provider's event to the payment moved by it."""
SIGNATURE_FAILURES: Final = Metric("SignatureFailures")
PROVIDER_LATENCY: Final = Metric("ProviderLatency", "Milliseconds")
PROVIDER_ERRORS: Final = Metric("ProviderErrors")
"""Calls without an answer, or with one that says that the provider or our key is in trouble."""
DELIVERY_ATTEMPTS_FAILED: Final = Metric("DeliveryAttemptsFailed")
DELIVERIES_FAILED: Final = Metric("DeliveriesFailed")
"""Given up after the last attempt."""
ENDPOINTS_SWITCHED_OFF: Final = Metric("EndpointsSwitchedOff")
SWEEP_BACKLOG: Final = Metric("SweepBacklog", dimensions=())
"""Due payments that a run of the sweep left to the next one."""

METRICS: Final = {found.name: found for found in list(globals().values()) if type(found) is Metric}


@dataclass(frozen=True)
class Measure:
    """One value of a metric; ``dimensions`` has a value for each of the metric's."""

    metric: Metric
    value: float = 1
    dimensions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if set(self.dimensions) != set(self.metric.dimensions):
            raise ValueError(f"{self.metric.name} has other dimensions")


Metrics = Callable[[Measure], None]
"""Takes a measure, whichever thread it comes from."""


def unmeasured(_measure: Measure) -> None:
    """For an operator at work, which is no traffic of the service."""


def measures_of(event: DomainEvent) -> list[Measure]:
    """What an event counts as. Events are written with what they tell, and leave once."""
    mode = {"mode": event.mode}
    match event.type:
        case events.PAYMENT_CREATED:
            return [Measure(LINKS_MADE, 1, mode)]
        case events.PAYMENT_SUCCEEDED:
            currency = {**mode, "currency": event.data["currency"]}
            return [
                Measure(PAYMENTS_SUCCEEDED, 1, mode),
                Measure(AMOUNT_PAID, event.data["amount"], currency),
            ]
        case events.PAYMENT_FAILED:
            return [Measure(PAYMENTS_FAILED, 1, mode)]
        case events.PAYMENT_CANCELED if event.data["reason"] == "expired":
            return [Measure(LINKS_EXPIRED, 1, mode)]
        case events.PAYMENT_REFUND_FAILED:
            return [Measure(REFUNDS_FAILED, 1, mode)]
        case events.INVOICE_ISSUED:
            paid = datetime.fromisoformat(event.data["paidAt"])
            return [Measure(INVOICE_LAG, (event.time - paid).total_seconds(), mode)]
        case events.WEBHOOK_ENDPOINT_DISABLED:
            return [Measure(ENDPOINTS_SWITCHED_OFF, 1, mode)]
    return []
