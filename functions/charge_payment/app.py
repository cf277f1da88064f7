"""POST /payments/charge: takes money from a customer's vaulted payment method."""

from datetime import timedelta

from paylink import bootstrap
from paylink.domain.errors import UnauthorizedError
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, failure, success
from paylink.http.idempotency import idempotent_request
from paylink.http.json_body import parse_object
from paylink.http.request import Request
from paylink.http.schemas.charges import CHARGE, new_charge
from paylink.http.schemas.payments import present_payment
from paylink.services.charge_payment import charge_payment
from paylink.services.create_payment import LinkPorts, Presenter, Requester

lambda_handler = Api()


@lambda_handler.route("POST /payments/charge", "payment:write", CHARGE)
def charge(request: Request, caller: Caller) -> Response:
    body = parse_object(request.body)
    organization = bootstrap.organizations().get(caller.organization_id)
    if organization is None:
        raise UnauthorizedError()
    answer = charge_payment(
        new_charge(body),
        Requester(organization, caller.mode, caller.key_id),
        idempotent_request(request, body),
        LinkPorts(
            payments=bootstrap.payments(),
            idempotency=bootstrap.idempotency(),
            customers=bootstrap.customers(),
            providers=bootstrap.providers(),
            presenter=Presenter(
                payment=lambda payment: success(present_payment(payment)),
                error=lambda error: failure(error, request.base_url),
            ),
            clock=bootstrap.clock,
        ),
        lease=timedelta(seconds=request.seconds_left + 1),
    )
    replayed = {"idempotent-replayed": "true"} if answer.replayed else {}
    return Response(answer.status, answer.body, replayed)
