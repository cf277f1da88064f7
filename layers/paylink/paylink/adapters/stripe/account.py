"""One Stripe account in one mode, as the service's payment provider."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import stripe

from paylink.adapters.stripe import charges
from paylink.adapters.stripe.checkout import EXPANSIONS, checkout_state, session_parameters
from paylink.adapters.stripe.customers import (
    creation_parameters,
    has_parts_left,
    is_tax_document,
    tax_id_of,
    update_parameters,
)
from paylink.adapters.stripe.disputes import dispute_state
from paylink.adapters.stripe.failures import is_tax_inactive, tax_refusal, translated_failures
from paylink.adapters.stripe.http_client import PooledClient, Watch
from paylink.adapters.stripe.pace import Pace
from paylink.adapters.stripe.refunds import refund_parameters, refund_state
from paylink.adapters.stripe.webhook import EVENT_TYPES, translate_event
from paylink.domain.charge import ChargeState, TaxCalculation
from paylink.domain.customer import Customer
from paylink.domain.dispute import DisputeState
from paylink.domain.errors import (
    NoPaymentMethodError,
    ProviderCustomerGoneError,
    ProviderRejectedError,
    ProviderSessionGoneError,
    ProviderUnavailableError,
)
from paylink.domain.payment import (
    CheckoutSession,
    CheckoutState,
    Payment,
    Refund,
    Transaction,
    session_key,
)
from paylink.domain.provider_event import ProviderEvent
from paylink.domain.refund import RefundState
from paylink.domain.tax import LOCATION_UNKNOWN
from paylink.ports import ChargeNotOpenError, ProviderMarks, SessionNotOpenError

if TYPE_CHECKING:
    from stripe.checkout import Session
    from stripe.params import (
        CustomerCreateParams,
        CustomerTaxIdCreateParams,
        CustomerUpdateParams,
        PaymentIntentCreateParams,
        RefundCreateParams,
    )
    from stripe.params.tax import CalculationCreateParams

# Two calls that both hang, with a retry each, still leave time for our own answer within the
# gateway's 30 seconds.
_CONNECT_SECONDS = 3.0
_READ_SECONDS = 6.0
_RETRIES = 1

_GONE = "resource_missing"
# Stripe may forget an idempotency key after 24 hours, and would take the money again.
_KEYS_KEPT = timedelta(hours=23)
_CLOCKS_APART = timedelta(minutes=10)


# How long our calls take is told to nobody; what the SDK would tell, it finds out by a process.
stripe.enable_telemetry = False


class StripeAccount:
    """Fulfils `paylink.ports.PaymentProvider`; ``api_base`` is empty for Stripe itself."""

    def __init__(
        self,
        secret_key: str,
        deployment_id: str,
        api_base: str = "",
        pace: Pace | None = None,
        watch: Watch = lambda _milliseconds, _trouble: None,
    ) -> None:
        self._deployment_id = deployment_id
        self._client = stripe.StripeClient(
            secret_key,
            base_addresses={"api": api_base} if api_base else {},
            max_network_retries=_RETRIES,
            http_client=PooledClient(
                api_base or stripe.DEFAULT_API_BASE,
                connect_timeout=_CONNECT_SECONDS,
                read_timeout=_READ_SECONDS,
                pace=pace,
                watch=watch,
            ),
        )
        self._stripe = self._client.v1

    def prepare_session(
        self, payment: Payment, customer: Customer | None, now: datetime
    ) -> CheckoutSession:
        request = session_parameters(payment, customer, self._deployment_id, now)
        generation = len(payment.sessions) + 1
        return CheckoutSession(
            generation=generation,
            idempotency_key=session_key(payment.id, generation),
            request=request,
            expires_at=datetime.fromtimestamp(request["expires_at"], UTC),
            tax=payment.tax,
        )

    def create_session(self, session: CheckoutSession) -> CheckoutSession:
        try:
            with translated_failures("checkout.sessions.create"):
                created = self._session(
                    "post", "", session.request, idempotency_key=session.idempotency_key
                )
        except ProviderRejectedError as error:
            if (error.provider_code, error.param) == (_GONE, "customerId"):
                raise ProviderCustomerGoneError(session.request["customer"]) from error
            if is_tax_inactive(error):
                raise tax_refusal(error) from error
            raise
        return CheckoutSession(
            generation=session.generation,
            idempotency_key=session.idempotency_key,
            request={},
            expires_at=datetime.fromtimestamp(created.expires_at, UTC),
            id=created.id,
            url=created.url,
            tax=session.tax,
        )

    def fetch_checkout(self, session_id: str) -> CheckoutState:
        try:
            with translated_failures("checkout.sessions.retrieve"):
                session = self._session(
                    "get", "/" + quote(session_id, safe=""), {"expand": EXPANSIONS}
                )
        except ProviderRejectedError as error:
            if error.provider_code == _GONE:
                raise ProviderSessionGoneError() from error
            raise
        return checkout_state(session)

    def _session(
        self, method: str, path: str, parameters: Mapping[str, Any], **options: str
    ) -> Session:
        """By the SDK's raw request, as plain attributes of the same names.

        The SDK makes an object of every part of an answer and loads the classes of all of them: a
        third of what a webhook costs, and much of the first one's wait. A dozen members are read.
        """
        answer = self._client.raw_request(
            method, f"/v1/checkout/sessions{path}", **parameters, **options
        )
        return cast("Session", json.loads(answer.body, object_hook=_attributes))

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

    def calculate_tax(self, payment: Payment, customer: Customer) -> TaxCalculation:
        parameters = charges.calculation_parameters(payment)
        known = customer.provider_customer_id
        buyers: list[dict[str, Any]] = [{"customer": known}] if known else []
        details = charges.customer_details(customer)
        if details is not None:
            # Stripe's own customer may lack the address that we know.
            buyers.append({"customer_details": details})
        refused = ProviderRejectedError("", provider_code=LOCATION_UNKNOWN)
        for buyer in buyers:
            try:
                with translated_failures("tax.calculations.create"):
                    made = self._stripe.tax.calculations.create(
                        cast("CalculationCreateParams", parameters | buyer)
                    )
                return charges.tax_calculation(made)
            except ProviderRejectedError as error:
                refused = error
                if error.provider_code != LOCATION_UNKNOWN:
                    break
        if refused.provider_code == _GONE:
            raise ProviderCustomerGoneError(customer.provider_customer_id or "") from refused
        if refused.provider_code in charges.AMOUNT_CODES:
            raise refused
        raise tax_refusal(refused) from refused

    def prepare_charge(self, payment: Payment, now: datetime) -> CheckoutSession:
        generation = len(payment.sessions) + 1
        return CheckoutSession(
            generation=generation,
            idempotency_key=session_key(payment.id, generation),
            request=charges.intent_parameters(payment, self._deployment_id),
            expires_at=now + _KEYS_KEPT,
        )

    def create_charge(self, session: CheckoutSession) -> ChargeState:
        try:
            with translated_failures("payment_intents.create"):
                made = self._stripe.payment_intents.create(
                    cast("PaymentIntentCreateParams", dict(session.request)),
                    # Money isn't asked for again before somebody has looked whether it came.
                    {"idempotency_key": session.idempotency_key, "max_network_retries": 0},
                )
        except (ProviderRejectedError, ProviderUnavailableError) as error:
            cause = error.__cause__
            intent_id = charges.intent_in(cause) if isinstance(cause, stripe.StripeError) else None
            if intent_id is not None:
                return self._left_behind(intent_id)
            if isinstance(cause, stripe.InvalidRequestError) and charges.is_unusable(cause):
                raise NoPaymentMethodError() from error
            if isinstance(cause, stripe.CardError):
                # Declined without an intent to look at; this answer will be repeated for the key.
                raise ProviderUnavailableError(outcome_stored=True) from error
            raise
        return charges.charge_state(made)

    def _left_behind(self, intent_id: str) -> ChargeState:
        try:
            return self.fetch_charge(intent_id)
        except ProviderRejectedError as error:  # it was there a moment ago
            raise ProviderUnavailableError() from error

    def find_charge(self, payment: Payment) -> ChargeState | None:
        if payment.charge is None:
            return None
        marks = charges.marks_of(payment, self._deployment_id)
        with translated_failures("payment_intents.list"):
            listed = self._stripe.payment_intents.list(
                {
                    "customer": payment.charge.provider_customer_id,
                    "created": {"gte": int((payment.created_at - _CLOCKS_APART).timestamp())},
                    "limit": 100,
                    "expand": [f"data.{name}" for name in charges.EXPANSIONS],
                }
            )
            found = [
                charges.charge_state(intent)
                for intent in listed.auto_paging_iter()
                if charges.marks_on(intent) == marks
            ]
        # Money counts more than a try that came to nothing.
        found.sort(key=lambda state: state.status != "complete")
        return found[0] if found else None

    def fetch_charge(self, intent_id: str) -> ChargeState:
        with translated_failures("payment_intents.retrieve"):
            intent = self._stripe.payment_intents.retrieve(
                intent_id, {"expand": charges.EXPANSIONS}
            )
        return charges.charge_state(intent)

    def cancel_charge(self, intent_id: str) -> None:
        try:
            with translated_failures("payment_intents.cancel"):
                self._stripe.payment_intents.cancel(intent_id)
        except ProviderRejectedError as error:
            raise ChargeNotOpenError(intent_id) from error

    def create_refund(
        self, payment: Payment, transaction: Transaction, refund: Refund
    ) -> RefundState:
        parameters = refund_parameters(payment, transaction, refund, self._deployment_id)
        with translated_failures("refunds.create"):
            made = self._stripe.refunds.create(
                cast("RefundCreateParams", parameters),
                # Money isn't sent again before somebody has looked whether it went.
                {"idempotency_key": refund.idempotency_key, "max_network_retries": 0},
            )
        return refund_state(made)

    def refunds_of(self, intent_id: str) -> Sequence[RefundState]:
        with translated_failures("refunds.list"):
            listed = self._stripe.refunds.list({"payment_intent": intent_id, "limit": 100})
            return [refund_state(refund) for refund in listed.auto_paging_iter()]

    def disputes_of(self, intent_id: str) -> Sequence[DisputeState]:
        with translated_failures("disputes.list"):
            listed = self._stripe.disputes.list({"payment_intent": intent_id, "limit": 100})
            return [dispute_state(dispute) for dispute in listed.auto_paging_iter()]

    def marks_of_payment_intent(self, intent_id: str) -> ProviderMarks:
        with translated_failures("payment_intents.retrieve"):
            marks = charges.marks_on(self._stripe.payment_intents.retrieve(intent_id))
        return ProviderMarks(
            marks.get("payment_id"), marks.get("organization_id"), marks.get("deployment_id")
        )

    def create_customer(self, customer: Customer) -> str:
        parameters = creation_parameters(customer, self._deployment_id)
        key = f"{customer.id}:{customer.provider_generation}"
        with translated_failures("customers.create"):
            created = self._stripe.customers.create(
                cast("CustomerCreateParams", parameters), {"idempotency_key": key}
            )
        return created.id

    def update_customer(self, customer: Customer) -> None:
        customer_id = customer.provider_customer_id or ""
        try:
            with translated_failures("customers.update"):
                wanted = cast("CustomerUpdateParams", update_parameters(customer))
                known = self._stripe.customers.update(customer_id, wanted)
                if has_parts_left(known.address, customer):
                    self._stripe.customers.update(customer_id, {"address": ""})
                    self._stripe.customers.update(customer_id, wanted)
            self._set_tax_id(customer_id, customer)
        except ProviderRejectedError as error:
            if error.provider_code == _GONE:
                raise ProviderCustomerGoneError(customer_id) from error
            raise

    def _set_tax_id(self, customer_id: str, customer: Customer) -> None:
        """Adds before it removes, so that none is ever missing."""
        with translated_failures("customers.tax_ids"):
            tax_ids = self._stripe.customers.tax_ids
            known = tax_ids.list(customer_id, {"limit": 100}).data
            # A number that the buyer entered at checkout has a type that we may not know.
            same = [is_tax_document(found.value, customer) for found in known]
            wanted = tax_id_of(customer)
            if wanted is not None and not any(same):
                tax_ids.create(customer_id, cast("CustomerTaxIdCreateParams", wanted))
            for found, stays in zip(known, same, strict=True):
                if not stays:
                    tax_ids.delete(customer_id, found.id)

    def delete_customer(self, provider_customer_id: str) -> None:
        try:
            with translated_failures("customers.delete"):
                self._stripe.customers.delete(provider_customer_id)
        except ProviderRejectedError as error:
            if error.provider_code != _GONE:
                raise

    def undelivered_events(self, since: datetime, until: datetime) -> Sequence[ProviderEvent]:
        found = []
        with translated_failures("events.list"):
            listed = self._stripe.events.list(
                {
                    "delivery_success": False,
                    "types": sorted(EVENT_TYPES),
                    "created": {"gte": int(since.timestamp()), "lte": int(until.timestamp())},
                    "limit": 100,
                }
            )
            for told in listed.auto_paging_iter():
                event = translate_event(told.to_dict())
                if event is not None:
                    found.append(event)
        return found[::-1]

    def detach_payment_method(self, provider_id: str) -> None:
        try:
            with translated_failures("payment_methods.detach"):
                self._stripe.payment_methods.detach(provider_id)
        except ProviderRejectedError:
            # Stripe says in words only that it was detached before, so look.
            if self._attached(provider_id):
                raise

    def _attached(self, provider_id: str) -> bool:
        try:
            with translated_failures("payment_methods.retrieve"):
                return self._stripe.payment_methods.retrieve(provider_id).customer is not None
        except ProviderRejectedError as error:
            if error.provider_code == _GONE:
                return False
            raise


def _attributes(members: dict[str, Any]) -> SimpleNamespace:
    return SimpleNamespace(**members)
