"""API keys, found by the id within them."""

from __future__ import annotations

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.table import SCHEMA, Table, encode, shape
from paylink.domain.api_key import ApiKey

_keys = TypeAdapter(ApiKey)


def _key(key_id: str) -> tuple[str, str]:
    return f"API_KEY#{key_id}", "API_KEY"


class DynamoApiKeys:
    """Fulfils `paylink.ports.ApiKeyRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, key_id: str) -> ApiKey | None:
        item = self._table.get(*_key(key_id))
        return _keys.validate_python(item) if item else None

    def put(self, key: ApiKey) -> None:
        pk, sk = _key(key.id)
        item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(key, _keys)}
        self._table.client.put_item(TableName=self._table.name, Item=encode(item))

    def delete(self, key_id: str) -> None:
        self._table.client.delete_item(
            TableName=self._table.name,
            Key=encode(dict(zip(("pk", "sk"), _key(key_id), strict=True))),
        )
