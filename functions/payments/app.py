"""Payments as callers read them, one and lists; and the end of a link at the caller's wish."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Body, Seed, once
from paylink.http.json_body import expect_nothing
from paylink.http.lists import choice, list_request, page_response
from paylink.http.qr_codes import qr_response
from paylink.http.request import Request
from paylink.http.schemas.payments import CANCEL, GET, LIST, QR, STATUSES, present_payment
from paylink.services.cancel_payment import cancel_payment
from paylink.services.payments import list_payments, read_link, read_payment

lambda_handler = Api()
bootstrap.ready(bootstrap.payments, bootstrap.customers, bootstrap.providers)


@lambda_handler.route("GET /payments/{paymentId}", "payment:read", GET)
def get(request: Request, caller: Caller) -> Response:
    found = read_payment(request.parameters["paymentId"], caller.owner, bootstrap.payments())
    return json_response(200, success(present_payment(found)))


@lambda_handler.route("GET /payments/{paymentId}/qr", "payment:read", QR)
def get_payment_qr(request: Request, caller: Caller) -> Response:
    url = read_link(request.parameters["paymentId"], caller.owner, bootstrap.payments())
    return qr_response(url, request)


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
@once(dict, read=expect_nothing)
def cancel(request: Request, caller: Caller, _body: Body, _seed: Seed) -> Response:
    payment = cancel_payment(
        request.parameters["paymentId"],
        caller.owner,
        payments=bootstrap.payments(),
        providers=bootstrap.providers(),
        clock=bootstrap.clock,
    )
    return json_response(200, success(present_payment(payment)))
