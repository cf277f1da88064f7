"""Invoices as callers read them, one and lists; and links to their PDF."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Body, Seed, once
from paylink.http.json_body import parse_optional
from paylink.http.lists import choice, list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import invoices as schemas
from paylink.services.documents import make_download_link
from paylink.services.invoices import list_invoices, read_invoice

lambda_handler = Api()
bootstrap.ready(bootstrap.invoices, bootstrap.credentials)


@lambda_handler.route("GET /invoices/{invoiceId}", "invoice:read", schemas.GET)
def get(request: Request, caller: Caller) -> Response:
    found = read_invoice(request.parameters["invoiceId"], caller.owner, bootstrap.invoices())
    return json_response(200, success(schemas.present_whole(found)))


@lambda_handler.route("GET /invoices", "invoice:read", schemas.LIST)
def list_all(request: Request, caller: Caller) -> Response:
    page = list_invoices(
        list_request(request, caller, ("customerId", "status", "subscriptionId")),
        customer=request.query.get("customerId"),
        status=choice(request, "status", schemas.STATUSES),
        subscription=request.query.get("subscriptionId"),
        invoices=bootstrap.invoices(),
        customers=bootstrap.customers(),
        credentials=bootstrap.credentials(),
    )
    return page_response(page, schemas.present_invoice)


@lambda_handler.route("GET /invoices/{invoiceId}/download", "invoice:read", schemas.OLDER_LINK)
def get_invoice_download(request: Request, caller: Caller) -> Response:
    return link(request, caller, 200)


@lambda_handler.route("POST /invoices/{invoiceId}/download-links", "invoice:read", schemas.LINK)
@once(dict, read=parse_optional)
def create_invoice_download_link(
    request: Request, caller: Caller, _: Body, _seed: Seed
) -> Response:
    return link(request, caller, 201)


def link(request: Request, caller: Caller, status: int) -> Response:
    found = read_invoice(request.parameters["invoiceId"], caller.owner, bootstrap.invoices())
    made = make_download_link(
        found, request.base_url, credentials=bootstrap.credentials(), clock=bootstrap.clock
    )
    return json_response(status, success(schemas.present_link(made, found)))
