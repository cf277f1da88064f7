"""POST /payments/charge: takes money from a customer's vaulted payment method."""

from datetime import timedelta

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response
from paylink.http.idempotency import idempotent_request
from paylink.http.json_body import parse_object
from paylink.http.payment_requests import answer_response, payment_ports, requester
from paylink.http.request import Request
from paylink.http.schemas.charges import CHARGE, new_charge
from paylink.services.charge_payment import charge_payment

lambda_handler = Api()
bootstrap.ready(bootstrap.payments, bootstrap.organizations, bootstrap.providers)


@lambda_handler.route("POST /payments/charge", "payment:write", CHARGE)
def charge(request: Request, caller: Caller) -> Response:
    body = parse_object(request.body)
    answer = charge_payment(
        new_charge(body),
        requester(caller),
        idempotent_request(request, body),
        payment_ports(request),
        lease=timedelta(seconds=request.seconds_left + 1),
    )
    return answer_response(answer)
