"""Stripe's errors in our terms: what a retry may cure, and what it can't."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import stripe

from paylink.domain.errors import (
    ProviderRejectedError,
    ProviderUnavailableError,
    TaxCalculationError,
)

logger = logging.getLogger(__name__)

TAX_INACTIVE = "stripe_tax_inactive"
_SET_UP_TAX = (
    "Stripe Tax is not set up on the seller's Stripe account. Add the head office's address and "
    "the registrations at https://dashboard.stripe.com/settings/tax, or set another tax mode for "
    "this organization: its own rates, or none."
)
_FIELD_OF_PARAMETER = {
    "line_items[0][price_data][unit_amount]": "amount",
    "line_items[0][price_data][currency]": "currency",
    "line_items[0][price_data][product_data][name]": "description",
    "line_items[0][price_data][product_data][description]": "description",
    "success_url": "successUrl",
    "customer": "customerId",
    "expires_at": "expiresAt",
    "email": "email",
    "name": "fullName",
    "address[country]": "address.country",
}
_FIELD_OF_CODE = {
    "amount_too_small": "amount",
    "amount_too_large": "amount",
    "email_invalid": "email",
    "tax_id_invalid": "taxDocument",
}


@contextmanager
def translated_failures(operation: str) -> Iterator[None]:
    """Raises ProviderUnavailableError or ProviderRejectedError in place of the SDK's errors."""
    try:
        yield
    except stripe.InvalidRequestError as error:
        field = _FIELD_OF_CODE.get(error.code or "") or _FIELD_OF_PARAMETER.get(error.param or "")
        _log(operation, error, logging.WARNING)
        raise ProviderRejectedError(
            error.user_message or "The payment provider refused this request.",
            provider_code=error.code,
            param=field,
        ) from error
    except stripe.StripeError as error:
        configuration = isinstance(error, stripe.AuthenticationError | stripe.PermissionError)
        _log(operation, error, logging.ERROR if configuration else logging.WARNING)
        status = error.http_status or 0
        # A key that stands for other parameters will never answer these.
        mismatch = isinstance(error, stripe.IdempotencyError) and status == 400
        # Stripe counts by the second, and doesn't always say when to come again.
        headers = {"retry-after": "1"} if isinstance(error, stripe.RateLimitError) else None
        raise ProviderUnavailableError(
            outcome_stored=status >= 500 or mismatch, headers=headers
        ) from error


def is_tax_inactive(error: ProviderRejectedError) -> bool:
    """Whether Stripe Tax isn't set up on the account. Not every answer about it has the code."""
    return error.provider_code == TAX_INACTIVE or "head office address" in error.message


def tax_refusal(error: ProviderRejectedError) -> TaxCalculationError:
    """Why there is no tax, and what the seller has to do where they have to."""
    if is_tax_inactive(error):
        return TaxCalculationError(_SET_UP_TAX, provider_code=TAX_INACTIVE)
    return TaxCalculationError(provider_code=error.provider_code)


def _log(operation: str, error: stripe.StripeError, level: int) -> None:
    # The request id is all that Stripe's support needs; message and body may quote the request.
    logger.log(
        level,
        "the payment provider refused or failed",
        extra={
            "operation": operation,
            "error": type(error).__name__,
            "provider_code": error.code,
            "provider_status": error.http_status,
            "provider_request_id": error.request_id,
            "connection": _connection_trouble(error),
        },
    )


def _connection_trouble(error: stripe.StripeError) -> str | None:
    """What went wrong on the way; it names host and port, never the request."""
    if not isinstance(error, stripe.APIConnectionError):
        return None
    return repr(error.__cause__)[:300]
