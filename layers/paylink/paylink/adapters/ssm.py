"""Secrets of organizations in the parameter store, encrypted there, one document each."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

from cachetools import TTLCache
from pydantic import TypeAdapter, ValidationError

from paylink.adapters.aws import rehearsal
from paylink.domain.organization import MODES, ORGANIZATION_ID, Mode, ProviderCredentials

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CACHE_SECONDS = 300
UNKNOWN_SECONDS = 30

_credentials = TypeAdapter(ProviderCredentials)


class SsmCredentials:
    """Fulfils `paylink.ports.CredentialsStore`; a rotated secret is seen after five minutes."""

    def __init__(self, client: SSMClient, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._cache: TTLCache[tuple[str, str], ProviderCredentials] = TTLCache(256, CACHE_SECONDS)
        self._unknown: TTLCache[tuple[str, str], bool] = TTLCache(4096, UNKNOWN_SECONDS)

    def rehearse(self) -> None:
        """The usual call, once and to nobody."""
        with rehearsal(self._client, b'{"Parameter":{"Value":""}}'):
            self._client.get_parameter(Name=self._name("", "sandbox"), WithDecryption=True)

    def get(self, organization_id: str, mode: Mode) -> ProviderCredentials | None:
        """None for an organization or mode without secrets, whatever a stranger named."""
        if not ORGANIZATION_ID.fullmatch(organization_id) or mode not in MODES:
            return None
        owner = (organization_id, mode)
        if owner in self._cache:
            return self._cache[owner]
        if owner in self._unknown:
            return None
        try:
            found = self._client.get_parameter(
                Name=self._name(organization_id, mode), WithDecryption=True
            )
        except self._client.exceptions.ParameterNotFound:
            # Strangers may ask for any organization; the parameter store must not hear of each.
            self._unknown[owner] = True
            return None
        try:
            credentials: ProviderCredentials = _credentials.validate_json(
                found["Parameter"]["Value"]
            )
        except ValidationError:
            # Pydantic's own message would quote the secret.
            raise ValueError(f"the secrets of {organization_id} are malformed") from None
        self._cache[owner] = credentials
        return credentials

    def put(self, organization_id: str, mode: Mode, credentials: ProviderCredentials) -> None:
        """Makes or replaces the secrets of one organization and mode."""
        document = json.dumps(_credentials.dump_python(credentials, mode="json"))
        self._client.put_parameter(
            Name=self._name(organization_id, mode),
            Value=document,
            Type="SecureString",
            Overwrite=True,
        )
        self._cache.pop((organization_id, mode), None)
        self._unknown.pop((organization_id, mode), None)

    def changed_at(self, organization_id: str, mode: Mode) -> datetime | None:
        """When the secrets were last put, for an organization and mode that have some; None if the
        store doesn't say."""
        found = self._client.get_parameter(Name=self._name(organization_id, mode))
        return found["Parameter"].get("LastModifiedDate")

    def _name(self, organization_id: str, mode: Mode) -> str:
        return f"{self._prefix}/{organization_id}/{mode}"
