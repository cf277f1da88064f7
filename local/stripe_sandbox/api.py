"""One API call, from its bytes to its answer.

Key, parameters, faults, idempotency, transaction and log, in this order.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from . import clock, forms, keys, routes
from .context import API_VERSION, Context
from .errors import Json, StripeError, api_error, invalid, rate_limited
from .expand import expand, strip
from .faults import Fault, Faults
from .idempotency import Claim
from .ids import new_id
from .storage import Scope, Store
from .validation import validate

_VERSION = re.compile(r"\d{4}-\d\d-\d\d(\.[a-z]+)?\Z")
_LOG = logging.getLogger(__name__)
_MAX_BODY = 2_000_000
_SECRET_PARAM = re.compile(r"(number|cvc|account_number|iban)\]?\Z|\[(number|cvc|iban)\]")
_HIDDEN_HEADERS = frozenset({"authorization", "cookie"})
_SECRET_MEMBERS = frozenset({"secret", "client_secret"})


class Api:
    def __init__(self, store: Store, faults: Faults, public_url: str | None) -> None:
        self.store = store
        self.faults = faults
        self._public_url = public_url

    def base_url(self, request: Request) -> str:
        return self._public_url or str(request.base_url).rstrip("/")

    async def handle(self, request: Request) -> Response:
        call = _Call(self, request, await request.body())
        return await call.answer()


class _Call:
    def __init__(self, api: Api, request: Request, body: bytes) -> None:
        self._api = api
        self._store = api.store
        self._request = request
        self._body = body
        self._id = new_id("req", 14)
        self._method = request.method
        self._path = request.url.path
        self._key = request.headers.get("idempotency-key")
        self._claim: Claim | None = None
        self._headers: dict[str, str] = {"Request-Id": self._id}
        self._started = time.time()
        self._entry: Json = {
            "id": self._id,
            "time": self._started,
            "method": self._method,
            "path": self._path,
            "headers": {
                name: "***" if name in _HIDDEN_HEADERS else value
                for name, value in request.headers.items()
            },
            "idempotency_key": self._key,
            "account": None,
            "livemode": None,
            "params": {},
            "fault": None,
            "status": None,
            "response": None,
        }
        self._seq = self._store.log_request(self._entry)

    async def answer(self) -> Response:
        """Whatever happens, the log tells what was answered."""
        status, body, broken = 500, api_error(500).body(), None
        try:
            status, body, broken = await self._run()
        except StripeError as error:
            status, body, broken = error.status, error.body(), None
        except Exception:
            # The sandbox's own mistake: said in the log, answered as Stripe's would be.
            _LOG.exception("%s %s failed", self._method, self._path)
        finally:
            self._entry.update(
                status=status,
                response=_without_secrets(body),
                seconds=round(time.time() - self._started, 4),
            )
            self._store.update_request(self._seq, self._entry)
        if broken is not None:
            return _broken(broken)
        return JSONResponse(body, status_code=status, headers=self._headers)

    async def _run(self) -> tuple[int, Json, float | None]:
        """(status, body, None), or the seconds after which the connection is to break."""
        scope = keys.scope_of(self._request.headers.get("authorization"))
        self._entry.update(account=scope.account, livemode=scope.livemode)
        self._check_version()
        params = self._params()
        self._entry["params"] = {
            name: "***" if _SECRET_PARAM.search(name) else value
            for name, value in forms.flatten(params).items()
        }
        found = routes.match(self._method, self._path)
        if found is None:
            raise invalid(
                f"Unrecognized request URL ({self._method}: {self._path}). Please see "
                "https://stripe.com/docs or we can help at https://support.stripe.com/.",
                status=404,
                stored=False,
            )
        fault = self._api.faults.take(self._method, self._path, scope.account)
        if fault:
            self._entry["fault"] = fault.kind
            if fault.kind == "rate_limit":
                raise rate_limited()
            if fault.kind in ("drop", "hang"):
                return 0, {}, 0.0 if fault.kind == "drop" else fault.seconds
        if self._method == "POST" and self._key is not None:
            self._headers["Idempotency-Key"] = self._key
            self._claim = Claim(self._store, scope, self._key, self._path, params)
            replay = self._claim.begin(self._store.now())
            if replay:
                self._headers["Idempotent-Replayed"] = "true"
                self._headers["Original-Request"] = replay.request_id
                if replay.status >= 500:
                    self._headers["Stripe-Should-Retry"] = "false"
                return replay.status, replay.body, None
        try:
            return await self._execute(scope, found[0], found[1], params, fault)
        except BaseException as error:
            if not isinstance(error, StripeError):
                self._remember(None, {})
            raise

    def _check_version(self) -> None:
        version = self._request.headers.get("stripe-version", API_VERSION)
        if not _VERSION.match(version):
            raise invalid(f"Invalid Stripe API version: {version}", stored=False)
        self._headers["Stripe-Version"] = version

    def _params(self) -> Json:
        if self._method in ("GET", "DELETE"):
            return forms.decode(self._request.url.query)
        if len(self._body) > _MAX_BODY:
            raise StripeError(413, "invalid_request_error", "Request body too large.")
        kind = self._request.headers.get("content-type", "application/x-www-form-urlencoded")
        if self._body and not kind.startswith("application/x-www-form-urlencoded"):
            raise invalid(
                f"Invalid request (check that your POST content type is "
                f"application/x-www-form-urlencoded): {kind}",
                stored=False,
            )
        try:
            return forms.decode(self._body.decode())
        except UnicodeDecodeError:
            raise invalid("Invalid UTF-8 in request body", stored=False) from None

    async def _execute(
        self,
        scope: Scope,
        route: routes.Route,
        path: dict[str, str],
        params: Json,
        fault: Fault | None,
    ) -> tuple[int, Json, float | None]:
        if fault and fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        if fault and fault.kind == "error":
            return self._failed(fault, None)
        try:
            typed = validate(params, route.declared, unsettable=route.unsettable)
            result = self._perform(scope, route, path, typed)
            status = 200
        except StripeError as error:
            result, status = error.body(), error.status
            self._remember(status if error.stored else None, result)
            if fault is None or not fault.kind.endswith("_after"):
                raise
        if fault and fault.kind == "error_after":
            return self._failed(fault, result, status)
        self._remember(status, result)
        if fault and fault.kind == "hang_after":
            return 0, {}, fault.seconds
        return status, result, None

    def _perform(
        self, scope: Scope, route: routes.Route, path: dict[str, str], typed: Json
    ) -> Json:
        ctx = Context(
            self._store,
            scope,
            self._api.base_url(self._request),
            typed,
            path,
            self._id,
            self._key,
        )
        if self._method != "GET":
            # An inspection key reads everything, and writes only to its own account.
            ctx.scope = ctx.own
        clock.tick(self._store)
        with self._store.transaction():
            ctx.account()
            body = route.handler(ctx)
            body = expand(ctx, body, typed.get("expand", []))
            return dict(strip(body))

    def _failed(
        self, fault: Fault, result: Json | None, status: int = 200
    ) -> tuple[int, Json, float | None]:
        body = api_error(fault.status).body()
        if fault.stored == "answer":
            self._remember(fault.status, body)
        elif fault.stored == "result" and result is not None:
            self._remember(status, result)
        else:
            self._remember(None, {})
        # Stripe tells its SDKs not to retry what would only be replayed.
        stored = self._claim is not None and fault.stored == "answer"
        self._headers["Stripe-Should-Retry"] = "false" if stored else "true"
        return fault.status, body, None

    def _remember(self, status: int | None, body: Json) -> None:
        if self._claim is None:
            return
        if status is None:
            self._claim.release()
        else:
            self._claim.keep(self._store.now(), status, body, self._id)


def _without_secrets(body: Any) -> Any:
    if isinstance(body, dict):
        return {
            name: "***" if name in _SECRET_MEMBERS and value else _without_secrets(value)
            for name, value in body.items()
        }
    if isinstance(body, list):
        return [_without_secrets(item) for item in body]
    return body


def _broken(seconds: float) -> Response:
    """Promises a body, keeps silent for `seconds`, then breaks the connection."""

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.sleep(seconds)
        raise ConnectionResetError("a fault asked for by the control API")
        yield b""

    return _SilentResponse(nothing(), headers={"Content-Length": "10"})


class _SilentResponse(StreamingResponse):
    """Sends not even a status line before its time is over, and then breaks off."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG002
        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        waiting = asyncio.ensure_future(self._wait())
        leaving = asyncio.ensure_future(gone())
        _, pending = await asyncio.wait({waiting, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        # A body shorter than promised makes the server close the connection.
        await send(
            {
                "type": "http.response.start",
                "status": 502,
                "headers": [(b"content-length", b"10"), (b"connection", b"close")],
            }
        )
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _wait(self) -> None:
        try:
            async for _ in self.body_iterator:
                pass
        except ConnectionResetError:
            pass
