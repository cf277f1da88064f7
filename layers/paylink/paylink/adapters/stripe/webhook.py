"""Stripe's webhooks: who sent them, and what in them matters.

The signature is computed over the raw bytes. The SDK's check accepts a time stamp from the future
and raises half a dozen error types on hostile input, so both are dealt with here.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stripe import SignatureVerificationError, WebhookSignature

from paylink.domain.errors import InvalidWebhookError, NotFoundError
from paylink.domain.organization import Mode
from paylink.domain.provider_event import ProviderEvent
from paylink.metrics import SIGNATURE_FAILURES, Measure, Metrics
from paylink.ports import CredentialsStore

logger = logging.getLogger(__name__)

TOLERANCE_SECONDS = 300
_LATEST = 1 << 36  # seconds that a date can have
_SANE_HEADER = re.compile(r"[\x21-\x7e ]{1,4096}", re.ASCII)
_TIMESTAMP = re.compile(r"(?:^|,)t=(\d{1,12})(?:,|$)", re.ASCII)

EVENT_TYPES: frozenset[str] = frozenset(
    {
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
        "checkout.session.expired",
        "payment_intent.succeeded",
        "payment_intent.processing",
        "payment_intent.requires_action",
        "payment_intent.payment_failed",
        "payment_intent.canceled",
        "refund.created",
        "refund.updated",
        "refund.failed",
        "charge.refunded",
        "charge.dispute.created",
        "charge.dispute.updated",
        "charge.dispute.closed",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.funds_reinstated",
    }
)
"""What the endpoint must be subscribed to; all else is answered and ignored."""

_ENDS = frozenset({"checkout.session.expired", "payment_intent.canceled"})


@dataclass(frozen=True)
class Delivery:
    """A verified webhook, and whose secret it was signed with; ``event`` is None if not for us."""

    organization_id: str
    mode: Mode
    event: ProviderEvent | None


def receive_webhook(
    body: bytes,
    signature_header: str | None,
    organization_id: str,
    mode: str,
    *,
    credentials: CredentialsStore,
    metrics: Metrics,
    now: datetime,
) -> Delivery:
    """Raises NotFoundError for an organization or mode without secrets, InvalidWebhookError."""
    known_mode: Mode = "live" if mode == "live" else "sandbox"
    secrets = credentials.get(organization_id, known_mode) if mode == known_mode else None
    if secrets is None or not secrets.webhook_secrets:
        raise NotFoundError()
    try:
        event = verify_webhook(body, signature_header, secrets.webhook_secrets, now)
    except InvalidWebhookError:
        metrics(Measure(SIGNATURE_FAILURES, 1, {"mode": known_mode}))
        raise
    delivery = Delivery(organization_id, known_mode, translate_event(event))
    if delivery.event is not None:
        about = {"event_id": delivery.event.id, "event_type": delivery.event.type}
        logger.info("the payment provider tells", extra=about)
    return delivery


def verify_webhook(
    body: bytes, signature_header: str | None, secrets: Sequence[str], now: datetime
) -> dict[str, Any]:
    """The event of a webhook signed with any of the secrets; raises InvalidWebhookError."""
    if not signature_header or not _SANE_HEADER.fullmatch(signature_header):
        raise InvalidWebhookError("there is no usable signature")
    found = _TIMESTAMP.search(signature_header)
    if not found or abs(now.timestamp() - int(found[1])) > TOLERANCE_SECONDS:
        raise InvalidWebhookError("the time stamp is missing or too far from now")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InvalidWebhookError("the body is not UTF-8") from None
    if not any(_signed_with(secret, text, signature_header) for secret in secrets):
        raise InvalidWebhookError("the signature does not match")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidWebhookError("the body is not JSON") from None
    if not isinstance(event, dict):
        raise InvalidWebhookError("the body is not an event")
    return event


def _signed_with(secret: str, text: str, header: str) -> bool:
    try:
        return bool(WebhookSignature.verify_header(text, header, secret))
    except SignatureVerificationError:
        return False


def translate_event(event: dict[str, Any]) -> ProviderEvent | None:
    """Our own event, or None for one that says nothing about a payment's money."""
    event_id, event_type, at = _text(event, "id"), _text(event, "type"), _time(event, "created")
    data = event.get("data")
    subject = data.get("object") if isinstance(data, dict) else None
    if event_id is None or event_type not in EVENT_TYPES or not isinstance(subject, dict):
        return None
    if at is None:
        return None
    is_intent = event_type.startswith("payment_intent.")
    is_session = event_type.startswith("checkout.session.")
    is_dispute = event_type.startswith("charge.dispute.")
    marks = subject.get("metadata")
    marks = marks if isinstance(marks, dict) else {}
    mode: Mode = "live" if event.get("livemode") is True else "sandbox"
    return ProviderEvent(
        id=event_id,
        type=event_type,
        at=at,
        mode=mode,
        session_id=_text(subject, "id") if is_session else None,
        payment_intent_id=_text(subject, "id")
        if is_intent
        else _id_of(subject.get("payment_intent")),
        about_refunds=not (is_intent or is_session or is_dispute),
        about_disputes=is_dispute,
        about_an_end=event_type in _ENDS,
        payment_id=_text(marks, "payment_id"),
        organization_id=_text(marks, "organization_id"),
        deployment_id=_text(marks, "deployment_id"),
    )


def _id_of(reference: object) -> str | None:
    """An object of the provider's is named by its id or given whole, as the endpoint asked."""
    if isinstance(reference, dict):
        return _text(reference, "id")
    return reference if isinstance(reference, str) and reference else None


def _time(holder: dict[str, Any], name: str) -> datetime | None:
    seconds = holder.get(name)
    if not isinstance(seconds, int) or not 0 <= seconds < _LATEST:
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _text(holder: dict[str, Any], name: str) -> str | None:
    value = holder.get(name)
    return value if isinstance(value, str) and 0 < len(value) <= 255 else None
