"""What a call knows while it runs: whose it is, the time, where to write and whom to tell."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import stripe

from . import tax
from .errors import Json, no_such
from .ids import new_id
from .storage import Scope, Store

API_VERSION: str = stripe.api_version or ""

DEFAULT_ACCOUNT: Json = {
    "business_profile": {"name": "Sandbox seller", "url": None, "support_email": None},
    "country": "US",
    "default_currency": "usd",
    "email": "seller@example.com",
    "tax_settings": {
        "status": "active",
        "head_office": {"country": "US", "state": "CA", "postal_code": "94111"},
        "tax_behavior": None,
        "tax_code": "txcd_10000000",
    },
    "tax_registrations": tax.DEFAULT_REGISTRATIONS,
    # "succeeded", or "pending" for refunds that wait for the control API's word.
    "refund_status": "succeeded",
    # How long a charge's balance transaction stays null, in seconds.
    "balance_delay": 0.5,
}

# What an error calls an object of each type.
NOUNS = {
    "customer": "customer",
    "payment_method": "PaymentMethod",
    "checkout.session": "checkout.session",
    "payment_intent": "payment_intent",
    "charge": "charge",
    "refund": "refund",
    "dispute": "dispute",
    "event": "event",
    "webhook_endpoint": "webhook endpoint",
    "balance_transaction": "balance transaction",
    "tax.calculation": "tax calculation",
    "tax_id": "tax id",
    "tax_rate": "tax rate",
    "product": "product",
    "price": "price",
    "mandate": "mandate",
}


@dataclass
class Context:
    """`scope` may read every account for an inspection key; writes go to `own`."""

    store: Store
    scope: Scope
    base_url: str
    params: Json = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    request_id: str | None = None
    idempotency_key: str | None = None

    @property
    def own(self) -> Scope:
        return Scope(self.scope.account, self.scope.livemode)

    @property
    def livemode(self) -> bool:
        return self.scope.livemode

    @property
    def now(self) -> int:
        return int(self.store.now())

    def account(self) -> Json:
        return account_settings(self.store, self.scope.account)

    def put(self, body: Json) -> Json:
        return self.store.put(self.own, body)

    def find(self, kind: str, id_: str, param: str, *, in_path: bool = False) -> Json:
        """The object, or Stripe's `resource_missing`."""
        scope = self.scope if in_path else self.own
        found = self.store.get(scope, kind, id_)
        if found is None:
            other = self.store.exists_in_mode(self.scope.account, kind, id_, not self.livemode)
            raise no_such(
                NOUNS.get(kind, kind),
                id_,
                param,
                in_path=in_path,
                other_mode=("test" if self.livemode else "live") if other else None,
            )
        return found

    def emit(self, type_: str, body: Json, previous: Json | None = None) -> Json:
        """Records an event about `body` as it is now, and has it delivered after the commit."""
        data: Json = {"object": public(copy.deepcopy(body))}
        if previous is not None:
            data["previous_attributes"] = previous
        event = {
            "id": new_id("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": self.now,
            "data": data,
            "livemode": self.livemode,
            "pending_webhooks": 0,
            "request": {"id": self.request_id, "idempotency_key": self.idempotency_key},
            "type": type_,
        }
        self.put(event)
        scope = self.own
        for announce in self.store.listeners:
            announce(scope, event)
        return event


def account_settings(store: Store, account: str) -> Json:
    """An account's settings; an account comes into being when its first key is used."""
    saved = store.account(account)
    if saved is None:
        saved = {"id": account, "created": int(store.now())}
        store.put_account(account, saved)
    return {**copy.deepcopy(DEFAULT_ACCOUNT), **saved}


def public(body: Json) -> Json:
    """Without the sandbox's own members."""
    return {name: value for name, value in body.items() if not name.startswith("_")}
