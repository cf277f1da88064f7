"""The Stripe accounts of all organizations, one client each, kept while its key is the same."""

from __future__ import annotations

from paylink.adapters.stripe.account import StripeAccount
from paylink.adapters.stripe.http_client import Watch
from paylink.adapters.stripe.pace import Pace
from paylink.domain.errors import ProviderUnavailableError
from paylink.domain.organization import Mode
from paylink.metrics import PROVIDER_ERRORS, PROVIDER_LATENCY, Measure, Metrics, unmeasured
from paylink.ports import CredentialsStore


class StripeAccounts:
    """Fulfils `paylink.ports.Providers`.

    ``calls_per_second`` are those to one account; 0 is no limit but the account's own.
    """

    def __init__(
        self,
        credentials: CredentialsStore,
        deployment_id: str,
        api_base: str,
        calls_per_second: float = 0,
        metrics: Metrics = unmeasured,
    ) -> None:
        self._credentials = credentials
        self._deployment_id = deployment_id
        self._api_base = api_base
        self._calls_per_second = calls_per_second
        self._metrics = metrics
        self._accounts: dict[str, StripeAccount] = {}
        # What the SDK loads with its first client, before anybody waits for it.
        StripeAccount("unused", deployment_id, api_base)

    def account(self, organization_id: str, mode: Mode) -> StripeAccount:
        credentials = self._credentials.get(organization_id, mode)
        if credentials is None or not credentials.secret_key:
            raise ProviderUnavailableError(
                f"No payment provider is set up for this organization's {mode} mode."
            )
        key = credentials.secret_key
        if key not in self._accounts:
            pace = Pace(self._calls_per_second)
            watch = _measuring(self._metrics, mode)
            self._accounts[key] = StripeAccount(
                key, self._deployment_id, self._api_base, pace, watch
            )
        return self._accounts[key]


def _measuring(metrics: Metrics, mode: Mode) -> Watch:
    def watch(milliseconds: float, trouble: bool) -> None:
        metrics(Measure(PROVIDER_LATENCY, milliseconds, {"mode": mode}))
        if trouble:
            metrics(Measure(PROVIDER_ERRORS, 1, {"mode": mode}))

    return watch
