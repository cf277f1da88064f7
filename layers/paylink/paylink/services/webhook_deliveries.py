"""Deliveries as callers see them: the log of an endpoint, a test, and what is to be sent again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from paylink.domain.errors import StateConflictError, ValidationError, WebhookNotFoundError
from paylink.domain.ids import new_id
from paylink.domain.organization import Owner
from paylink.domain.webhook import (
    Conclusion,
    Delivery,
    WebhookEndpoint,
    conclude,
    delivery_of,
    resent,
)
from paylink.domain.webhook_events import TEST_EVENT, Outgoing
from paylink.ports import Clock, CredentialsStore, VersionConflictError, WebhookRepository
from paylink.services.deliver_webhook import attempt_delivery
from paylink.services.list_items import ListRequest, Page, list_items
from paylink.services.settle_payment import back_off
from paylink.services.webhook_endpoints import EndpointPorts, read_endpoint

_ATTEMPTS = 6
_PAGE = 100
_PATIENCE = timedelta(seconds=18)  # the function has ten seconds more


@dataclass(frozen=True)
class Resent:
    """How many were queued; ``complete`` is False where the time was over before the work was."""

    count: int
    complete: bool


def list_deliveries(
    endpoint_id: str,
    request: ListRequest,
    *,
    status: str | None,
    webhooks: WebhookRepository,
    credentials: CredentialsStore,
    clock: Clock,
) -> Page[Delivery]:
    """Raises WebhookNotFoundError, and ValidationError for a cursor of another list."""
    endpoint = read_endpoint(endpoint_id, (request.organization_id, request.mode), webhooks)
    now = clock()
    return list_items(
        request,
        lambda before, limit: webhooks.deliveries_page(endpoint, before, limit),
        credentials,
        lambda delivery: status in {None, delivery.status} and now < delivery.expires_at,
    )


def resend_delivery(
    named: tuple[str, str],
    owner: Owner,
    webhooks: WebhookRepository,
    clock: Clock,
) -> Delivery:
    """Begins a new round of attempts; one that is on its way is tried now.

    ``named`` are the ids of endpoint and delivery. Raises WebhookNotFoundError for either, and
    ValidationError while the endpoint is switched off.
    """
    endpoint_id, delivery_id = named
    endpoint = _switched_on(endpoint_id, owner, webhooks)
    for attempt in range(_ATTEMPTS):
        delivery = webhooks.delivery(delivery_id)
        if delivery is None or (delivery.owner, delivery.endpoint_id) != (owner, endpoint.id):
            raise WebhookNotFoundError("This endpoint has no such delivery.")
        try:
            return _again(delivery, webhooks, clock)
        except VersionConflictError:
            back_off(attempt)
    raise StateConflictError("The delivery is being attempted just now. Please retry.")


def resend_failed(
    endpoint_id: str,
    since: datetime,
    owner: Owner,
    webhooks: WebhookRepository,
    clock: Clock,
) -> Resent:
    """Begins a new round for every delivery since a moment that failed.

    Asked again after it ran out of time, it goes on with the rest: what it has done isn't failed
    any more. Raises WebhookNotFoundError, and ValidationError while the endpoint is switched off.
    """
    endpoint = _switched_on(endpoint_id, owner, webhooks)
    until = clock() + _PATIENCE
    count = 0
    before: str | None = None
    while page := webhooks.deliveries_page(endpoint, before, _PAGE):
        before = page[-1][0]
        for _, delivery in page:
            if delivery.created_at < since:
                return Resent(count, complete=True)
            if clock() > until:
                return Resent(count, complete=False)
            if delivery.status != "failed" or delivery.test:
                continue
            try:
                _again(delivery, webhooks, clock)
            except VersionConflictError:
                continue  # somebody else has sent it again
            count += 1
    return Resent(count, complete=True)


def send_test(endpoint_id: str, seed: str | None, owner: Owner, ports: EndpointPorts) -> Delivery:
    """Sends a test event now, once, and says how it went; also to one that is switched off.

    It is never held against the endpoint. Raises WebhookNotFoundError.
    """
    endpoint = read_endpoint(endpoint_id, owner, ports.webhooks)
    now = ports.clock()
    cause = f"test\0{seed or new_id('')}\0{endpoint.id}"
    message = Outgoing(TEST_EVENT, {"endpointId": endpoint.id, "message": "This is a test."})
    delivery = delivery_of(message, cause, now, endpoint, now, test=True)
    delivery = ports.webhooks.add_delivery(delivery)
    if delivery.status != "pending":
        return delivery
    attempt = attempt_delivery(delivery, endpoint, ports)
    conclusion = conclude(endpoint, delivery, attempt, waits=(), jitter=0)
    return ports.webhooks.conclude(Conclusion(conclusion.delivery))


def _switched_on(endpoint_id: str, owner: Owner, webhooks: WebhookRepository) -> WebhookEndpoint:
    endpoint = read_endpoint(endpoint_id, owner, webhooks)
    if not endpoint.is_active:
        raise ValidationError.of("id", "The endpoint is switched off; set isActive first.")
    return endpoint


def _again(delivery: Delivery, webhooks: WebhookRepository, clock: Clock) -> Delivery:
    # The event goes with the write: whatever stops this, it reaches the queue.
    now = clock()
    again = delivery.again(now)
    return webhooks.conclude(Conclusion(again, events=(resent(again, now),)))
