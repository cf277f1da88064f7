"""API keys, found by the id within them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.lists import Lists, list_attributes
from paylink.adapters.dynamodb.table import SCHEMA, ConditionFailedError, Table, shape, tombstone
from paylink.domain.api_key import ApiKey
from paylink.domain.organization import Mode
from paylink.ports import VersionConflictError

_keys = TypeAdapter(ApiKey)


def _key(key_id: str) -> tuple[str, str]:
    return f"API_KEY#{key_id}", "API_KEY"


class DynamoApiKeys:
    """Fulfils `paylink.ports.ApiKeyRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, key_id: str) -> ApiKey | None:
        item = self._table.get(*_key(key_id))
        return _keys.validate_python(item) if item and "deleted_at" not in item else None

    def add(self, key: ApiKey) -> None:
        pk, sk = _key(key.id)
        item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(key, _keys)}
        item |= list_attributes("api_key", key.organization_id, key.mode, key.created_at, key.id)
        try:
            self._table.write([self._table.put(item, "attribute_not_exists(pk)")])
        except ConditionFailedError as error:
            raise VersionConflictError from error

    def note_use(self, key: ApiKey, now: datetime) -> None:
        pk, sk = _key(key.id)
        operation = self._table.update(
            pk, sk, "SET last_used_at = :now", {":now": now.isoformat()}, "attribute_exists(id)"
        )
        with suppress(ConditionFailedError):
            self._table.write([operation])

    def page(
        self, organization_id: str, mode: Mode, before: str | None, limit: int
    ) -> Sequence[tuple[str, ApiKey]]:
        found = Lists(self._table).page(
            "api_key", organization_id, mode, customer_id=None, before=before, limit=limit
        )
        # The index still has for a moment what was just deleted.
        living = [(place, item) for place, item in found if "deleted_at" not in item]
        return [(place, _keys.validate_python(item)) for place, item in living]

    def delete(self, key: ApiKey, now: datetime) -> None:
        owner = key.organization_id, key.mode
        self._table.write([self._table.put(tombstone(*_key(key.id), owner, now))])
