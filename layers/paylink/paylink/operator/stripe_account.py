"""A seller's account at Stripe: its secrets come from the environment and go to the store."""

from __future__ import annotations

import argparse
import math
import os
import re
import secrets
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from paylink.adapters.ssm import CACHE_SECONDS
from paylink.adapters.stripe.setup import (
    API_VERSION,
    StripeSetup,
    StripeSetupError,
    WebhookEndpoint,
)
from paylink.domain.organization import MODES, Mode, Organization, ProviderCredentials
from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError

STRIPE_SECRET_KEY = "PAYLINK_STRIPE_SECRET_KEY"  # noqa: S105 - a variable's name
STRIPE_WEBHOOK_SECRETS = "PAYLINK_STRIPE_WEBHOOK_SECRETS"
FINISH_AFTER = timedelta(seconds=CACHE_SECONDS + 60)
"""By then no function works with secrets from before a rotation."""
_TAX_SETTINGS = "https://dashboard.stripe.com/settings/tax"
_KEY_OF_A_MODE = re.compile(r"(?:sk|rk)_(live|test)_")


def add_to(things: Any) -> None:
    """The actions of ``paylink stripe``."""
    stripe = things.add_parser("stripe", help="a seller's account at Stripe")
    actions = stripe.add_subparsers(required=True, metavar="connect|rotate-webhook|set")
    connected = add_action(
        actions,
        "connect",
        connect,
        f"make the webhook endpoint with the key in {STRIPE_SECRET_KEY}, and keep the secrets;"
        " again, it takes a new key or new events",
    )
    rotated = add_action(
        actions,
        "rotate-webhook",
        rotate_webhook,
        "a new endpoint with a new secret; the old ones are good until --finish",
    )
    rotated.add_argument(
        "--finish", action="store_true", help="remove the old endpoint and its secret"
    )
    kept = add_action(
        actions,
        "set",
        set_stripe,
        f"keep the secrets found in {STRIPE_SECRET_KEY} and {STRIPE_WEBHOOK_SECRETS}, for an"
        " endpoint that was made elsewhere",
    )
    for action in (connected, rotated, kept):
        action.add_argument("organization", help="org_…")
        action.add_argument("--mode", choices=MODES, required=True)


