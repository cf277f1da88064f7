"""Customers: made, changed, read, listed."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import run_once
from paylink.http.json_body import parse_object
from paylink.http.lists import list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import customers as schemas
from paylink.http.schemas.validation import validated
from paylink.services import customers
from paylink.services.read_customer import read_customer

lambda_handler = Api()


def ports() -> customers.CustomerPorts:
    return customers.CustomerPorts(
        bootstrap.customers(), bootstrap.providers(), schemas.present_customer, bootstrap.clock
    )


@lambda_handler.route("POST /customers", "customer:write", schemas.CREATE)
def create(request: Request, caller: Caller) -> Response:
    body = parse_object(request.body)
    wanted = validated(schemas.CreateCustomer, body).wanted()

    def make(seed: str | None) -> Response:
        made, new = customers.create_customer(wanted, seed, caller.owner, ports())
        return json_response(201 if new else 200, success(schemas.present_customer(made)))

    return run_once(request, caller, body, make)


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
def update(request: Request, caller: Caller) -> Response:
    body = parse_object(request.body)
    changes = validated(schemas.UpdateCustomer, body).changes()
    reference = request.parameters["customerId"]

    def change(_seed: str | None) -> Response:
        changed = customers.update_customer(reference, changes, caller.owner, ports())
        return json_response(200, success(schemas.present_customer(changed)))

    return run_once(request, caller, body, change)
