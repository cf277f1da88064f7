"""Webhook endpoints, which share their owner's partition, and deliveries, found by their ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from paylink.adapters.dynamodb.lists import Lists, list_attributes
from paylink.adapters.dynamodb.packing import packed, unpacked
from paylink.adapters.dynamodb.table import (
    SCHEMA,
    ConditionFailedError,
    Item,
    Table,
    decode,
    encode,
    epoch,
    outbox,
    shape,
    tombstone,
)
from paylink.domain.events import DomainEvent
from paylink.domain.organization import Mode
from paylink.domain.webhook import KEPT_FOR, Conclusion, Delivery, WebhookEndpoint
from paylink.ports import EndpointChangedError, VersionConflictError

_endpoints = TypeAdapter(WebhookEndpoint)
_deliveries = TypeAdapter(Delivery)

_ENDPOINT = "ENDPOINT#"


class DynamoWebhooks:
    """Fulfils `paylink.ports.WebhookRepository`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def endpoints(self, organization_id: str, mode: Mode) -> Sequence[WebhookEndpoint]:
        values: Item = {":pk": _partition(organization_id, mode), ":endpoint": _ENDPOINT}
        pages = self._table.client.get_paginator("query").paginate(
            TableName=self._table.name,
            KeyConditionExpression="pk = :pk AND begins_with(sk, :endpoint)",
            ExpressionAttributeValues=encode(values),
            ConsistentRead=True,
        )
        items = [decode(item) for page in pages for item in page["Items"]]
        found: list[WebhookEndpoint] = [
            _endpoints.validate_python(item) for item in items if "deleted_at" not in item
        ]
        return sorted(found, key=lambda e: (e.created_at, e.id), reverse=True)

    def endpoint(
        self, organization_id: str, mode: Mode, endpoint_id: str
    ) -> WebhookEndpoint | None:
        item = self._table.get(_partition(organization_id, mode), f"{_ENDPOINT}{endpoint_id}")
        return _endpoints.validate_python(item) if item and "deleted_at" not in item else None

    def add_endpoint(self, endpoint: WebhookEndpoint) -> None:
        self._write([self._table.put(_endpoint_item(endpoint, ()), "attribute_not_exists(pk)")])

    def update_endpoint(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        self._write([self._put_endpoint(endpoint, ())])
        return replace(endpoint, version=endpoint.version + 1)

    def delete_endpoint(self, endpoint: WebhookEndpoint, now: datetime) -> None:
        left = tombstone(*_endpoint_key(endpoint), endpoint.owner, now)
        self._table.write([self._table.put(left)])

    def delivery(self, delivery_id: str) -> Delivery | None:
        item = self._table.get(f"DELIVERY#{delivery_id}", "DELIVERY")
        return _delivery(item) if item else None

    def add_delivery(self, delivery: Delivery) -> Delivery:
        operation = self._table.put(_delivery_item(delivery, ()), "attribute_not_exists(pk)")
        try:
            self._table.write([operation])
        except ConditionFailedError as error:
            return _delivery(error.items[0])
        return delivery

    def conclude(self, conclusion: Conclusion) -> Delivery:
        delivery = conclusion.delivery
        after = replace(delivery, version=delivery.version + 1)
        # Events about a delivery go with it, those about its endpoint with the endpoint.
        own = () if conclusion.endpoint else conclusion.events
        operations = [
            self._table.put(
                _delivery_item(after, own), "version = :version", {":version": delivery.version}
            )
        ]
        if conclusion.endpoint is not None:
            operations.append(self._put_endpoint(conclusion.endpoint, conclusion.events))
        try:
            self._table.write(operations)
        except ConditionFailedError as error:
            if 0 not in error.items:
                raise EndpointChangedError from error
            raise VersionConflictError from error
        return after

    def claim_notice(self, event_id: str, now: datetime) -> bool:
        told_at = now.astimezone(UTC).isoformat()
        operation = self._table.update(
            *_notice_key(event_id),
            "SET told_at = :now, #ttl = :ttl",
            {":now": told_at, ":ttl": epoch(now + KEPT_FOR)},
            "attribute_not_exists(told_at)",
            {"#ttl": "ttl"},
        )
        try:
            self._table.write([operation])
        except ConditionFailedError as error:
            # Its answer was lost, and the client's own retry met what it had written.
            return bool(error.items[0].get("told_at") == told_at)
        return True

    def release_notice(self, event_id: str) -> None:
        operation = self._table.update(*_notice_key(event_id), "REMOVE told_at", {})
        self._table.write([operation])

    def deliveries_page(
        self, endpoint: WebhookEndpoint, before: str | None, limit: int
    ) -> Sequence[tuple[str, Delivery]]:
        found = Lists(self._table).page(
            "delivery",
            endpoint.organization_id,
            endpoint.mode,
            customer_id=endpoint.id,
            before=before,
            limit=limit,
        )
        return [(place, _delivery(item)) for place, item in found]

    def _put_endpoint(
        self, endpoint: WebhookEndpoint, events: Sequence[DomainEvent]
    ) -> dict[str, Any]:
        after = replace(endpoint, version=endpoint.version + 1)
        return self._table.put(
            _endpoint_item(after, events), "version = :version", {":version": endpoint.version}
        )

    def _write(self, operations: Sequence[dict[str, Any]]) -> None:
        try:
            self._table.write(operations)
        except ConditionFailedError as error:
            raise VersionConflictError from error


def _partition(organization_id: str, mode: Mode) -> str:
    return f"WEBHOOKS#{organization_id}#{mode}"


def _endpoint_key(endpoint: WebhookEndpoint) -> tuple[str, str]:
    return _partition(endpoint.organization_id, endpoint.mode), f"{_ENDPOINT}{endpoint.id}"


def _notice_key(event_id: str) -> tuple[str, str]:
    return f"NOTICE#{event_id}", "NOTICE"


def _endpoint_item(endpoint: WebhookEndpoint, events: Sequence[DomainEvent]) -> Item:
    pk, sk = _endpoint_key(endpoint)
    item: Item = {"pk": pk, "sk": sk, "schema": SCHEMA, **shape(endpoint, _endpoints)}
    item["version"] = endpoint.version
    if events:
        item["outbox"] = outbox(events)
    return item


def _delivery(item: Item) -> Delivery:
    delivery: Delivery = _deliveries.validate_python(item | {"body": unpacked(item["body"])})
    return delivery


def _delivery_item(delivery: Delivery, events: Sequence[DomainEvent]) -> Item:
    item: Item = {
        "pk": f"DELIVERY#{delivery.id}",
        "sk": "DELIVERY",
        "schema": SCHEMA,
        **shape(delivery, _deliveries),
        "body": packed(delivery.body),
        "version": delivery.version,
        "ttl": epoch(delivery.expires_at),
    }
    listed = list_attributes(
        "delivery",
        delivery.organization_id,
        delivery.mode,
        delivery.created_at,
        delivery.id,
        delivery.endpoint_id,
    )
    # Only within their endpoint: no list has all of an organization's.
    item |= {name: value for name, value in listed.items() if name != "list_key"}
    if events:
        item["outbox"] = outbox(events)
    return item