def connect(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    organization = deployment.organization(options.organization)
    key = _key_of(options.mode)
    setup = StripeSetup(key, deployment.stripe_api_base)
    url = deployment.webhook_url(organization.id, options.mode)
    known = _known(deployment, organization.id, options.mode)
    found = _ours(setup, url, known)
    tax = _tax(setup, organization)
    if WebhookEndpoint(known.webhook_endpoint, url, API_VERSION) in found:
        setup.renew_endpoint(known.webhook_endpoint)
        credentials = replace(known, secret_key=key)
    else:
        made = setup.create_endpoint(url, _description(organization))
        credentials = replace(
            known, secret_key=key, webhook_secrets=(made.secret,), webhook_endpoint=made.id
        )
    _keep(deployment, organization.id, options.mode, credentials)
    if not _rotates(credentials):
        # Nobody knows their secrets any more, and each would be a webhook that fails.
        _remove(setup, found, credentials)
    return {
        "organization": organization.id,
        "mode": options.mode,
        "webhookEndpoint": credentials.webhook_endpoint,
        "webhookUrl": url,
        "apiVersion": API_VERSION,
        "tax": tax,
    }


def rotate_webhook(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    organization = deployment.organization(options.organization)
    known = _known(deployment, organization.id, options.mode)
    if not known.secret_key or not known.webhook_secrets:
        raise UsageError(f"no Stripe account is connected in {options.mode} mode")
    setup = StripeSetup(known.secret_key, deployment.stripe_api_base)
    url = deployment.webhook_url(organization.id, options.mode)
    if options.finish:
        changed_at = deployment.credentials.changed_at(organization.id, options.mode)
        credentials = _finish(setup, _ours(setup, url, known), known, changed_at)
    elif _rotates(known):
        raise UsageError("a rotation is under way: end it with --finish")
    else:
        made = setup.create_endpoint(url, _description(organization))
        credentials = replace(
            known,
            webhook_secrets=(made.secret, *known.webhook_secrets),
            webhook_endpoint=made.id,
        )
    _keep(deployment, organization.id, options.mode, credentials)
    return {
        "organization": organization.id,
        "mode": options.mode,
        "webhookEndpoint": credentials.webhook_endpoint,
        "validSecrets": len(credentials.webhook_secrets),
    }


def set_stripe(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    organization = deployment.organization(options.organization)
    hooks = os.environ.get(STRIPE_WEBHOOK_SECRETS)
    if not os.environ.get(STRIPE_SECRET_KEY) or not hooks:
        raise UsageError(f"set {STRIPE_SECRET_KEY} and {STRIPE_WEBHOOK_SECRETS} (comma between)")
    credentials = replace(
        _known(deployment, organization.id, options.mode),
        secret_key=_key_of(options.mode),
        webhook_secrets=tuple(s.strip() for s in hooks.split(",") if s.strip()),
        webhook_endpoint="",
    )
    _keep(deployment, organization.id, options.mode, credentials)
    return {"organization": organization.id, "mode": options.mode, "stripe": "set"}


def _key_of(mode: Mode) -> str:
    """The environment's key. Of the other mode, its webhooks would never be this mode's."""
    key = os.environ.get(STRIPE_SECRET_KEY, "").strip()
    if not key:
        raise UsageError(f"set {STRIPE_SECRET_KEY} to a secret or restricted key of Stripe")
    found = _KEY_OF_A_MODE.match(key)
    if found and (found[1] == "live") != (mode == "live"):
        raise UsageError(f"the key in {STRIPE_SECRET_KEY} is a {found[1]} key, not one for {mode}")
    return key


def _known(deployment: Deployment, organization_id: str, mode: Mode) -> ProviderCredentials:
    known = deployment.credentials.get(organization_id, mode)
    return known or ProviderCredentials("", (), signing_key=secrets.token_hex(32))


def _keep(
    deployment: Deployment, organization_id: str, mode: Mode, credentials: ProviderCredentials
) -> None:
    deployment.credentials.put(organization_id, mode, credentials)
    deployment.organizations.add_account((organization_id, mode), datetime.now(UTC))


def _ours(setup: StripeSetup, url: str, known: ProviderCredentials) -> list[WebhookEndpoint]:
    """A URL names stack, organization and mode, so whatever is there is this one's; so is the one
    that is known, if the stack has moved to another address."""
    return [e for e in setup.endpoints() if e.url == url or e.id == known.webhook_endpoint]


def _rotates(credentials: ProviderCredentials) -> bool:
    return bool(credentials.webhook_endpoint) and len(credentials.webhook_secrets) > 1


def _finish(
    setup: StripeSetup,
    found: list[WebhookEndpoint],
    known: ProviderCredentials,
    changed_at: datetime | None,
) -> ProviderCredentials:
    if not _rotates(known):
        raise UsageError("no rotation is under way")
    left = changed_at + FINISH_AFTER - datetime.now(UTC) if changed_at else timedelta()
    if left > timedelta():
        raise UsageError(
            "functions may not know the new secret yet, and would refuse what it signed: finish in"
            f" {math.ceil(left.total_seconds())} seconds"
        )
    if known.webhook_endpoint not in {endpoint.id for endpoint in found}:
        raise UsageError("the new endpoint is gone from Stripe: paylink stripe connect makes one")
    # The endpoints first: one without a valid secret would only fail.
    _remove(setup, found, known)
    return replace(known, webhook_secrets=known.webhook_secrets[:1])


def _remove(
    setup: StripeSetup, found: list[WebhookEndpoint], credentials: ProviderCredentials
) -> None:
    for endpoint in found:
        if endpoint.id != credentials.webhook_endpoint:
            setup.remove_endpoint(endpoint.id)


def _description(organization: Organization) -> str:
    return f"paylink, {organization.id}"


def _tax(setup: StripeSetup, organization: Organization) -> str:
    if organization.tax.mode != "stripe":
        return f"Stripe Tax is not asked: this organization's tax mode is {organization.tax.mode}."
    try:
        found = setup.tax()
    except StripeSetupError as error:
        return f"Whether Stripe Tax is active is not known: {error}."
    if found.active:
        return f"Stripe Tax is active; where you are registered is at {_TAX_SETTINGS}."
    missing = f" It waits for: {', '.join(found.missing)}." if found.missing else ""
    return (
        f"Stripe Tax is NOT active, and links can't be paid before it is.{missing} Set it up at"
        f" {_TAX_SETTINGS}, or give the organization another --tax-mode."
    )
