"""POST /payments: makes a payment link."""

from paylink import bootstrap
from paylink.domain.errors import UnauthorizedError
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, failure, success
from paylink.http.idempotency import idempotent_request
from paylink.http.json_body import parse_object
from paylink.http.request import Request
from paylink.http.schemas.payments import CREATE, new_link, present_payment
from paylink.services.create_payment import LinkPorts, Presenter, Requester, create_payment

lambda_handler = Api()


@lambda_handler.route("POST /payments", "payment:write", CREATE)
def create(request: Request, caller: Caller) -> Response:
    body = parse_object(request.body)
    organization = bootstrap.organizations().get(caller.organization_id)
    if organization is None:
        raise UnauthorizedError()
    answer = create_payment(
        new_link(body, caller.mode),
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
        public_base_url=request.base_url,
        default_lifetime=bootstrap.settings().link_lifetime,
    )
    replayed = {"idempotent-replayed": "true"} if answer.replayed else {}
    return Response(answer.status, answer.body, replayed)
