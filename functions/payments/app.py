"""Payments as callers read them: one, and lists."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.lists import choice, list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas.payments import STATUSES, present_payment
from paylink.services.list_payments import list_payments
from paylink.services.read_payment import read_payment

lambda_handler = Api()


@lambda_handler.route("GET /payments/{paymentId}", "payment:read")
def get(request: Request, caller: Caller) -> Response:
    payment = read_payment(
        request.parameters["paymentId"],
        organization_id=caller.organization_id,
        mode=caller.mode,
        payments=bootstrap.payments(),
    )
    return json_response(200, success(present_payment(payment)))


@lambda_handler.route("GET /payments", "payment:read")
def list_all(request: Request, caller: Caller) -> Response:
    page = list_payments(
        list_request(request, caller, ("customerId", "status")),
        customer=request.query.get("customerId"),
        status=choice(request, "status", STATUSES),
        payments=bootstrap.payments(),
        customers=bootstrap.customers(),
        credentials=bootstrap.credentials(),
    )
    return page_response(page, present_payment)
