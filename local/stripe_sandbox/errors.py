"""Stripe's errors as exceptions: what the API answers when it refuses, with the HTTP status."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


class StripeError(Exception):
    """An answer that is not a success.

    `keep` says that what the request did before it failed stays (a declined charge is recorded);
    `stored` says whether the answer is kept under the request's idempotency key.
    """

    def __init__(
        self,
        status: int,
        type_: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        keep: bool = False,
        stored: bool = True,
        **extra: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.type = type_
        self.message = message
        self.code = code
        self.param = param
        self.keep = keep
        self.stored = stored
        self.extra = extra

    def body(self) -> Json:
        error: Json = {}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        error["message"] = self.message
        if self.param:
            error["param"] = self.param
        error.update(self.extra)
        error["type"] = self.type
        return {"error": error}


def invalid(
    message: str,
    param: str | None = None,
    code: str | None = None,
    *,
    status: int = 400,
    stored: bool = True,
    **extra: Any,
) -> StripeError:
    return StripeError(
        status,
        "invalid_request_error",
        message,
        code=code,
        param=param,
        stored=stored,
        **extra,
    )


def missing_param(param: str) -> StripeError:
    return invalid(f"Missing required param: {param}.", param, "parameter_missing", stored=False)


def unknown_params(params: list[str]) -> StripeError:
    word = "parameter" if len(params) == 1 else "parameters"
    return invalid(
        f"Received unknown {word}: {', '.join(params)}",
        params[0],
        "parameter_unknown",
        stored=False,
    )


def exclusive_params(*params: str) -> StripeError:
    return invalid(
        f"You may only specify one of these parameters: {', '.join(params)}.", params[-1]
    )


def no_such(
    noun: str, id_: str, param: str, *, in_path: bool, other_mode: str | None = None
) -> StripeError:
    """`other_mode` ("live" or "test") if the object exists, but in the mode that wasn't asked."""
    message = f"No such {noun}: '{id_}'"
    if other_mode:
        used = "test" if other_mode == "live" else "live"
        message += (
            f"; a similar object exists in {other_mode} mode, but a {used} mode key was used"
            " to make this request."
        )
    return invalid(message, param, "resource_missing", status=404 if in_path else 400)


def not_in_sandbox(param: str) -> StripeError:
    """For what Stripe can do and this sandbox can't: said plainly instead of ignored."""
    return invalid(f"The sandbox doesn't implement `{param}`.", param)


def unauthorized(message: str) -> StripeError:
    return StripeError(401, "invalid_request_error", message, stored=False)


def rate_limited() -> StripeError:
    return StripeError(
        429,
        "invalid_request_error",
        "Request rate limit exceeded. Learn more about rate limits here "
        "https://stripe.com/docs/rate-limits.",
        code="rate_limit",
        stored=False,
    )


def api_error(status: int) -> StripeError:
    return StripeError(
        status,
        "api_error",
        "An error occurred on our end. Support has been notified.",
        keep=False,
    )
