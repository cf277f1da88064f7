"""A seller's account at Stripe: its secrets come from the environment and go to the store."""

from __future__ import annotations

import argparse
import os
import secrets
from datetime import UTC, datetime
from typing import Any

from paylink.domain.organization import MODES, ProviderCredentials
from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError

STRIPE_SECRET_KEY = "PAYLINK_STRIPE_SECRET_KEY"  # noqa: S105 - a variable's name
STRIPE_WEBHOOK_SECRETS = "PAYLINK_STRIPE_WEBHOOK_SECRETS"


def add_to(things: Any) -> None:
    """The actions of ``paylink stripe``."""
    stripe = things.add_parser("stripe", help="a seller's account at Stripe")
    actions = stripe.add_subparsers(required=True, metavar="set")
    keys_of_stripe = add_action(
        actions,
        "set",
        set_stripe,
        f"keep the secrets found in {STRIPE_SECRET_KEY} and {STRIPE_WEBHOOK_SECRETS}",
    )
    keys_of_stripe.add_argument("organization", help="org_…")
    keys_of_stripe.add_argument("--mode", choices=MODES, required=True)


def set_stripe(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    organization = deployment.organization(options.organization)
    known = deployment.credentials.get(organization.id, options.mode)
    key, hooks = os.environ.get(STRIPE_SECRET_KEY), os.environ.get(STRIPE_WEBHOOK_SECRETS)
    if not key or not hooks:
        raise UsageError(f"set {STRIPE_SECRET_KEY} and {STRIPE_WEBHOOK_SECRETS} (comma between)")
    credentials = ProviderCredentials(
        secret_key=key,
        webhook_secrets=tuple(s.strip() for s in hooks.split(",") if s.strip()),
        signing_key=known.signing_key if known else secrets.token_hex(32),
    )
    deployment.credentials.put(organization.id, options.mode, credentials)
    deployment.organizations.add_account((organization.id, options.mode), datetime.now(UTC))
    return {"organization": organization.id, "mode": options.mode, "stripe": "set"}
