"""Webhook endpoints and deliveries: the requests about them, and both as callers see them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypedDict, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from paylink.domain.errors import ValidationError, WebhookNotFoundError
from paylink.domain.webhook import (
    Attempt,
    Delivery,
    DeliveryStatus,
    DisabledReason,
    WebhookEndpoint,
)
from paylink.domain.webhook_events import NAMES
from paylink.domain.webhook_target import LONGEST_URL
from paylink.http.envelope import timestamp
from paylink.http.operation import Operation
from paylink.http.schemas.validation import legible, validated, without_null
from paylink.services.webhook_deliveries import Resent
from paylink.services.webhook_endpoints import NewEndpoint

STATUSES: tuple[str, ...] = get_args(DeliveryStatus)

_MOST_HOURS = 168


def _known(names: list[str]) -> list[str]:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        raise ValueError(f"There is no event {unknown[0][:50]!r}.")
    return list(dict.fromkeys(names))


def known_events(schema: dict[str, Any]) -> None:
    """For the reference: the events by name."""
    schema["items"] = {"type": "string", "enum": list(NAMES)}


Url = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LONGEST_URL,
        description="An https URL on the public internet, on port 443 or from 1024 up.",
        examples=["https://hooks.example.com/paylink"],
        json_schema_extra={"format": "uri", "pattern": "^https://"},
    ),
]
Events = Annotated[
    list[str],
    Field(
        min_length=1,
        max_length=100,
        description="Which events are sent.",
        examples=[["payment_link.completed", "payment.refunded"]],
        json_schema_extra=known_events,
    ),
    AfterValidator(_known),
]
Description = Annotated[
    str, Field(min_length=1, max_length=500, examples=["Shop"]), AfterValidator(legible)
]


class CreateWebhook(BaseModel):
    """The body of ``POST /webhooks``. Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    url: Url
    events: Events
    description: Description | None = None

    def wanted(self) -> NewEndpoint:
        return NewEndpoint(self.url, tuple(self.events), self.description)


class UpdateWebhook(BaseModel):
    """The body of a change: what is given changes. Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    url: Annotated[Url | None, Field(json_schema_extra=without_null)] = None
    events: Annotated[Events | None, Field(json_schema_extra=without_null)] = None
    description: Annotated[Description | None, Field(description="Null clears it.")] = None
    is_active: Annotated[
        bool | None,
        Field(
            alias="isActive",
            description="Switched on again, nothing is held against the endpoint any more.",
            json_schema_extra=without_null,
        ),
    ] = None

    @field_validator("url", "events", "is_active")
    @classmethod
    def _stays(cls, value: object) -> object:
        if value is None:
            raise ValueError("It can be changed, but not cleared.")
        return value

    def changes(self) -> dict[str, Any]:
        """Members of the domain's endpoint, those only that were given."""
        given = {name: getattr(self, name) for name in self.model_fields_set}
        if "events" in given:
            given["events"] = tuple(given["events"])
        return given


class RotateSecret(BaseModel):
    """The body of a rotation, which may be left out. Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    overlap_hours: Annotated[
        int,
        Field(
            alias="overlapHours",
            ge=0,
            le=_MOST_HOURS,
            description="For how long the old secret signs as well.",
        ),
    ] = 24


class ResendFailed(BaseModel):
    """The body of a re-send. Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    since: Annotated[
        str,
        Field(
            max_length=40,
            description="From when on, ISO 8601 with a zone.",
            examples=["2026-11-25T09:00:00Z"],
            json_schema_extra={"format": "date-time"},
        ),
    ]


Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class WebhookObject(TypedDict):
    """An address that is told of events."""

    object: Literal["webhook"]
    id: Annotated[str, Field(examples=["wh_3dYpTz8sQbLxKcW5mNfRvA"])]
    livemode: bool
    url: Annotated[str, Field(examples=["https://hooks.example.com/paylink"])]
    events: Annotated[list[str], Field(examples=[["payment_link.completed"]])]
    description: str | None
    isActive: bool
    disabledReason: Annotated[
        DisabledReason | None,
        Field(
            description="Why we switched it off: three events in a row `failing` in all attempts, "
            "or the answer 410, `gone`."
        ),
    ]
    apiVersion: Annotated[str, Field(description="Of the bodies sent to it.")]
    secretRotatesAt: Annotated[
        Time | None, Field(description="While an old secret still signs: until when.")
    ]
    createdAt: Time
    updatedAt: Time


