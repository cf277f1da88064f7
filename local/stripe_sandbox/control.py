"""The control API: what tests, and people trying things, may ask besides Stripe's own API.

JSON in, JSON out, under `/_control/`. README.md beside this file lists every call.
"""

# ruff: noqa: ARG002 - every handler has the same signature, whether it needs all of it or not

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import cards, clock, payments, tax
from .api import Api
from .context import API_VERSION, DEFAULT_ACCOUNT, Context, account_settings
from .errors import Json, StripeError
from .expand import strip
from .faults import Fault, FaultError
from .resources import checkout_sessions, disputes, refunds, webhook_endpoints
from .storage import Scope
from .webhooks import Dispatcher, Rule, RuleError

_MAX_COPIES = 200
_DEFAULT_LIMIT = 1000
_REFUND_FAILURES = (
    "charge_for_pending_refund_disputed",
    "declined",
    "expired_or_canceled_card",
    "insufficient_funds",
    "lost_or_stolen_card",
    "merchant_request",
    "unknown",
)


class ControlError(Exception):
    """The call makes no sense; the message says why."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


Handler = Callable[[Request, Json], Awaitable[Any]]


class Control:
    def __init__(self, api: Api, dispatcher: Dispatcher) -> None:
        self._api = api
        self._store = api.store
        self._webhooks = dispatcher

    def routes(self) -> list[Route]:
        calls: list[tuple[str, str, Handler]] = [
            ("GET", "health", self.health),
            ("POST", "reset", self.reset),
            ("POST", "clear", self.clear),
            ("GET", "requests", self.requests),
            ("DELETE", "requests", self.clear_requests),
            ("GET", "samples", self.samples),
            ("GET", "clock", self.show_clock),
            ("POST", "clock", self.move_clock),
            ("GET", "accounts/{account}", self.account),
            ("POST", "accounts/{account}", self.set_account),
            ("GET", "faults", self.show_faults),
            ("POST", "faults", self.add_fault),
            ("DELETE", "faults", self.clear_faults),
            ("GET", "deliveries", self.deliveries),
            ("GET", "webhooks/rules", self.show_rules),
            ("DELETE", "webhooks/rules", self.clear_rules),
            ("POST", "webhooks/release", self.release),
            ("POST", "webhooks/retry", self.retry),
            ("POST", "webhooks/resend", self.resend),
            ("POST", "webhooks/{rule}", self.add_rule),
            ("POST", "webhook_endpoints/{id}/roll_secret", self.roll_secret),
            ("POST", "payment_intents/{id}/settle", self.settle),
            ("POST", "payment_intents/{id}/bounce", self.bounce),
            ("POST", "payment_intents/{id}/authenticate", self.authenticate),
            ("POST", "checkout_sessions/{id}/expire", self.expire),
            ("POST", "payment_methods/{id}", self.set_method),
            ("POST", "charges/{id}/post_balance", self.post_balance),
            ("POST", "refunds", self.refund),
            ("POST", "refunds/{id}/succeed", self.refund_succeed),
            ("POST", "refunds/{id}/fail", self.refund_fail),
            ("POST", "disputes", self.dispute),
            ("POST", "disputes/{id}/close", self.dispute_close),
            ("POST", "disputes/{id}/escalate", self.dispute_escalate),
        ]
        return [
            Route(f"/_control/{path}", self._wrap(handler), methods=[method])
            for method, path, handler in calls
        ]

    def _wrap(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                text = await request.body()
                given = json.loads(text) if text else {}
                if not isinstance(given, dict):
                    return _problem("the body must be a JSON object", 400)
                return JSONResponse(strip(await handler(request, given)))
            except (json.JSONDecodeError, UnicodeDecodeError) as error:
                return _problem(f"the body isn't JSON: {error}", 400)
            except ControlError as error:
                return _problem(str(error), error.status)
            except StripeError as error:
                return _problem(error.message, error.status)
            except (FaultError, RuleError, KeyError, TypeError, ValueError) as error:
                return _problem(f"{type(error).__name__}: {error}", 400)

        return endpoint

    def _object(self, request: Request, id_: str, kind: str) -> tuple[Context, Json]:
        clock.tick(self._store)
        found = self._store.find_any(id_)
        if found is None or found[1]["object"] != kind:
            raise ControlError(f"no {kind} {id_}", 404)
        return Context(self._store, found[0], self._api.base_url(request)), found[1]

    def _charge(self, request: Request, given: Json) -> tuple[Context, Json]:
        """By `charge` or `payment_intent`, whichever is given."""
        if "charge" in given:
            return self._object(request, given["charge"], "charge")
        if "payment_intent" not in given:
            raise ControlError("give charge or payment_intent")
        ctx, intent = self._object(request, given["payment_intent"], "payment_intent")
        if not intent["latest_charge"]:
            raise ControlError(f"{intent['id']} has no charge")
        return ctx, ctx.find("charge", intent["latest_charge"], "charge")

    # -- the sandbox itself

    async def health(self, request: Request, given: Json) -> Json:
        return {
            "ok": True,
            "api_version": API_VERSION,
            "time": self._store.now(),
            "accounts": self._store.accounts(),
        }

    async def reset(self, request: Request, given: Json) -> Json:
        self._clear_trouble()
        self._store.clear(keep_endpoints=bool(given.get("keep_endpoints")))
        return {"ok": True}

    async def clear(self, request: Request, given: Json) -> Json:
        """Ends all faults and rules, and sends what is held; objects stay."""
        self._clear_trouble()
        released = await self._webhooks.release("given", at_once=False)
        return {"ok": True, "released": len(released)}

    def _clear_trouble(self) -> None:
        self._api.faults.clear()
        self._webhooks.clear_rules()

    async def requests(self, request: Request, given: Json) -> Json:
        query = request.query_params
        found = self._store.requests(
            path=query.get("path", ""),
            method=query.get("method", "").upper(),
            since=float(query.get("since", 0)),
            limit=int(query.get("limit", _DEFAULT_LIMIT)),
        )
        return {"requests": found}

    async def clear_requests(self, request: Request, given: Json) -> Json:
        self._store.clear_requests()
        return {"ok": True}

    async def samples(self, request: Request, given: Json) -> Json:
        """The newest object of each type, to compare shapes with Stripe's."""
        scope = Scope(request.query_params["account"], "live" in request.query_params)
        found = {kind: self._store.select(scope, kind)[:1] for kind in self._store.kinds()}
        return {kind: items[0] for kind, items in found.items() if items}

    async def show_clock(self, request: Request, given: Json) -> Json:
        return {"now": self._store.now(), "offset": self._store.setting("clock_offset") or 0}

    async def move_clock(self, request: Request, given: Json) -> Json:
        """`advance` by seconds, or set the `offset` from the machine's clock."""
        offset = float(self._store.setting("clock_offset") or 0)
        if "offset" in given:
            offset = float(given["offset"])
        offset += float(given.get("advance", 0))
        self._store.set_setting("clock_offset", offset)
        clock.tick(self._store)
        return await self.show_clock(request, given)

    async def account(self, request: Request, given: Json) -> Json:
        return account_settings(self._store, request.path_params["account"])

    async def set_account(self, request: Request, given: Json) -> Json:
        """Changes settings; nested objects are merged."""
        id_ = request.path_params["account"]
        settings = account_settings(self._store, id_)
        unknown = sorted(given.keys() - DEFAULT_ACCOUNT.keys())
        if unknown:
            raise ControlError(
                f"unknown: {', '.join(unknown)}; known: {', '.join(DEFAULT_ACCOUNT)}"
            )
        for name, value in given.items():
            old = settings[name]
            settings[name] = {**old, **value} if isinstance(old, dict) else value
        if settings["refund_status"] not in ("succeeded", "pending"):
            raise ControlError("refund_status must be succeeded or pending")
        places = settings["tax_registrations"]
        if places == "default":
            settings["tax_registrations"] = tax.DEFAULT_REGISTRATIONS
        elif not isinstance(places, list):
            raise ControlError(
                "tax_registrations must be a list like ['DE', 'US-CA'], or 'default'"
            )
        self._store.put_account(id_, settings)
        return settings

    # -- trouble with the API

    async def show_faults(self, request: Request, given: Json) -> Json:
        return {"faults": self._api.faults.show()}

    async def add_fault(self, request: Request, given: Json) -> Json:
        self._api.faults.add(Fault.parse(given))
        return await self.show_faults(request, given)

    async def clear_faults(self, request: Request, given: Json) -> Json:
        self._api.faults.clear()
        return await self.show_faults(request, given)

    # -- trouble with webhooks

    async def deliveries(self, request: Request, given: Json) -> Json:
        query = request.query_params
        columns = {name: query[name] for name in ("event", "endpoint", "state") if name in query}
        found = self._store.deliveries(**columns)
        if "type" in query:
            found = [item for item in found if item["type"] == query["type"]]
        return {"deliveries": found}

    async def show_rules(self, request: Request, given: Json) -> Json:
        return {
            "rules": self._webhooks.rules(),
            "held": [item["event"] for item in self._store.deliveries(state="held")],
        }

    async def add_rule(self, request: Request, given: Json) -> Json:
        self._webhooks.add_rule(Rule.parse(request.path_params["rule"], given))
        return await self.show_rules(request, given)

    async def clear_rules(self, request: Request, given: Json) -> Json:
        self._webhooks.clear_rules()
        return await self.show_rules(request, given)

    async def release(self, request: Request, given: Json) -> Json:
        """Ends holding too, unless `keep_holding`."""
        if not given.get("keep_holding"):
            self._webhooks.drop_rules("hold")
        sent = await self._webhooks.release(
            given.get("order", "given"), at_once=bool(given.get("at_once"))
        )
        return {"deliveries": sent}

    async def retry(self, request: Request, given: Json) -> Json:
        return {"waiting": self._webhooks.retry_now()}

    async def resend(self, request: Request, given: Json) -> Json:
        ctx, event = self._object(request, given["event"], "event")
        copies = int(given.get("copies", 1))
        if not 1 <= copies <= _MAX_COPIES:
            raise ControlError(f"copies must be 1 to {_MAX_COPIES}")
        sent = await self._webhooks.resend(
            event, ctx.own, copies, given.get("corrupt"), given.get("endpoint")
        )
        return {"deliveries": sent}

    async def roll_secret(self, request: Request, given: Json) -> Json:
        """A new secret; the old one goes on signing beside it unless `expire_old`."""
        ctx, endpoint = self._object(request, request.path_params["id"], "webhook_endpoint")
        secret = webhook_endpoints.new_secret()
        kept = [] if given.get("expire_old") else endpoint["_secrets"][:1]
        ctx.put({**endpoint, "_secrets": [secret, *kept]})
        return {"id": endpoint["id"], "secret": secret}

    # -- what banks, buyers and the dashboard do

    async def settle(self, request: Request, given: Json) -> Json:
        ctx, intent = self._object(request, request.path_params["id"], "payment_intent")
        with self._store.transaction():
            return payments.settle_debit(ctx, intent)

    async def bounce(self, request: Request, given: Json) -> Json:
        ctx, intent = self._object(request, request.path_params["id"], "payment_intent")
        with self._store.transaction():
            return payments.bounce_debit(ctx, intent)

    async def authenticate(self, request: Request, given: Json) -> Json:
        """The buyer's answer to 3-D Secure, for an intent that isn't a checkout session's."""
        ctx, intent = self._object(request, request.path_params["id"], "payment_intent")
        if intent["status"] != "requires_action":
            raise ControlError(f"{intent['id']} is {intent['status']}")
        method = ctx.find("payment_method", intent["payment_method"], "payment_method")
        with self._store.transaction():
            if given.get("approve", True):
                ctx.put({**method, "_authenticated": True})
                payments.succeed(ctx, intent, {**method, "_authenticated": True})
            else:
                payments.decline(ctx, intent, method, "authentication_failure")
        return intent

    async def expire(self, request: Request, given: Json) -> Json:
        ctx, session = self._object(request, request.path_params["id"], "checkout.session")
        if session["status"] != "open":
            raise ControlError(f"the session is {session['status']}")
        with self._store.transaction():
            return checkout_sessions.end(ctx, session)

    async def set_method(self, request: Request, given: Json) -> Json:
        """What charging a saved payment method ends in from now on."""
        ctx, method = self._object(request, request.path_params["id"], "payment_method")
        outcome = given["off_session"]
        if outcome not in ("ok", "pending", *cards.DECLINES):
            raise ControlError(f"off_session must be ok, pending or one of {list(cards.DECLINES)}")
        return ctx.put({**method, "_off_session": outcome})

    async def post_balance(self, request: Request, given: Json) -> Json:
        ctx, charge = self._object(request, request.path_params["id"], "charge")
        clock.tick(self._store, charge["id"])
        charge = ctx.find("charge", charge["id"], "charge")
        with self._store.transaction():
            payments.post_balance_later(ctx, charge)
        return charge

    async def refund(self, request: Request, given: Json) -> Json:
        ctx, charge = self._charge(request, given)
        with self._store.transaction():
            return refunds.make(
                ctx,
                charge,
                given.get("amount"),
                given.get("reason", "requested_by_customer"),
                given.get("metadata", {}),
                str(given.get("status", ctx.account()["refund_status"])),
            )

    async def refund_succeed(self, request: Request, given: Json) -> Json:
        ctx, refund = self._object(request, request.path_params["id"], "refund")
        with self._store.transaction():
            return refunds.succeed(ctx, refund)

    async def refund_fail(self, request: Request, given: Json) -> Json:
        reason = given.get("reason", "lost_or_stolen_card")
        if reason not in _REFUND_FAILURES:
            raise ControlError(f"reason must be one of {', '.join(_REFUND_FAILURES)}")
        ctx, refund = self._object(request, request.path_params["id"], "refund")
        with self._store.transaction():
            return refunds.fail(ctx, refund, reason)

    async def dispute(self, request: Request, given: Json) -> Json:
        ctx, charge = self._charge(request, given)
        with self._store.transaction():
            return disputes.open_dispute(
                ctx,
                charge,
                given.get("amount"),
                given.get("reason", "fraudulent"),
                inquiry=bool(given.get("inquiry")),
            )

    async def dispute_close(self, request: Request, given: Json) -> Json:
        outcome = given.get("outcome")
        if outcome not in disputes.CLOSED:
            raise ControlError(f"outcome must be one of {', '.join(disputes.CLOSED)}")
        ctx, dispute = self._object(request, request.path_params["id"], "dispute")
        with self._store.transaction():
            return disputes.decide(ctx, dispute, outcome)

    async def dispute_escalate(self, request: Request, given: Json) -> Json:
        ctx, dispute = self._object(request, request.path_params["id"], "dispute")
        with self._store.transaction():
            return disputes.escalate(ctx, dispute)


def _problem(message: str, status: int) -> Response:
    return JSONResponse({"error": message}, status_code=status)
