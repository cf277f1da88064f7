"""Everything that the deployment decides, read once from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

STRIPE_CHECKOUT_ORIGIN = "https://checkout.stripe.com"


@dataclass(frozen=True)
class Settings:
    """One frozen object; no secret is ever part of it."""

    table_name: str
    event_bus_name: str
    invoice_bucket_name: str
    deployment_id: str
    """Marks what we make at the provider, so that two stacks on one account don't mix."""
    secrets_prefix: str
    """The parameter store's path under which each organization and mode has its secrets."""
    stripe_api_base: str
    """Empty for Stripe itself."""
    stripe_calls_per_second: float
    """To one account, by a function that nobody waits for; 0 is no limit but Stripe's own."""
    public_base_url: str
    """Empty: the host that the request came to."""
    link_lifetime: timedelta
    receipt_sender: str
    """The address that mail comes from; empty, none is sent."""
    issue_invoice_function: str
    """What makes the PDF of an invoice whose PDF was never stored."""
    rate_limit_per_minute: int
    """Requests per API key and minute; 0 is no limit."""
    prompt_queue_url: str
    slow_queue_url: str
    failing_queue_url: str
    """Calls of webhooks wait in three lanes, by how their endpoints answer."""
    webhook_waits: tuple[timedelta, ...]
    """Between the attempts to deliver a webhook."""
    local_webhooks: bool
    """Webhooks may go to this machine, and without TLS."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Settings:
        """A variable that a function isn't given is empty; its adapter then isn't used."""
        return cls(
            table_name=environment.get("TABLE_NAME", ""),
            event_bus_name=environment.get("EVENT_BUS_NAME", ""),
            invoice_bucket_name=environment.get("INVOICE_BUCKET_NAME", ""),
            deployment_id=environment.get("DEPLOYMENT_ID", ""),
            secrets_prefix=environment.get("SECRETS_PREFIX", ""),
            stripe_api_base=environment.get("STRIPE_API_BASE", ""),
            stripe_calls_per_second=float(environment.get("STRIPE_CALLS_PER_SECOND", "0")),
            public_base_url=environment.get("PUBLIC_BASE_URL", "").rstrip("/"),
            link_lifetime=timedelta(days=int(environment.get("LINK_LIFETIME_DAYS", "30"))),
            receipt_sender=environment.get("RECEIPT_SENDER", ""),
            issue_invoice_function=environment.get("ISSUE_INVOICE_FUNCTION", ""),
            rate_limit_per_minute=int(environment.get("RATE_LIMIT_PER_MINUTE", "0")),
            prompt_queue_url=environment.get("PROMPT_QUEUE_URL", ""),
            slow_queue_url=environment.get("SLOW_QUEUE_URL", ""),
            failing_queue_url=environment.get("FAILING_QUEUE_URL", ""),
            webhook_waits=tuple(
                timedelta(seconds=int(seconds))
                for seconds in environment.get("WEBHOOK_WAITS", "").split(",")
                if seconds
            ),
            local_webhooks=environment.get("LOCAL_WEBHOOKS") == "true",
        )

    @property
    def checkout_origins(self) -> tuple[str, ...]:
        """Where the form of the pay page may lead, for its content security policy."""
        if not self.stripe_api_base:
            return (STRIPE_CHECKOUT_ORIGIN,)
        base = urlsplit(self.stripe_api_base)
        return (f"{base.scheme}://{base.netloc}",)
