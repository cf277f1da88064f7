"""One way in for every HTTP function: route, authenticate, run, and turn whatever happens into an
answer of the contract's form.

The gateway has matched the route already and names it in the event, so a table from its route keys
to handlers is all the routing there is; a stage, a base path or a doubled slash can't upset it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from paylink import bootstrap
from paylink.domain.errors import (
    ForbiddenError,
    NotFoundError,
    PaylinkError,
    RateLimitedError,
)
from paylink.domain.ids import is_id
from paylink.http.auth import Caller
from paylink.http.envelope import Response, failure, json_response
from paylink.http.operation import Operation, Route
from paylink.http.request import Request, parse_request, request_id
from paylink.observability import begin, logger

Handler = Callable[[Request, Caller], Response]
PublicHandler = Callable[[Request], Response]


class Api:
    """The routes of one function. ``fallback`` makes an answer of a failure, where not JSON."""

    def __init__(self, fallback: Callable[[PaylinkError, Request | None], Response] | None = None):
        self.routes: list[Route] = []
        """For the reference; requests go by the table below."""
        self._routes: dict[str, PublicHandler] = {}
        self._fallback = fallback or _failure

    def route(
        self, key: str, permission: str, doc: Operation | None = None
    ) -> Callable[[Handler], Handler]:
        """Adds a route for callers whose API key has a permission (``payment:write``)."""

        def add(handler: Handler) -> Handler:
            def guarded(request: Request) -> Response:
                caller, allowance = _admit(request, permission)
                response = handler(request, caller)
                return replace(response, headers={**allowance, **response.headers})

            self._routes[key] = guarded
            bootstrap.ready(bootstrap.authenticator, bootstrap.rate_limiter)
            bootstrap.rehearse()
            self.routes.append(Route(key, handler.__name__, permission, doc))
            return handler

        return add

    def public(self, key: str) -> Callable[[PublicHandler], PublicHandler]:
        """Adds a route for anybody."""

        def add(handler: PublicHandler) -> PublicHandler:
            self._routes[key] = handler
            bootstrap.ready()
            bootstrap.rehearse()
            self.routes.append(Route(key, handler.__name__))
            return handler

        return add

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The Lambda handler."""
        trace = request_id(event)
        begin(trace)
        request = None
        try:
            request = parse_request(
                event,
                bootstrap.settings().public_base_url,
                context.get_remaining_time_in_millis() / 1000,
            )
            logger.append_keys(**_payment_of(request))
            response = self._routes.get(request.route, _nowhere)(request)
        except PaylinkError as error:
            response = self._failed(error, request)
        except Exception:
            logger.exception("a request failed")
            response = self._failed(PaylinkError(), request)
        logger.info(
            "answered",
            extra={"route": request.route if request else None, "status": response.status},
        )
        return {
            "statusCode": response.status,
            "headers": {
                "content-type": response.content_type,
                "cache-control": "no-store",
                "x-request-id": trace,
                **response.headers,
            },
            "body": response.body,
            "isBase64Encoded": response.is_base64,
        }

    def _failed(self, error: PaylinkError, request: Request | None) -> Response:
        if error.status >= 500:
            logger.warning("answering with a failure", extra={"code": error.code})
        return self._fallback(error, request)


def _payment_of(request: Request) -> dict[str, str]:
    """For the log; anything else in its place is what somebody typed, and stays out of it."""
    payment_id = request.parameters.get("paymentId", "")
    return {"payment_id": payment_id} if is_id(payment_id, "pay") else {}


def _admit(request: Request, permission: str) -> tuple[Caller, dict[str, str]]:
    """The caller, and the headers that tell what is left of the key's minute.

    Raises UnauthorizedError, RateLimitedError, ForbiddenError.
    """
    caller = bootstrap.authenticator().caller_with(request.header("x-api-key"))
    logger.append_keys(organization_id=caller.organization_id, mode=caller.mode)
    allowance = bootstrap.rate_limiter().take(caller.key_id, bootstrap.clock())
    headers = allowance.headers if allowance else {}
    if allowance is not None and allowance.remaining < 0:
        raise RateLimitedError(headers={**headers, "retry-after": str(allowance.reset_seconds)})
    if not caller.may(permission):
        raise ForbiddenError(headers=headers)
    return caller, headers


def _nowhere(_request: Request) -> Response:
    raise NotFoundError()


def _failure(error: PaylinkError, request: Request | None) -> Response:
    envelope = failure(error, request.base_url if request else "")
    return json_response(error.status, envelope, dict(error.headers))
