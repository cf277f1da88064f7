"""The sellers' settings, which the operator's command writes."""

from __future__ import annotations

from cachetools import TTLCache
from pydantic import TypeAdapter

from paylink.adapters.dynamodb.table import SCHEMA, Table, encode, shape
from paylink.domain.organization import Organization

CACHE_SECONDS = 60

_organizations = TypeAdapter(Organization)


def _key(organization_id: str) -> tuple[str, str]:
    return f"ORGANIZATION#{organization_id}", "SETTINGS"


class DynamoOrganizations:
    """Fulfils `paylink.ports.OrganizationRepository`; a changed setting is seen after a minute."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._cache: TTLCache[str, Organization] = TTLCache(256, CACHE_SECONDS)

    def get(self, organization_id: str) -> Organization | None:
        known = self._cache.get(organization_id)
        if known is not None:
            return known
        item = self._table.get(*_key(organization_id))
        if not item:
            return None
        found: Organization = _organizations.validate_python(item)
        self._cache[organization_id] = found
        return found

    def put(self, organization: Organization) -> None:
        """Makes or replaces the settings."""
        pk, sk = _key(organization.id)
        item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(organization, _organizations)}
        self._table.client.put_item(TableName=self._table.name, Item=encode(item))
        self._cache.pop(organization.id, None)
