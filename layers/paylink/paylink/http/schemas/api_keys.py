"""API keys: the request that makes one, and keys as callers see them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from paylink.domain.api_key import RESOURCES, ApiKey
from paylink.domain.errors import ApiKeyNotFoundError
from paylink.http.envelope import timestamp
from paylink.http.operation import Operation
from paylink.http.schemas.validation import validated
from paylink.services.api_keys import NewApiKey

Action = Literal["read", "write"]


def known_resources(schema: dict[str, Any]) -> None:
    """For the reference: the resources by name."""
    schema["anyOf"][0]["propertyNames"] = {"enum": list(RESOURCES)}


class CreateApiKey(BaseModel):
    """The body of ``POST /api-keys``. Unknown members are ignored."""

    model_config = ConfigDict(extra="ignore", strict=True)

    name: Annotated[
        str, StringConstraints(min_length=1, max_length=100), Field(examples=["Web shop"])
    ]
    expires_in_days: Annotated[
        int | None, Field(alias="expiresInDays", ge=1, le=3650, description="Never, if left out.")
    ] = None
    permissions: Annotated[
        dict[str, list[Action]] | None,
        Field(
            description="What the key may do, by resource. Full access, if left out.",
            examples=[{"payment": ["read", "write"], "customer": ["read"]}],
            json_schema_extra=known_resources,
        ),
    ] = None

    @field_validator("permissions")
    @classmethod
    def _known_resources(
        cls, value: dict[str, list[Action]] | None
    ) -> dict[str, list[Action]] | None:
        unknown = sorted(set(value or ()) - set(RESOURCES))
        if unknown:
            raise ValueError(
                f"There is nothing named {unknown[0][:50]!r} to permit,"
                f" only {', '.join(RESOURCES)}."
            )
        return value

    def wanted(self) -> NewApiKey:
        """What the service makes; permissions as ``payment:read`` and the like."""
        granted = None
        if self.permissions is not None:
            pairs = self.permissions.items()
            granted = frozenset(f"{r}:{action}" for r, actions in pairs for action in actions)
        return NewApiKey(self.name, self.expires_in_days, granted)


Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class ApiKeyObject(TypedDict):
    """A key without its secret."""

    object: Literal["api_key"]
    id: Annotated[str, Field(description="The id within the key.", examples=["8sK2mQpZ4xYb"])]
    livemode: Annotated[bool, Field(description="False in the sandbox.")]
    name: Annotated[str, Field(examples=["Web shop"])]
    prefix: Annotated[
        str,
        Field(
            description="How the key begins, by which people tell keys apart.",
            examples=["rk_sandbox_8sK2mQpZ4xYb"],
        ),
    ]
    permissions: Annotated[
        dict[str, list[str]] | None,
        Field(
            description="By resource; null is full access.",
            examples=[{"customer": ["read"], "payment": ["read", "write"]}],
        ),
    ]
    expiresAt: Time | None
    lastUsedAt: Annotated[Time | None, Field(description="Roughly.")]
    createdAt: Time


class CreatedApiKeyObject(ApiKeyObject):
    """A new key; ``apiKey`` is shown this once."""

    apiKey: Annotated[str, Field(examples=["rk_sandbox_8sK2mQpZ4xYb…"])]


class DeletedApiKeyObject(TypedDict):
    """What is left of a key."""

    object: Literal["api_key"]
    id: str
    livemode: bool
    deleted: bool


def new_api_key(body: dict[str, Any]) -> NewApiKey:
    """The validated request; raises ValidationError."""
    return validated(CreateApiKey, body).wanted()


def present_api_key(key: ApiKey) -> ApiKeyObject:
    return {
        "object": "api_key",
        "id": key.id,
        "livemode": key.mode == "live",
        "name": key.name,
        "prefix": key.prefix,
        "permissions": _by_resource(key.permissions),
        "expiresAt": timestamp(key.expires_at),
        "lastUsedAt": timestamp(key.last_used_at),
        "createdAt": timestamp(key.created_at),
    }


def present_created_api_key(key: ApiKey, plain: str) -> CreatedApiKeyObject:
    return {**present_api_key(key), "apiKey": plain}


def present_deleted_api_key(key: ApiKey) -> DeletedApiKeyObject:
    return {"object": "api_key", "id": key.id, "livemode": key.mode == "live", "deleted": True}


def _by_resource(permissions: frozenset[str] | None) -> dict[str, Any] | None:
    if permissions is None:
        return None
    pairs = sorted(permission.split(":") for permission in permissions)
    named: dict[str, list[str]] = {}
    for resource, action in pairs:
        named.setdefault(resource, []).append(action)
    return named


CREATE = Operation(
    summary="Make an API key",
    description="In the mode of the key that asks, with no permission that it lacks itself. "
    "`apiKey` is shown this once.",
    request=CreateApiKey,
    response=CreatedApiKeyObject,
    status=201,
    errors=(ApiKeyNotFoundError,),
)
LIST = Operation("List API keys", ApiKeyObject, listed=True)
DELETE = Operation(
    summary="Delete an API key",
    description="It stops working within a minute, everywhere.",
    response=DeletedApiKeyObject,
    errors=(ApiKeyNotFoundError,),
)
