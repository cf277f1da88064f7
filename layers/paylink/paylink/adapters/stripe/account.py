"""One Stripe account in one mode, as the service's payment provider."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import stripe

from paylink.adapters.stripe.checkout import EXPANSIONS, checkout_state, session_parameters
from paylink.adapters.stripe.failures import translated_failures
from paylink.domain.customer import Customer
from paylink.domain.errors import ProviderRejectedError
from paylink.domain.payment import CheckoutSession, CheckoutState, Payment
from paylink.ports import SessionNotOpenError

if TYPE_CHECKING:
    from stripe.params.checkout import SessionCreateParams

# Two calls that both hang, with a retry each, still leave time for our own answer within the
# gateway's 30 seconds.
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 6.0
_RETRIES = 1


class StripeAccount:
    """Fulfils `paylink.ports.PaymentProvider`; ``api_base`` is empty for Stripe itself."""

    def __init__(self, secret_key: str, deployment_id: str, api_base: str = "") -> None:
        self._deployment_id = deployment_id
        self._stripe = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base} if api_base else {},
            max_network_retries=_RETRIES,
            http_client=stripe.RequestsClient(timeout=(_CONNECT_SECONDS, _READ_SECONDS)),
        ).v1

    def prepare_session(
        self, payment: Payment, customer: Customer | None, now: datetime
    ) -> CheckoutSession:
        request = session_parameters(payment, customer, self._deployment_id, now)
        generation = len(payment.sessions) + 1
        return CheckoutSession(
            generation=generation,
            idempotency_key=f"{payment.id}:{generation}",
            request=request,
            expires_at=datetime.fromtimestamp(request["expires_at"], UTC),
        )

    def create_session(self, session: CheckoutSession) -> CheckoutSession:
        with translated_failures("checkout.sessions.create"):
            created = self._stripe.checkout.sessions.create(
                cast("SessionCreateParams", dict(session.request)),
                {"idempotency_key": session.idempotency_key},
            )
        return CheckoutSession(
            generation=session.generation,
            idempotency_key=session.idempotency_key,
            request={},
            expires_at=datetime.fromtimestamp(created.expires_at, UTC),
            id=created.id,
            url=created.url,
        )

    def fetch_checkout(self, session_id: str) -> CheckoutState:
        with translated_failures("checkout.sessions.retrieve"):
            session = self._stripe.checkout.sessions.retrieve(session_id, {"expand": EXPANSIONS})
        return checkout_state(session)

    def expire_session(self, session_id: str) -> None:
        try:
            with translated_failures("checkout.sessions.expire"):
                self._stripe.checkout.sessions.expire(session_id)
        except ProviderRejectedError as error:
            raise SessionNotOpenError(session_id) from error

    def session_of_payment_intent(self, intent_id: str) -> str | None:
        with translated_failures("checkout.sessions.list"):
            found = self._stripe.checkout.sessions.list({"payment_intent": intent_id, "limit": 1})
        return found.data[0].id if found.data else None
