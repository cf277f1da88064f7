"""Who calls: an API key decides organization and mode. A deleted one works 60 seconds at most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from cachetools import TTLCache

from paylink.domain.api_key import ApiKey, key_id_of
from paylink.domain.errors import UnauthorizedError
from paylink.domain.organization import Mode, Owner
from paylink.observability import logger
from paylink.ports import ApiKeyRepository, Clock

CACHE_SECONDS = 60
_NOTED_EVERY = timedelta(minutes=1)  # by whichever container


@dataclass(frozen=True)
class Caller:
    """The organization, mode and key on whose behalf a request runs."""

    organization_id: str
    mode: Mode
    key_id: str
    permissions: frozenset[str] | None = None
    """None is full access."""

    @property
    def owner(self) -> Owner:
        return self.organization_id, self.mode

    def may(self, permission: str) -> bool:
        return self.permissions is None or permission in self.permissions


class Authenticator:
    """Checks keys against the table, and remembers the good ones for a minute."""

    def __init__(self, keys: ApiKeyRepository, clock: Clock) -> None:
        self._keys = keys
        self._clock = clock
        self._cache: TTLCache[str, ApiKey] = TTLCache(4096, CACHE_SECONDS)

    def caller_with(self, plain: str | None) -> Caller:
        """Raises UnauthorizedError, the same for every kind of wrong key."""
        key_id = key_id_of(plain) if plain else None
        if plain is None or key_id is None:
            raise UnauthorizedError()
        key = self._cache.get(key_id)
        if key is None:
            key = self._keys.get(key_id)
        if key is None or not key.accepts(plain, self._clock()):
            raise UnauthorizedError()
        if key_id not in self._cache:
            self._cache[key_id] = key
            if key.last_used_at is None or self._clock() - key.last_used_at >= _NOTED_EVERY:
                self._note_use(key)
        return Caller(key.organization_id, key.mode, key.id, key.permissions)

    def _note_use(self, key: ApiKey) -> None:
        """For whoever looks through the keys; a request is not refused for want of it."""
        try:
            self._keys.note_use(key, self._clock())
        except Exception as error:
            about = {"key_id": key.id, "error": type(error).__name__}
            logger.warning("a key's use was not noted", extra=about)
