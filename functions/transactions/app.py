"""Attempts to pay as callers read them, one and lists; and their money sent back."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Seed, once
from paylink.http.json_body import parse_optional
from paylink.http.lists import choice, list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import transactions as schemas
from paylink.services.refund_transaction import NewRefund, refund_transaction
from paylink.services.transactions import list_transactions, read_transaction

lambda_handler = Api()
bootstrap.ready(bootstrap.payments, bootstrap.providers)


@lambda_handler.route("GET /transactions/{transactionId}", "transaction:read", schemas.GET)
def get(request: Request, caller: Caller) -> Response:
    wanted = request.parameters["transactionId"]
    found = read_transaction(wanted, caller.owner, bootstrap.payments())
    return json_response(200, success(schemas.present_transaction(found)))


@lambda_handler.route("GET /transactions", "transaction:read", schemas.LIST)
def list_all(request: Request, caller: Caller) -> Response:
    page = list_transactions(
        list_request(request, caller, ("status", "customerEmail")),
        status=choice(request, "status", schemas.STATUSES),
        customer_email=request.query.get("customerEmail"),
        payments=bootstrap.payments(),
        credentials=bootstrap.credentials(),
    )
    return page_response(page, schemas.present_transaction)


@lambda_handler.route(
    "POST /transactions/{transactionId}/refund", "transaction:write", schemas.REFUND
)
@once(schemas.new_refund, read=parse_optional, lasting=True)
def refund(request: Request, caller: Caller, wanted: NewRefund, seed: Seed) -> Response:
    made = refund_transaction(
        request.parameters["transactionId"],
        wanted,
        seed,
        caller.owner,
        payments=bootstrap.payments(),
        providers=bootstrap.providers(),
        clock=bootstrap.clock,
    )
    return json_response(201, success(schemas.present_refund(*made)))
