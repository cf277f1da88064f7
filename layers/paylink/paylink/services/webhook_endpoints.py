"""Webhook endpoints as callers make, change, read and end them, and their secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from paylink.domain.errors import (
    PaylinkError,
    StateConflictError,
    ValidationError,
    WebhookNotFoundError,
)
from paylink.domain.ids import derived_id, new_id
from paylink.domain.organization import Owner
from paylink.domain.webhook import WebhookEndpoint, secret_of
from paylink.domain.webhook_events import API_VERSION
from paylink.domain.webhook_target import TargetRefusedError
from paylink.ports import (
    Clock,
    CredentialsStore,
    VersionConflictError,
    WebhookRepository,
    WebhookSender,
)
from paylink.services.list_items import ListRequest, Page, list_items
from paylink.services.settle_payment import back_off

MOST_ENDPOINTS = 50
"""Of one organization in one mode: every event looks at all of them."""
_ATTEMPTS = 8


@dataclass(frozen=True)
class NewEndpoint:
    """A validated request for an endpoint."""

    url: str
    events: tuple[str, ...]
    description: str | None = None


@dataclass(frozen=True)
class EndpointPorts:
    """What making, changing and calling endpoints needs from outside."""

    webhooks: WebhookRepository
    credentials: CredentialsStore
    sender: WebhookSender
    clock: Clock


def create_endpoint(
    wanted: NewEndpoint, seed: str | None, owner: Owner, created_by: str, ports: EndpointPorts
) -> tuple[WebhookEndpoint, str]:
    """A new endpoint and its secret, which is shown once; the same again for the same seed.

    Raises ValidationError for a URL that must not be called, and WebhookNotFoundError for a
    repetition after the endpoint was deleted.
    """
    _check_url(wanted.url, ports.sender)
    now = ports.clock()
    endpoint = WebhookEndpoint(
        id=derived_id("wh", seed) if seed is not None else new_id("wh"),
        organization_id=owner[0],
        mode=owner[1],
        url=wanted.url,
        events=wanted.events,
        api_version=API_VERSION,
        created_at=now,
        updated_at=now,
        created_by=created_by,
        description=wanted.description,
    )
    made_before = ports.webhooks.endpoint(*owner, endpoint.id)
    if made_before is not None:
        return made_before, _secret(made_before, ports.credentials)
    if len(ports.webhooks.endpoints(*owner)) >= MOST_ENDPOINTS:
        raise ValidationError.of("url", f"There are {MOST_ENDPOINTS} endpoints already.")
    secret = _secret(endpoint, ports.credentials)
    try:
        ports.webhooks.add_endpoint(endpoint)
    except VersionConflictError:
        endpoint = read_endpoint(endpoint.id, owner, ports.webhooks)
    return endpoint, secret


def read_endpoint(endpoint_id: str, owner: Owner, webhooks: WebhookRepository) -> WebhookEndpoint:
    """Raises WebhookNotFoundError, for anybody else's as well."""
    found = webhooks.endpoint(*owner, endpoint_id)
    if found is None:
        raise WebhookNotFoundError()
    return found


def list_endpoints(request: ListRequest, ports: EndpointPorts) -> Page[WebhookEndpoint]:
    """Raises ValidationError for a cursor of another list."""
    found = ports.webhooks.endpoints(request.organization_id, request.mode)
    placed = [(f"{e.created_at.isoformat(timespec='microseconds')}#{e.id}", e) for e in found]

    def read(before: str | None, limit: int) -> list[tuple[str, WebhookEndpoint]]:
        return [(at, e) for at, e in placed if before is None or at < before][:limit]

    return list_items(request, read, ports.credentials)


def update_endpoint(
    endpoint_id: str, changes: Mapping[str, Any], owner: Owner, ports: EndpointPorts
) -> WebhookEndpoint:
    """The endpoint with some members changed; switched on, nothing is held against it any more.

    ``changes`` are members of `WebhookEndpoint`. Raises WebhookNotFoundError, and ValidationError
    for a URL that must not be called.
    """
    if "url" in changes:
        _check_url(changes["url"], ports.sender)

    def change(endpoint: WebhookEndpoint) -> WebhookEndpoint:
        changed = replace(endpoint, **changes)
        if changes.get("is_active") is True:
            changed = changed.switched_on() if not endpoint.is_active else changed
        elif changes.get("is_active") is False:
            changed = replace(changed, disabled_reason=None)
        return changed

    return _changed(endpoint_id, change, owner, ports)


def delete_endpoint(endpoint_id: str, owner: Owner, ports: EndpointPorts) -> WebhookEndpoint:
    """Ends an endpoint: nothing more is sent to it, not even what is on its way.

    Raises WebhookNotFoundError.
    """
    endpoint = read_endpoint(endpoint_id, owner, ports.webhooks)
    ports.webhooks.delete_endpoint(endpoint, ports.clock())
    return endpoint


def rotate_secret(
    endpoint_id: str, overlap: timedelta, seed: str | None, owner: Owner, ports: EndpointPorts
) -> tuple[WebhookEndpoint, str]:
    """The endpoint and its new secret; the old one signs as well until the overlap is over.

    Under the same seed it is the same secret. Raises WebhookNotFoundError.
    """
    by = derived_id("rot", seed) if seed is not None else None

    def rotate(endpoint: WebhookEndpoint) -> WebhookEndpoint:
        if by is not None and endpoint.rotated_by == by:
            return endpoint
        return endpoint.rotated(ports.clock() + overlap, by)

    endpoint = _changed(endpoint_id, rotate, owner, ports)
    return endpoint, _secret(endpoint, ports.credentials)


def _changed(
    endpoint_id: str,
    change: Callable[[WebhookEndpoint], WebhookEndpoint],
    owner: Owner,
    ports: EndpointPorts,
) -> WebhookEndpoint:
    for attempt in range(_ATTEMPTS):
        endpoint = read_endpoint(endpoint_id, owner, ports.webhooks)
        wanted = change(endpoint)
        if wanted == endpoint:
            return endpoint
        try:
            return ports.webhooks.update_endpoint(replace(wanted, updated_at=ports.clock()))
        except VersionConflictError:
            back_off(attempt)
    raise StateConflictError("The endpoint is being changed by several requests at once.")


def _check_url(url: str, sender: WebhookSender) -> None:
    try:
        sender.check(url)
    except TargetRefusedError as refused:
        raise ValidationError.of("url", str(refused)) from None


def _secret(endpoint: WebhookEndpoint, credentials: CredentialsStore) -> str:
    secrets = credentials.get(*endpoint.owner)
    if secrets is None:
        raise PaylinkError()
    return secret_of(endpoint, endpoint.generation, secrets.signing_key)
