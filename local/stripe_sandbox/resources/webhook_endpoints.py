"""Webhook endpoints. The secret is told once, when the endpoint is made."""

from __future__ import annotations

import secrets
from urllib.parse import urlsplit

from ..context import Context
from ..errors import Json, invalid
from ..ids import new_id
from ..validation import merge_metadata
from . import lists
from .checkout_sessions import check_url

_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_MAX_ENDPOINTS = 16


def new_secret() -> str:
    return "whsec_" + secrets.token_urlsafe(24).replace("-", "x").replace("_", "y")


def create(ctx: Context) -> Json:
    params = ctx.params
    _check(ctx, params["url"])
    if len(ctx.store.select(ctx.own, "webhook_endpoint")) >= _MAX_ENDPOINTS:
        raise invalid(f"You have reached the maximum of {_MAX_ENDPOINTS} webhook endpoints.")
    secret = new_secret()
    endpoint: Json = {
        "id": new_id("we"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": ctx.now,
        "description": params.get("description") or None,
        "enabled_events": params["enabled_events"],
        "livemode": ctx.livemode,
        "metadata": merge_metadata({}, params.get("metadata", {})),
        "status": "enabled",
        "url": params["url"],
        "_secrets": [secret],
    }
    ctx.put(endpoint)
    return {**endpoint, "secret": secret}


def _check(ctx: Context, url: str) -> None:
    check_url(url, "url")
    parts = urlsplit(url)
    # Stripe wants https in live mode; here the receiver may be on this machine.
    if ctx.livemode and parts.scheme != "https" and parts.hostname not in _LOCAL:
        raise invalid(
            "Invalid URL: Livemode webhook endpoints must use HTTPS.", "url", "url_invalid"
        )


def retrieve(ctx: Context) -> Json:
    return ctx.find("webhook_endpoint", ctx.path["id"], "id", in_path=True)


def list_all(ctx: Context) -> Json:
    items = ctx.store.select(ctx.scope, "webhook_endpoint")
    return lists.page(ctx, items, "/v1/webhook_endpoints")


def update(ctx: Context) -> Json:
    endpoint = retrieve(ctx)
    params = ctx.params
    if "url" in params:
        _check(ctx, params["url"])
        endpoint["url"] = params["url"]
    if "enabled_events" in params:
        endpoint["enabled_events"] = params["enabled_events"]
    if "description" in params:
        endpoint["description"] = params["description"] or None
    if "disabled" in params:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    if "metadata" in params:
        endpoint["metadata"] = merge_metadata(endpoint["metadata"], params["metadata"])
    return ctx.put(endpoint)


def delete(ctx: Context) -> Json:
    endpoint = retrieve(ctx)
    ctx.store.delete(endpoint["id"])
    for delivery in ctx.store.deliveries(endpoint=endpoint["id"]):
        if delivery["state"] in ("pending", "held"):
            ctx.store.put_delivery({**delivery, "state": "failed"})
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}
