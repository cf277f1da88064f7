"""The sellers' settings, which the operator's command writes."""

from __future__ import annotations

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.table import SCHEMA, Table, encode, shape
from paylink.domain.organization import Organization

_organizations = TypeAdapter(Organization)


def _key(organization_id: str) -> tuple[str, str]:
    return f"ORGANIZATION#{organization_id}", "SETTINGS"


class DynamoOrganizations:
    """Fulfils `paylink.ports.OrganizationRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def get(self, organization_id: str) -> Organization | None:
        item = self._table.get(*_key(organization_id))
        return _organizations.validate_python(item) if item else None

    def put(self, organization: Organization) -> None:
        """Makes or replaces the settings."""
        pk, sk = _key(organization.id)
        item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(organization, _organizations)}
        self._table.client.put_item(TableName=self._table.name, Item=encode(item))
