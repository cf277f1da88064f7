"""API keys made, listed and ended by callers, within what their own key may do."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import timedelta

from paylink.domain.api_key import ApiKey, generate
from paylink.domain.errors import ApiKeyNotFoundError, ForbiddenError, PaylinkError
from paylink.domain.organization import Owner
from paylink.ports import ApiKeyRepository, Clock, CredentialsStore, VersionConflictError
from paylink.services.list_items import ListRequest, Page, list_items


@dataclass(frozen=True)
class NewApiKey:
    """A validated request for a key; ``permissions`` None is full access."""

    name: str
    expires_in_days: int | None
    permissions: frozenset[str] | None


def create_api_key(
    wanted: NewApiKey,
    seed: str | None,
    owner: Owner,
    *,
    creator_permissions: frozenset[str] | None,
    keys: ApiKeyRepository,
    credentials: CredentialsStore,
    clock: Clock,
) -> tuple[ApiKey, str]:
    """A new key and its plain text; the same again for the same seed.

    The text is never stored, so a repeated request gets it made again from the seed and a secret of
    the organization's. Raises ForbiddenError for more rights than the creator's, and
    ApiKeyNotFoundError for a repetition after the key was deleted.
    """
    if _exceeds(wanted.permissions, creator_permissions):
        raise ForbiddenError("A key can't permit more than the key that makes it.")
    material = None
    if seed is not None:
        secrets = credentials.get(*owner)
        if secrets is None:
            raise PaylinkError()
        message = f"api key\0{seed}".encode()
        material = hmac.digest(secrets.signing_key.encode(), message, "sha256")
    now = clock()
    days = wanted.expires_in_days
    key, plain = generate(
        *owner,
        wanted.name,
        now,
        now + timedelta(days=days) if days is not None else None,
        permissions=wanted.permissions,
        seed=material,
    )
    made_before = keys.get(key.id)
    if made_before is not None:
        return made_before, plain
    try:
        keys.add(key)
    except VersionConflictError:
        made_meanwhile = keys.get(key.id)
        if made_meanwhile is None:
            raise ApiKeyNotFoundError("The key that this request made was deleted.") from None
        return made_meanwhile, plain
    return key, plain


def list_api_keys(
    request: ListRequest, keys: ApiKeyRepository, credentials: CredentialsStore
) -> Page[ApiKey]:
    """Raises ValidationError for a cursor of another list."""
    return list_items(
        request,
        lambda before, limit: keys.page(request.organization_id, request.mode, before, limit),
        credentials,
    )


def delete_api_key(
    key_id: str,
    owner: Owner,
    deleter_permissions: frozenset[str] | None,
    keys: ApiKeyRepository,
    clock: Clock,
) -> ApiKey:
    """Ends a key of the caller's; within a minute nobody takes it.

    Raises ApiKeyNotFoundError, and ForbiddenError for a key that permits more than the deleter's.
    """
    key = keys.get(key_id)
    if key is None or (key.organization_id, key.mode) != owner:
        raise ApiKeyNotFoundError()
    if _exceeds(key.permissions, deleter_permissions):
        raise ForbiddenError("A key can't end one that permits more than itself.")
    keys.delete(key, clock())
    return key


def _exceeds(permissions: frozenset[str] | None, limit: frozenset[str] | None) -> bool:
    """Whether these are more than the limit; None is full access."""
    return limit is not None and (permissions is None or not permissions <= limit)
