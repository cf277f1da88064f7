"""POST /payments: makes a payment link."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response
from paylink.http.idempotency import idempotent_request
from paylink.http.json_body import parse_object
from paylink.http.payment_requests import answer_response, payment_ports, requester
from paylink.http.request import Request
from paylink.http.schemas.payments import CREATE, new_link
from paylink.services.create_payment import create_payment

lambda_handler = Api()
bootstrap.ready(bootstrap.payments, bootstrap.organizations, bootstrap.providers)


@lambda_handler.route("POST /payments", "payment:write", CREATE)
def create(request: Request, caller: Caller) -> Response:
    body = parse_object(request.body)
    answer = create_payment(
        new_link(body, caller.mode),
        requester(caller),
        idempotent_request(request, body),
        payment_ports(request),
        public_base_url=request.base_url,
        default_lifetime=bootstrap.settings().link_lifetime,
    )
    return answer_response(answer)
