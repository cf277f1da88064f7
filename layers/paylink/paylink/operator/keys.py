"""API keys: the first one of an organization can be made by nobody else."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

from paylink.domain.api_key import generate
from paylink.domain.organization import MODES
from paylink.domain.timestamps import timestamp
from paylink.operator.actions import add_action
from paylink.operator.deployment import Deployment, UsageError


def add_to(things: Any) -> None:
    """The actions of ``paylink keys``."""
    keys = things.add_parser("keys", help="API keys")
    actions = keys.add_subparsers(required=True, metavar="create|delete")
    create = add_action(actions, "create", create_key, "a new key, shown this once")
    create.add_argument("organization", help="org_…")
    create.add_argument("--mode", choices=MODES, required=True)
    create.add_argument("--name", default="operator")
    create.add_argument("--expires-in-days", type=int, choices=range(1, 3651), metavar="1..3650")
    delete = add_action(actions, "delete", delete_key, "end a key; within a minute nobody takes it")
    delete.add_argument("key", help="the key's id")


def create_key(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    organization = deployment.organization(options.organization)
    now = datetime.now(UTC)
    days = options.expires_in_days
    key, plain = generate(
        organization.id,
        options.mode,
        options.name,
        now,
        now + timedelta(days=days) if days is not None else None,
    )
    deployment.keys.add(key)
    return {
        "id": key.id,
        "mode": key.mode,
        "expiresAt": timestamp(key.expires_at),
        "apiKey": plain,
    }


def delete_key(deployment: Deployment, options: argparse.Namespace) -> dict[str, Any]:
    key = deployment.keys.get(options.key)
    if key is None:
        raise UsageError(f"there is no key {options.key}")
    deployment.keys.delete(key, datetime.now(UTC))
    return {"id": options.key, "deleted": True}
