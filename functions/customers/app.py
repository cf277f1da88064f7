"""Customers: made, changed, read, listed."""

from typing import Any

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Seed, once
from paylink.http.lists import list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import customers as schemas
from paylink.services import customers
from paylink.services.read_customer import read_customer

lambda_handler = Api()
bootstrap.ready(bootstrap.customers, bootstrap.providers)


@lambda_handler.route("POST /customers", "customer:write", schemas.CREATE)
@once(schemas.new_customer)
def create(_: Request, caller: Caller, wanted: customers.NewCustomer, seed: Seed) -> Response:
    made, new = customers.create_customer(wanted, seed, caller.owner, bootstrap.customer_ports())
    return json_response(201 if new else 200, success(schemas.present_customer(made)))


@lambda_handler.route("GET /customers/{customerId}", "customer:read", schemas.GET)
def get(request: Request, caller: Caller) -> Response:
    found = read_customer(caller.owner, request.parameters["customerId"], bootstrap.customers())
    return json_response(200, success(schemas.present_customer(found)))


@lambda_handler.route("GET /customers", "customer:read", schemas.LIST)
def list_all(request: Request, caller: Caller) -> Response:
    page = customers.list_customers(
        list_request(request, caller, ("externalId",)),
        external_id=request.query.get("externalId"),
        customers=bootstrap.customers(),
        credentials=bootstrap.credentials(),
    )
    return page_response(page, schemas.present_customer)


@lambda_handler.route("PUT /customers/{customerId}", "customer:write", schemas.UPDATE)
@lambda_handler.route("PATCH /customers/{customerId}", "customer:write", schemas.UPDATE)
@once(schemas.changes_of_customer)
def update(request: Request, caller: Caller, changes: dict[str, Any], _seed: Seed) -> Response:
    changed = customers.update_customer(
        request.parameters["customerId"], changes, caller.owner, bootstrap.customer_ports()
    )
    return json_response(200, success(schemas.present_customer(changed)))
