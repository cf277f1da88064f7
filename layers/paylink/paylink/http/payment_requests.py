"""What the routes that make payments have in common: on whose behalf, with what, and the answer."""

from __future__ import annotations

from paylink import bootstrap
from paylink.domain.errors import UnauthorizedError
from paylink.http.auth import Caller
from paylink.http.envelope import Response, failure, success
from paylink.http.request import Request
from paylink.http.schemas.payments import present_payment
from paylink.services.payment_requests import Answer, PaymentPorts, Presenter, Requester


def requester(caller: Caller) -> Requester:
    """Raises UnauthorizedError for a key whose organization is gone."""
    organization = bootstrap.organizations().get(caller.organization_id)
    if organization is None:
        raise UnauthorizedError()
    return Requester(organization, caller.mode, caller.key_id)


def payment_ports(request: Request) -> PaymentPorts:
    return PaymentPorts(
        payments=bootstrap.payments(),
        idempotency=bootstrap.idempotency(),
        customers=bootstrap.customers(),
        providers=bootstrap.providers(),
        presenter=Presenter(
            payment=lambda payment: success(present_payment(payment)),
            error=lambda error: failure(error, request.base_url),
        ),
        clock=bootstrap.clock,
    )


def answer_response(answer: Answer) -> Response:
    replayed = {"idempotent-replayed": "true"} if answer.replayed else {}
    return Response(answer.status, answer.body, replayed)
