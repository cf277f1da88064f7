"""DELETE /customers/{customerId}: forgets a customer, here and at the provider."""

from datetime import timedelta

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.request import Request
from paylink.http.schemas.customers import ERASE, present_erased_customer
from paylink.services.erase_customer import ErasurePorts, erase_customer

lambda_handler = Api()
bootstrap.ready(bootstrap.customers, bootstrap.payments, bootstrap.invoices, bootstrap.providers)


@lambda_handler.route("DELETE /customers/{customerId}", "customer:write", ERASE)
def erase(request: Request, caller: Caller) -> Response:
    erased = erase_customer(
        request.parameters["customerId"],
        caller.owner,
        ErasurePorts(
            customers=bootstrap.customers(),
            payments=bootstrap.payments(),
            invoices=bootstrap.invoices(),
            providers=bootstrap.providers(),
            clock=bootstrap.clock,
        ),
        lease=timedelta(seconds=request.seconds_left + 1),
    )
    return json_response(200, success(present_erased_customer(erased)))
