"""GET /payments/{paymentId}."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.request import Request
from paylink.http.schemas.payments import present_payment
from paylink.services.read_payment import read_payment

lambda_handler = Api()


@lambda_handler.route("GET /payments/{paymentId}")
def get(request: Request, caller: Caller) -> Response:
    payment = read_payment(
        request.parameters["paymentId"],
        organization_id=caller.organization_id,
        mode=caller.mode,
        payments=bootstrap.payments(),
    )
    return json_response(200, success(present_payment(payment)))
