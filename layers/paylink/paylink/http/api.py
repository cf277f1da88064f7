"""One way in for every HTTP function: route, authenticate, run, and turn whatever happens into an
answer of the contract's form.

The gateway has matched the route already and names it in the event, so a table from its route keys
to handlers is all the routing there is; a stage, a base path or a doubled slash can't upset it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paylink import bootstrap
from paylink.domain.errors import NotFoundError, PaylinkError
from paylink.http.auth import Authenticator, Caller
from paylink.http.envelope import Response, failure, json_response
from paylink.http.request import Request, parse_request, request_id
from paylink.observability import logger

Handler = Callable[[Request, Caller], Response]
PublicHandler = Callable[[Request], Response]


class Api:
    """The routes of one function. ``fallback`` makes an answer of a failure, where not JSON."""

    def __init__(self, fallback: Callable[[PaylinkError, Request | None], Response] | None = None):
        self._routes: dict[str, PublicHandler] = {}
        self._authenticator: Authenticator | None = None
        self._fallback = fallback or _failure

    def route(self, key: str) -> Callable[[Handler], Handler]:
        """Adds a route for callers with an API key."""

        def add(handler: Handler) -> Handler:
            self._routes[key] = lambda request: handler(request, self._caller(request))
            return handler

        return add

    def public(self, key: str) -> Callable[[PublicHandler], PublicHandler]:
        """Adds a route for anybody."""

        def add(handler: PublicHandler) -> PublicHandler:
            self._routes[key] = handler
            return handler

        return add

    def __call__(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """The Lambda handler."""
        trace = request_id(event)
        logger.clear_state()
        logger.append_keys(request_id=trace)
        request = None
        try:
            request = parse_request(
                event,
                bootstrap.settings().public_base_url,
                context.get_remaining_time_in_millis() / 1000,
            )
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
            "isBase64Encoded": False,
        }

    def _failed(self, error: PaylinkError, request: Request | None) -> Response:
        if error.status >= 500:
            logger.warning("answering with a failure", extra={"code": error.code})
        return self._fallback(error, request)

    def _caller(self, request: Request) -> Caller:
        if self._authenticator is None:
            self._authenticator = Authenticator(bootstrap.api_keys(), bootstrap.clock)
        caller = self._authenticator.caller_with(request.header("x-api-key"))
        logger.append_keys(organization_id=caller.organization_id, mode=caller.mode)
        return caller


def _nowhere(_request: Request) -> Response:
    raise NotFoundError()


def _failure(error: PaylinkError, request: Request | None) -> Response:
    return json_response(error.status, failure(error, request.base_url if request else ""))
