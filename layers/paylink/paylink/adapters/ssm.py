"""Secrets of organizations in the parameter store, encrypted there, one document each."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cachetools import TTLCache
from pydantic import TypeAdapter, ValidationError

from paylink.domain.organization import MODES, ORGANIZATION_ID, Mode, ProviderCredentials

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient

CACHE_SECONDS = 300

_credentials = TypeAdapter(ProviderCredentials)


class SsmCredentials:
    """Fulfils `paylink.ports.CredentialsStore`; a rotated secret is seen after five minutes."""

    def __init__(self, client: SSMClient, prefix: str) -> None:
        self._client = client
        self._prefix = prefix
        self._cache: TTLCache[tuple[str, str], ProviderCredentials] = TTLCache(256, CACHE_SECONDS)

    def get(self, organization_id: str, mode: Mode) -> ProviderCredentials | None:
        """None for an organization or mode without secrets, whatever a stranger named."""
        if not ORGANIZATION_ID.fullmatch(organization_id) or mode not in MODES:
            return None
        known = self._cache.get((organization_id, mode))
        if known is not None:
            return known
        try:
            found = self._client.get_parameter(
                Name=self._name(organization_id, mode), WithDecryption=True
            )
        except self._client.exceptions.ParameterNotFound:
            return None
        try:
            credentials: ProviderCredentials = _credentials.validate_json(
                found["Parameter"]["Value"]
            )
        except ValidationError:
            # Pydantic's own message would quote the secret.
            raise ValueError(f"the secrets of {organization_id} are malformed") from None
        self._cache[organization_id, mode] = credentials
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

    def _name(self, organization_id: str, mode: Mode) -> str:
        return f"{self._prefix}/{organization_id}/{mode}"
