"""The sellers' settings, kept by the operator's command, and how far their accounts were heard."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime

from cachetools import TTLCache
from pydantic import TypeAdapter

from paylink.adapters.dynamodb.table import (
    SCHEMA,
    ConditionFailedError,
    Item,
    Table,
    decode,
    encode,
    shape,
)
from paylink.domain.organization import Organization, Owner

_ACCOUNTS = "accounts"

CACHE_SECONDS = 60

_organizations = TypeAdapter(Organization)


def _key(organization_id: str) -> tuple[str, str]:
    return f"ORGANIZATION#{organization_id}", "SETTINGS"


def _account_item(owner: Owner, heard_until: datetime) -> Item:
    """An account at the provider, in the list of all of them: it is short, and read hourly."""
    organization_id, mode = owner
    return {
        "pk": f"ORGANIZATION#{organization_id}",
        "sk": f"ACCOUNT#{mode}",
        "schema": SCHEMA,
        "organization_id": organization_id,
        "mode": mode,
        "heard_until": heard_until.astimezone(UTC).isoformat(),
        "list_key": _ACCOUNTS,
        "list_sort": f"{organization_id}#{mode}",
    }


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

    def add_account(self, owner: Owner, now: datetime) -> None:
        """Has an account heard from now on; one that is heard already goes on where it is."""
        with suppress(ConditionFailedError):
            item = _account_item(owner, now)
            self._table.write([self._table.put(item, "attribute_not_exists(pk)")])

    def accounts(self) -> list[tuple[datetime, Owner]]:
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            IndexName="listed",
            KeyConditionExpression="list_key = :accounts",
            ExpressionAttributeValues=encode({":accounts": _ACCOUNTS}),
        )
        keys = [decode(item) for page in pages for item in page["Items"]]
        items = [self._table.get(key["pk"], key["sk"]) for key in keys]
        return [
            (datetime.fromisoformat(item["heard_until"]), (item["organization_id"], item["mode"]))
            for item in items
            if item is not None
        ]

    def note_heard(self, owner: Owner, until: datetime) -> None:
        self._table.write([self._table.put(_account_item(owner, until))])