class WebhookWithSecret(WebhookObject):
    """An endpoint with its newest secret; it is shown this once."""

    secretKey: Annotated[str, Field(examples=["whsec_…"])]


class DeletedWebhookObject(TypedDict):
    """What is left of an endpoint."""

    object: Literal["webhook"]
    id: str
    livemode: bool
    deleted: bool


class WebhookTestObject(TypedDict):
    """How a test went."""

    object: Literal["webhook_test"]
    livemode: bool
    success: bool
    deliveryId: Annotated[str, Field(examples=["whd_5kHsNq2VtXyZbC7wLpRdGm"])]
    deliveredAt: Time
    responseCode: Annotated[int | None, Field(description="Null, if there was no response.")]
    error: str | None


class AttemptObject(TypedDict):
    """One call of an endpoint."""

    at: Time
    responseCode: Annotated[int | None, Field(description="Null, if there was no response.")]
    error: Annotated[str | None, Field(description="Why not: `timeout` and the like.")]
    milliseconds: int


class DeliveryObject(TypedDict):
    """One event on its way to one endpoint. What the endpoint answered is not kept."""

    object: Literal["webhook_delivery"]
    id: Annotated[str, Field(examples=["whd_5kHsNq2VtXyZbC7wLpRdGm"])]
    livemode: bool
    webhookId: Annotated[str, Field(examples=["wh_3dYpTz8sQbLxKcW5mNfRvA"])]
    eventId: Annotated[str, Field(examples=["whev_9tGcJw4BnXkLzD6sQyHfVp"])]
    event: Annotated[str, Field(examples=["payment_link.completed"])]
    status: DeliveryStatus
    attempts: Annotated[
        list[AttemptObject], Field(description="Oldest first; the last thirty, if there are more.")
    ]
    responseCode: Annotated[int | None, Field(description="Of the last attempt.")]
    error: Annotated[
        str | None,
        Field(description="Why it was given up: `endpoint_disabled`, `endpoint_deleted`."),
    ]
    nextAttemptAt: Time | None
    createdAt: Time
    updatedAt: Time


class ResentObject(TypedDict):
    """What is sent again."""

    object: Literal["webhook_resend"]
    livemode: bool
    resent: int
    complete: Annotated[
        bool,
        Field(description="False, if time ran out: ask again, with the same `since`."),
    ]


def present_webhook(endpoint: WebhookEndpoint) -> WebhookObject:
    return {
        "object": "webhook",
        "id": endpoint.id,
        "livemode": endpoint.mode == "live",
        "url": endpoint.url,
        "events": list(endpoint.events),
        "description": endpoint.description,
        "isActive": endpoint.is_active,
        "disabledReason": endpoint.disabled_reason,
        "apiVersion": endpoint.api_version,
        "secretRotatesAt": timestamp(endpoint.previous_until),
        "createdAt": timestamp(endpoint.created_at),
        "updatedAt": timestamp(endpoint.updated_at),
    }


def present_webhook_with_secret(endpoint: WebhookEndpoint, secret: str) -> WebhookWithSecret:
    return {**present_webhook(endpoint), "secretKey": secret}


def present_deleted_webhook(endpoint: WebhookEndpoint) -> DeletedWebhookObject:
    return {
        "object": "webhook",
        "id": endpoint.id,
        "livemode": endpoint.mode == "live",
        "deleted": True,
    }


def present_test(delivery: Delivery) -> WebhookTestObject:
    attempt = delivery.attempts[-1] if delivery.attempts else None
    return {
        "object": "webhook_test",
        "livemode": delivery.mode == "live",
        "success": delivery.status == "succeeded",
        "deliveryId": delivery.id,
        "deliveredAt": timestamp(delivery.updated_at),
        "responseCode": delivery.response_code,
        "error": attempt.error if attempt else None,
    }


