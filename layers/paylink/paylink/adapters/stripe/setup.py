"""A seller's Stripe account made ready: the endpoint for its webhooks, and whether it knows of tax.

Only the operator's command needs it, so it speaks to a person: a refusal says what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import stripe

from paylink.adapters.stripe.http_client import PooledClient
from paylink.adapters.stripe.webhook import EVENT_TYPES

if TYPE_CHECKING:
    from stripe.params import WebhookEndpointCreateParams, WebhookEndpointUpdateParams

API_VERSION = str(stripe.api_version)
"""In which events come: the one that the pinned SDK was written for."""


class StripeSetupError(Exception):
    """Stripe refused or could not be reached; the message says what to do."""


@dataclass(frozen=True)
class WebhookEndpoint:
    id: str
    url: str
    api_version: str | None


@dataclass(frozen=True)
class NewEndpoint:
    """Stripe tells the secret this once."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class TaxSetup:
    """Whether Stripe Tax calculates; ``missing`` names what it still waits for."""

    active: bool
    missing: tuple[str, ...] = ()


class StripeSetup:
    """One account in one mode, as its key has it; ``api_base`` is empty for Stripe itself."""

    def __init__(self, secret_key: str, api_base: str = "") -> None:
        self._stripe = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base} if api_base else {},
            max_network_retries=2,
            http_client=PooledClient(
                api_base or stripe.DEFAULT_API_BASE, connect_timeout=5, read_timeout=30
            ),
        ).v1

    def endpoints(self) -> Sequence[WebhookEndpoint]:
        """All of the account's; raises StripeSetupError, as every method here."""
        with _plain_failures():
            listed = self._stripe.webhook_endpoints.list({"limit": 100})
            return [
                WebhookEndpoint(found.id, found.url, found.api_version)
                for found in listed.auto_paging_iter()
            ]

    def create_endpoint(self, url: str, description: str) -> NewEndpoint:
        """Hears exactly the events that are handled. Not retried by a key of ours: an endpoint
        whose secret was lost on the way is removed with the others of its URL."""
        request = {
            "url": url,
            "enabled_events": sorted(EVENT_TYPES),
            "api_version": API_VERSION,
            "description": description,
        }
        with _plain_failures():
            made = self._stripe.webhook_endpoints.create(
                cast("WebhookEndpointCreateParams", request)
            )
        return NewEndpoint(made.id, made.secret or "")

    def renew_endpoint(self, endpoint_id: str) -> None:
        """The same endpoint hears what is handled now, and is switched on."""
        request = {"enabled_events": sorted(EVENT_TYPES), "disabled": False}
        with _plain_failures():
            self._stripe.webhook_endpoints.update(
                endpoint_id, cast("WebhookEndpointUpdateParams", request)
            )

    def remove_endpoint(self, endpoint_id: str) -> None:
        with _plain_failures():
            self._stripe.webhook_endpoints.delete(endpoint_id)

    def tax(self) -> TaxSetup:
        with _plain_failures():
            settings = self._stripe.tax.settings.retrieve()
        # Stripe names only the state that there is, whatever the SDK's class declares.
        pending = settings.status_details.to_dict().get("pending") or {}
        return TaxSetup(settings.status == "active", tuple(pending.get("missing_fields") or ()))


@contextmanager
def _plain_failures() -> Iterator[None]:
    try:
        yield
    except stripe.AuthenticationError as error:
        raise StripeSetupError("Stripe does not know this key") from error
    except stripe.PermissionError as error:
        raise StripeSetupError(
            "Stripe does not let this key do that: a restricted key needs to write webhook"
            " endpoints and to read tax settings"
        ) from error
    except stripe.InvalidRequestError as error:
        raise StripeSetupError(f"Stripe refused: {error.user_message}") from error
    except stripe.StripeError as error:
        raise StripeSetupError("Stripe could not be reached or failed; try again") from error
