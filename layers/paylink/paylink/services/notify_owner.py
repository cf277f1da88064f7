"""Tells an owner by e-mail that a webhook endpoint of theirs was switched off."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from paylink.domain.errors import EmailNotSendableError
from paylink.domain.events import DomainEvent
from paylink.domain.mail import EndpointNotice, Mail, is_address
from paylink.domain.organization import Mode
from paylink.ports import Clock, Mailer, OrganizationRepository, WebhookRepository

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class NoticePorts:
    """What telling an owner needs from outside."""

    organizations: OrganizationRepository
    webhooks: WebhookRepository
    mailer: Mailer
    compose: Callable[[EndpointNotice], Mail]
    clock: Clock


def notify_owner(event: DomainEvent, ports: NoticePorts) -> None:
    """Writes to the owner's address about a ``webhook_endpoint.disabled``, once for the event.

    Raises MailUnavailableError for the queue to come again. An owner without an address that can be
    written to is told by the API alone, and the operator by the alarm.
    """
    about = {"endpoint_id": event.data["endpointId"]}
    owner = ports.organizations.get(event.organization_id)
    to = owner.email if owner else None
    if not ports.mailer.configured or owner is None or to is None or not is_address(to):
        logger.info("no owner can be told of the endpoint", extra=about)
        return
    if not ports.webhooks.claim_notice(event.id, ports.clock()):
        logger.info("the owner had been told of the endpoint", extra=about)
        return
    mode = cast("Mode", event.mode)
    notice = EndpointNotice(
        owner, mode, to, event.data["endpointId"], event.data["url"], event.data["reason"]
    )
    try:
        ports.mailer.send(ports.compose(notice))
    except EmailNotSendableError as error:
        logger.warning("the owner can't be told", extra={**about, "reason": error.message})
        return
    except Exception:
        ports.webhooks.release_notice(event.id)
        raise
    logger.info("owner told of the endpoint", extra=about)
