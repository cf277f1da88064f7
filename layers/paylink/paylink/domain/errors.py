"""Every way a request can fail, as the API contract names it.

One base class carries the contract's ``type``, ``code`` and HTTP status, so that a single handler
turns any of them into the error envelope and services never think about HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class FieldProblem:
    """One thing wrong with one field of the request, the field named as the caller sent it."""

    field: str
    message: str


class PaylinkError(Exception):
    """Base of all errors that a caller may see; the class attributes are the contract's."""

    type: ClassVar[str] = "internal_error"
    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    default_message: ClassVar[str] = "Something went wrong on our side."

    def __init__(
        self,
        message: str | None = None,
        *,
        param: str | None = None,
        details: Sequence[Any] | dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.message = message or self.default_message
        self.param = param
        self.details = details
        self.headers = dict(headers or {})
        """What the answer says besides, such as when to try again."""
        super().__init__(self.message)


class ValidationError(PaylinkError):
    """The request is well-formed JSON but breaks a rule; ``details`` lists every field."""

    type = "validation_error"
    code = "validation_error"
    status = 400
    default_message = "The request is not valid."

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        first = problems[0]
        super().__init__(
            f"{first.field}: {first.message}" if first.field else first.message,
            param=first.field or None,
            details=[{"field": p.field, "message": p.message} for p in problems],
        )

    @classmethod
    def of(cls, field: str, message: str) -> ValidationError:
        """The common case of a single offending field."""
        return cls([FieldProblem(field, message)])


class InvalidJsonError(PaylinkError):
    type = "validation_error"
    code = "invalid_json"
    status = 400
    default_message = "The request body is not a valid JSON object."


class UnauthorizedError(PaylinkError):
    type = "authentication_error"
    code = "unauthorized"
    status = 401
    default_message = "No valid API key was sent in the x-api-key header."


class ForbiddenError(PaylinkError):
    type = "authentication_error"
    code = "forbidden"
    status = 403
    default_message = "This API key may not do that."


class NotFoundError(PaylinkError):
    type = "not_found_error"
    code = "not_found"
    status = 404
    default_message = "There is nothing here."


class PaymentNotFoundError(NotFoundError):
    code = "payment_not_found"
    default_message = "There is no such payment."


class CustomerNotFoundError(NotFoundError):
    code = "customer_not_found"
    default_message = "There is no such customer."


class PaymentMethodNotFoundError(NotFoundError):
    default_message = "This customer has no such payment method."


class TransactionNotFoundError(NotFoundError):
    code = "transaction_not_found"
    default_message = "There is no such transaction."


class WebhookNotFoundError(NotFoundError):
    code = "webhook_not_found"
    default_message = "There is no such webhook endpoint."


class ApiKeyNotFoundError(NotFoundError):
    code = "api_key_not_found"
    default_message = "There is no such API key."


class InvoiceNotFoundError(NotFoundError):
    code = "invoice_not_found"
    default_message = "There is no such invoice."


class CreditNoteNotFoundError(NotFoundError):
    code = "credit_note_not_found"
    default_message = "There is no such credit note."


class ConflictError(PaylinkError):
    type = "conflict_error"
    status = 409


class PaymentNotCancelableError(ConflictError):
    code = "payment_not_cancelable"
    default_message = "Only a payment link that was not paid and is not being paid can be canceled."


class NoPaymentMethodError(ConflictError):
    code = "no_payment_method"
    default_message = "This customer has no saved payment method."


class ProviderUnsupportedError(ConflictError):
    code = "provider_unsupported"
    default_message = "The payment provider does not support this."


class ChargeInProgressError(ConflictError):
    code = "charge_in_progress"
    default_message = "Another charge of this customer is still running."


class DuplicateError(ConflictError):
    code = "duplicate"
    default_message = "There is one with this id already."


class EmailNotSendableError(ConflictError):
    """There is nobody to send it to, or nothing to send it with; trying again is pointless."""

    code = "email_not_sendable"
    default_message = "This e-mail can't be sent."


class RateLimitedError(PaylinkError):
    type = "rate_limit_error"
    code = "rate_limited"
    status = 429
    default_message = "This API key makes too many requests."


class IdempotencyKeyMismatchError(ConflictError):
    code = "idempotency_key_mismatch"
    default_message = "This idempotency key was used for another request."


class IdempotencyInProgressError(ConflictError):
    code = "idempotency_in_progress"
    default_message = "A request with this idempotency key is still running."


class ProviderUnavailableError(PaylinkError):
    """The provider is down, too slow or rate limiting us: nothing is wrong with the request."""

    type = "internal_error"
    code = "provider_unavailable"
    status = 502
    default_message = (
        "The payment provider did not answer. It is safe to retry with the same idempotency key."
    )

    def __init__(
        self,
        message: str | None = None,
        *,
        outcome_stored: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """``outcome_stored``: the provider will replay this failure for the same key of its own."""
        super().__init__(message, headers=headers)
        self.outcome_stored = outcome_stored


class ProviderRejectedError(PaylinkError):
    """The provider understood us and said no; retrying the same thing is pointless.

    ``provider_code`` is the provider's own code (``amount_too_small`` ...).
    """

    type = "validation_error"
    code = "validation_error"
    status = 400

    def __init__(
        self, message: str, *, provider_code: str | None = None, param: str | None = None
    ) -> None:
        details = [{"field": param, "message": message}] if param else None
        super().__init__(message, param=param, details=details)
        self.provider_code = provider_code


class ProviderCustomerGoneError(ProviderRejectedError):
    """The provider's customer was deleted there: another one has to be made."""

    def __init__(self, provider_customer_id: str) -> None:
        super().__init__("The payment provider does not know this customer any more.")
        self.provider_customer_id = provider_customer_id


class ProviderSessionGoneError(ProviderRejectedError):
    """The provider has no such session: it can't be paid, whatever was recorded of it."""

    def __init__(self) -> None:
        super().__init__("The payment provider does not know this checkout any more.")


class InvalidWebhookError(PaylinkError):
    """Not signed by the provider for us, too old, from the future, or not an event at all."""

    type = "validation_error"
    code = "validation_error"
    status = 400


class PaymentFailedError(PaylinkError):
    """No money was taken; ``details`` name the payment and the provider's code."""

    type = "billing_error"
    code = "payment_failed"
    status = 402
    default_message = "The payment failed."


class TaxCalculationError(PaymentFailedError):
    default_message = "The tax for this payment could not be calculated."

    def __init__(self, message: str | None = None, *, provider_code: str | None = None) -> None:
        super().__init__(message, details={"code": provider_code} if provider_code else None)
        self.provider_code = provider_code


class StateConflictError(PaylinkError):
    """Somebody else changed the same item in every one of our attempts; the caller should retry."""

    status = 503
    default_message = "The payment is being changed by several requests at once. Please retry."


class UnknownPaymentError(PaylinkError):
    """An event of ours names a payment that can't be seen (yet); it has to be sent again."""

    status = 503
    default_message = "The payment of this event is not known yet."


class DocumentUnavailableError(PaylinkError):
    """A PDF that was never stored can't be made at the moment."""

    status = 503
    default_message = "The document is not ready yet. Please retry."


class MailUnavailableError(PaylinkError):
    """The mail service is down, too slow, or doesn't take our sender's mail at the moment."""

    status = 503
    default_message = "The e-mail could not be sent at the moment. Please retry."


class MailBeingSentError(PaylinkError):
    """Another run sends this very mail now; whoever comes later finds that it was sent."""

    status = 503
    default_message = "This e-mail is being sent."


class UnknownInvoiceError(PaylinkError):
    """An event of ours names an invoice that can't be seen (yet); it has to be sent again."""

    status = 503
    default_message = "The invoice of this event is not known yet."


class UnknownCreditNoteError(PaylinkError):
    """An event of ours names a credit note that can't be seen (yet); it has to be sent again."""

    status = 503
    default_message = "The credit note of this event is not known yet."
