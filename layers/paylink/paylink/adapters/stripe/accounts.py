"""The Stripe accounts of all organizations, one client each, kept while its key is the same."""

from __future__ import annotations

from paylink.adapters.stripe.account import StripeAccount
from paylink.domain.errors import ProviderUnavailableError
from paylink.domain.organization import Mode
from paylink.ports import CredentialsStore


class StripeAccounts:
    """Fulfils `paylink.ports.Providers`."""

    def __init__(self, credentials: CredentialsStore, deployment_id: str, api_base: str) -> None:
        self._credentials = credentials
        self._deployment_id = deployment_id
        self._api_base = api_base
        self._accounts: dict[str, StripeAccount] = {}
        # What the SDK loads with its first client and answer, before anybody waits for it.
        StripeAccount("unused", deployment_id, api_base).load()

    def account(self, organization_id: str, mode: Mode) -> StripeAccount:
        credentials = self._credentials.get(organization_id, mode)
        if credentials is None or not credentials.secret_key:
            raise ProviderUnavailableError(
                f"No payment provider is set up for this organization's {mode} mode."
            )
        key = credentials.secret_key
        if key not in self._accounts:
            self._accounts[key] = StripeAccount(key, self._deployment_id, self._api_base)
        return self._accounts[key]
