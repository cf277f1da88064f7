"""Payments as callers read them, one and lists; and the end of a link at the caller's wish."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import run_once
from paylink.http.json_body import expect_nothing
from paylink.http.lists import choice, list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas.payments import CANCEL, GET, LIST, STATUSES, present_payment
from paylink.services.cancel_payment import cancel_payment
from paylink.services.list_payments import list_payments
from paylink.services.read_payment import read_payment

lambda_handler = Api()


@lambda_handler.route("GET /payments/{paymentId}", "payment:read", GET)
def get(request: Request, caller: Caller) -> Response:
    payment = read_payment(
        request.parameters["paymentId"],
        organization_id=caller.organization_id,
        mode=caller.mode,
        payments=bootstrap.payments(),
    )
    return json_response(200, success(present_payment(payment)))


@lambda_handler.route("GET /payments", "payment:read", LIST)
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


@lambda_handler.route("POST /payments/{paymentId}/cancel", "payment:write", CANCEL)
def cancel(request: Request, caller: Caller) -> Response:
    expect_nothing(request.body)

    def run(_seed: str | None) -> Response:
        payment = cancel_payment(
            request.parameters["paymentId"],
            organization_id=caller.organization_id,
            mode=caller.mode,
            payments=bootstrap.payments(),
            providers=bootstrap.providers(),
            clock=bootstrap.clock,
        )
        return json_response(200, success(present_payment(payment)))

    return run_once(request, caller, {}, run)