def present_delivery(delivery: Delivery) -> DeliveryObject:
    return {
        "object": "webhook_delivery",
        "id": delivery.id,
        "livemode": delivery.mode == "live",
        "webhookId": delivery.endpoint_id,
        "eventId": delivery.event_id,
        "event": delivery.event,
        "status": delivery.status,
        "attempts": [_attempt(attempt) for attempt in delivery.attempts],
        "responseCode": delivery.response_code,
        "error": delivery.error,
        "nextAttemptAt": timestamp(delivery.next_attempt_at),
        "createdAt": timestamp(delivery.created_at),
        "updatedAt": timestamp(delivery.updated_at),
    }


def present_resent(resent: Resent, mode: str) -> ResentObject:
    return {
        "object": "webhook_resend",
        "livemode": mode == "live",
        "resent": resent.count,
        "complete": resent.complete,
    }


def _attempt(attempt: Attempt) -> AttemptObject:
    return {
        "at": timestamp(attempt.at),
        "responseCode": attempt.status_code,
        "error": attempt.error,
        "milliseconds": attempt.milliseconds,
    }


def new_webhook(body: dict[str, Any]) -> NewEndpoint:
    """The validated request; raises ValidationError."""
    return validated(CreateWebhook, body).wanted()


def changes_of_webhook(body: dict[str, Any]) -> dict[str, Any]:
    """The validated request: members of the domain's endpoint; raises ValidationError."""
    return validated(UpdateWebhook, body).changes()


def overlap_of(body: dict[str, Any]) -> timedelta:
    """The validated overlap of two secrets; raises ValidationError."""
    return timedelta(hours=validated(RotateSecret, body).overlap_hours)


def since_of(body: dict[str, Any]) -> datetime:
    """The validated moment from which on to send again; raises ValidationError."""
    try:
        moment = datetime.fromisoformat(validated(ResendFailed, body).since.upper())
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValidationError.of("since", "It must be an ISO 8601 time with a zone.")


CREATE = Operation(
    summary="Register a webhook endpoint",
    description="`secretKey` is shown this once. How to check signatures: docs/webhooks.md.",
    request=CreateWebhook,
    response=WebhookWithSecret,
    status=201,
    errors=(WebhookNotFoundError,),
)
LIST = Operation("List webhook endpoints", WebhookObject, listed=True)
GET = Operation("Get a webhook endpoint", WebhookObject, errors=(WebhookNotFoundError,))
UPDATE = Operation(
    summary="Change a webhook endpoint",
    description="What is given changes, and the rest stays.",
    request=UpdateWebhook,
    response=WebhookObject,
    errors=(WebhookNotFoundError,),
)
DELETE = Operation(
    summary="Delete a webhook endpoint",
    description="Nothing more is sent to it, not even what was on its way.",
    response=DeletedWebhookObject,
    errors=(WebhookNotFoundError,),
)
ROTATE = Operation(
    summary="Rotate the secret of a webhook endpoint",
    description="`secretKey` is the new one, shown this once. Until the overlap is over, "
    "`webhook-signature` has a signature by either, and `X-Commet-Signature` is still by the old.",
    request=RotateSecret,
    response=WebhookWithSecret,
    errors=(WebhookNotFoundError,),
)
TEST = Operation(
    summary="Send a test event",
    description="`webhook.test`, at once and once only, also to an endpoint that is switched off.",
    response=WebhookTestObject,
    errors=(WebhookNotFoundError,),
)
DELIVERIES = Operation(
    summary="List the deliveries to a webhook endpoint",
    description="They are kept for thirty days.",
    response=DeliveryObject,
    listed=True,
    query={"status": DeliveryStatus},
    errors=(WebhookNotFoundError,),
)
RESEND = Operation(
    summary="Send a delivery again",
    description="With the same body and id, in a new round of attempts.",
    response=DeliveryObject,
    errors=(WebhookNotFoundError,),
)
RESEND_FAILED = Operation(
    summary="Send all failed deliveries again",
    description="Those since a moment, each in a new round of attempts.",
    request=ResendFailed,
    response=ResentObject,
    errors=(WebhookNotFoundError,),
)
