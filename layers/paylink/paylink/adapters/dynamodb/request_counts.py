"""Shared counts of requests per key and minute; they vanish by themselves."""

from __future__ import annotations

from paylink.adapters.dynamodb.table import Table, decode, encode

_KEEP_SECONDS = 3600


class DynamoRequestCounts:
    """Fulfils `paylink.http.rate_limit.RequestCounter`."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, key_id: str, window: int, requests: int) -> int:
        answer = self._table.client.update_item(
            TableName=self._table.name,
            Key=encode({"pk": f"REQUESTS#{key_id}#{window}", "sk": "REQUESTS"}),
            UpdateExpression="ADD requests :requests SET #ttl = :ttl",
            ExpressionAttributeNames={"#ttl": "ttl"},
            ExpressionAttributeValues=encode(
                {":requests": requests, ":ttl": window * 60 + _KEEP_SECONDS}
            ),
            ReturnValues="UPDATED_NEW",
        )
        return int(decode(answer["Attributes"])["requests"])
