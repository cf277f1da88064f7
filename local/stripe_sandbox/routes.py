"""Which call is which: method and path, the SDK's parameter type, and the function that does it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from stripe import params
from stripe.params import checkout as checkout_params
from stripe.params import tax as tax_params

from .context import Context
from .errors import Json
from .resources import (
    accounts,
    charges,
    checkout_sessions,
    customers,
    disputes,
    events,
    payment_intents,
    payment_methods,
    refunds,
    taxes,
    webhook_endpoints,
)


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    declared: Any
    handler: Callable[[Context], Json]
    unsettable: frozenset[str] = frozenset()


def _route(
    call: str,
    declared: Any,
    handler: Callable[[Context], Json],
    unsettable: frozenset[str] = frozenset(),
) -> Route:
    method, path = call.split(" ")
    pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path) + r"\Z")
    return Route(method, pattern, declared, handler, unsettable)


_CUSTOMER, _METHOD, _INTENT = "/v1/customers", "/v1/payment_methods", "/v1/payment_intents"
_SESSION, _REFUND, _DISPUTE = "/v1/checkout/sessions", "/v1/refunds", "/v1/disputes"
_HOOK, _RATE, _CALCULATION = "/v1/webhook_endpoints", "/v1/tax_rates", "/v1/tax/calculations"

ROUTES = (
    _route("GET /v1/account", params.AccountRetrieveCurrentParams, accounts.retrieve),
    _route("GET /v1/accounts/{id}", params.AccountRetrieveParams, accounts.retrieve),
    _route(
        f"POST {_CUSTOMER}", params.CustomerCreateParams, customers.create, customers.UNSETTABLE
    ),
    _route(f"GET {_CUSTOMER}", params.CustomerListParams, customers.list_all),
    _route(f"GET {_CUSTOMER}/{{id}}", params.CustomerRetrieveParams, customers.retrieve),
    _route(
        f"POST {_CUSTOMER}/{{id}}",
        params.CustomerUpdateParams,
        customers.update,
        customers.UNSETTABLE,
    ),
    _route(f"DELETE {_CUSTOMER}/{{id}}", params.CustomerDeleteParams, customers.delete),
    _route(
        f"POST {_CUSTOMER}/{{id}}/tax_ids",
        params.CustomerTaxIdCreateParams,
        customers.create_tax_id,
    ),
    _route(
        f"GET {_CUSTOMER}/{{id}}/tax_ids", params.CustomerTaxIdListParams, customers.list_tax_ids
    ),
    _route(
        f"GET {_CUSTOMER}/{{id}}/tax_ids/{{tax_id}}",
        params.CustomerTaxIdRetrieveParams,
        customers.retrieve_tax_id,
    ),
    _route(
        f"DELETE {_CUSTOMER}/{{id}}/tax_ids/{{tax_id}}",
        params.CustomerTaxIdDeleteParams,
        customers.delete_tax_id,
    ),
    _route(
        f"GET {_CUSTOMER}/{{id}}/payment_methods",
        params.CustomerPaymentMethodListParams,
        payment_methods.list_of_customer,
    ),
    _route(
        f"GET {_CUSTOMER}/{{id}}/payment_methods/{{payment_method}}",
        params.CustomerPaymentMethodRetrieveParams,
        payment_methods.retrieve_of_customer,
    ),
    _route(f"POST {_METHOD}", params.PaymentMethodCreateParams, payment_methods.create),
    _route(f"GET {_METHOD}", params.PaymentMethodListParams, payment_methods.list_all),
    _route(f"GET {_METHOD}/{{id}}", params.PaymentMethodRetrieveParams, payment_methods.retrieve),
    _route(f"POST {_METHOD}/{{id}}", params.PaymentMethodUpdateParams, payment_methods.update),
    _route(
        f"POST {_METHOD}/{{id}}/attach", params.PaymentMethodAttachParams, payment_methods.attach
    ),
    _route(
        f"POST {_METHOD}/{{id}}/detach", params.PaymentMethodDetachParams, payment_methods.detach
    ),
    _route(f"POST {_SESSION}", checkout_params.SessionCreateParams, checkout_sessions.create),
    _route(f"GET {_SESSION}", checkout_params.SessionListParams, checkout_sessions.list_all),
    _route(
        f"GET {_SESSION}/{{id}}", checkout_params.SessionRetrieveParams, checkout_sessions.retrieve
    ),
    _route(
        f"POST {_SESSION}/{{id}}", checkout_params.SessionUpdateParams, checkout_sessions.update
    ),
    _route(
        f"POST {_SESSION}/{{id}}/expire",
        checkout_params.SessionExpireParams,
        checkout_sessions.expire,
    ),
    _route(
        f"GET {_SESSION}/{{id}}/line_items",
        checkout_params.SessionLineItemListParams,
        checkout_sessions.list_line_items,
    ),
    _route(f"POST {_INTENT}", params.PaymentIntentCreateParams, payment_intents.create),
    _route(f"GET {_INTENT}", params.PaymentIntentListParams, payment_intents.list_all),
    _route(f"GET {_INTENT}/{{id}}", params.PaymentIntentRetrieveParams, payment_intents.retrieve),
    _route(f"POST {_INTENT}/{{id}}", params.PaymentIntentUpdateParams, payment_intents.update),
    _route(
        f"POST {_INTENT}/{{id}}/confirm", params.PaymentIntentConfirmParams, payment_intents.confirm
    ),
    _route(
        f"POST {_INTENT}/{{id}}/cancel", params.PaymentIntentCancelParams, payment_intents.cancel
    ),
    _route("GET /v1/charges", params.ChargeListParams, charges.list_all),
    _route("GET /v1/charges/{id}", params.ChargeRetrieveParams, charges.retrieve),
    _route(
        "GET /v1/balance_transactions", params.BalanceTransactionListParams, charges.list_balance
    ),
    _route(
        "GET /v1/balance_transactions/{id}",
        params.BalanceTransactionRetrieveParams,
        charges.retrieve_balance,
    ),
    _route(f"POST {_REFUND}", params.RefundCreateParams, refunds.create),
    _route(f"GET {_REFUND}", params.RefundListParams, refunds.list_all),
    _route(f"GET {_REFUND}/{{id}}", params.RefundRetrieveParams, refunds.retrieve),
    _route(f"POST {_REFUND}/{{id}}", params.RefundUpdateParams, refunds.update),
    _route(f"POST {_REFUND}/{{id}}/cancel", params.RefundCancelParams, refunds.cancel),
    _route(f"GET {_DISPUTE}", params.DisputeListParams, disputes.list_all),
    _route(f"GET {_DISPUTE}/{{id}}", params.DisputeRetrieveParams, disputes.retrieve),
    _route(f"POST {_DISPUTE}/{{id}}", params.DisputeUpdateParams, disputes.update),
    _route(f"POST {_DISPUTE}/{{id}}/close", params.DisputeCloseParams, disputes.close),
    _route("GET /v1/events", params.EventListParams, events.list_all),
    _route("GET /v1/events/{id}", params.EventRetrieveParams, events.retrieve),
    _route(f"POST {_HOOK}", params.WebhookEndpointCreateParams, webhook_endpoints.create),
    _route(f"GET {_HOOK}", params.WebhookEndpointListParams, webhook_endpoints.list_all),
    _route(f"GET {_HOOK}/{{id}}", params.WebhookEndpointRetrieveParams, webhook_endpoints.retrieve),
    _route(f"POST {_HOOK}/{{id}}", params.WebhookEndpointUpdateParams, webhook_endpoints.update),
    _route(f"DELETE {_HOOK}/{{id}}", params.WebhookEndpointDeleteParams, webhook_endpoints.delete),
    _route(f"POST {_CALCULATION}", tax_params.CalculationCreateParams, taxes.calculate),
    _route(f"GET {_CALCULATION}/{{id}}", tax_params.CalculationRetrieveParams, taxes.retrieve),
    _route(
        f"GET {_CALCULATION}/{{id}}/line_items",
        tax_params.CalculationLineItemListParams,
        taxes.list_line_items,
    ),
    _route("GET /v1/tax/settings", tax_params.SettingsRetrieveParams, taxes.settings),
    _route("GET /v1/tax/registrations", tax_params.RegistrationListParams, taxes.registrations),
    _route(f"POST {_RATE}", params.TaxRateCreateParams, taxes.create_rate),
    _route(f"GET {_RATE}", params.TaxRateListParams, taxes.list_rates),
    _route(f"GET {_RATE}/{{id}}", params.TaxRateRetrieveParams, taxes.retrieve_rate),
    _route(f"POST {_RATE}/{{id}}", params.TaxRateUpdateParams, taxes.update_rate),
)


def match(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    for route in ROUTES:
        if route.method == method and (found := route.pattern.match(path)):
            return route, found.groupdict()
    return None
