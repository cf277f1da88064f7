"""What is vaulted for a customer: listed, and removed here and at the provider."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.lists import list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import payment_methods as schemas
from paylink.services import payment_methods

lambda_handler = Api()
bootstrap.ready(bootstrap.customers, bootstrap.providers)


@lambda_handler.route("GET /customers/{customerId}/payment-methods", "customer:read", schemas.LIST)
def list_methods(request: Request, caller: Caller) -> Response:
    page = payment_methods.list_payment_methods(
        list_request(request, caller),
        request.parameters["customerId"],
        customers=bootstrap.customers(),
        credentials=bootstrap.credentials(),
    )
    return page_response(page, schemas.present_payment_method)


@lambda_handler.route(
    "DELETE /customers/{customerId}/payment-methods/{paymentMethodId}",
    "customer:write",
    schemas.REMOVE,
)
def remove_method(request: Request, caller: Caller) -> Response:
    removed = payment_methods.remove_payment_method(
        request.parameters["customerId"],
        request.parameters["paymentMethodId"],
        caller.owner,
        customers=bootstrap.customers(),
        providers=bootstrap.providers(),
    )
    return json_response(200, success(schemas.present_removed_payment_method(removed)))
