"""Webhook endpoints: registered, changed, read, ended."""

from typing import Any

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Seed, once
from paylink.http.lists import list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import webhooks as schemas
from paylink.services import webhook_endpoints as endpoints

lambda_handler = Api()
bootstrap.ready(bootstrap.endpoint_ports)


@lambda_handler.route("POST /webhooks", "webhook:write", schemas.CREATE)
@once(schemas.new_webhook, secret_answer=True)
def create(_: Request, caller: Caller, wanted: endpoints.NewEndpoint, seed: Seed) -> Response:
    made, secret = endpoints.create_endpoint(
        wanted, seed, caller.owner, caller.key_id, bootstrap.endpoint_ports()
    )
    return json_response(201, success(schemas.present_webhook_with_secret(made, secret)))


@lambda_handler.route("GET /webhooks", "webhook:read", schemas.LIST)
def list_all(request: Request, caller: Caller) -> Response:
    page = endpoints.list_endpoints(list_request(request, caller), bootstrap.endpoint_ports())
    return page_response(page, schemas.present_webhook)


@lambda_handler.route("GET /webhooks/{webhookId}", "webhook:read", schemas.GET)
def get(request: Request, caller: Caller) -> Response:
    webhook_id = request.parameters["webhookId"]
    found = endpoints.read_endpoint(webhook_id, caller.owner, bootstrap.webhooks())
    return json_response(200, success(schemas.present_webhook(found)))


@lambda_handler.route("PUT /webhooks/{webhookId}", "webhook:write", schemas.UPDATE)
@lambda_handler.route("PATCH /webhooks/{webhookId}", "webhook:write", schemas.UPDATE)
@once(schemas.changes_of_webhook)
def update(request: Request, caller: Caller, changes: dict[str, Any], _seed: Seed) -> Response:
    webhook_id, ports = request.parameters["webhookId"], bootstrap.endpoint_ports()
    changed = endpoints.update_endpoint(webhook_id, changes, caller.owner, ports)
    return json_response(200, success(schemas.present_webhook(changed)))


@lambda_handler.route("DELETE /webhooks/{webhookId}", "webhook:write", schemas.DELETE)
def delete(request: Request, caller: Caller) -> Response:
    webhook_id = request.parameters["webhookId"]
    gone = endpoints.delete_endpoint(webhook_id, caller.owner, bootstrap.endpoint_ports())
    return json_response(200, success(schemas.present_deleted_webhook(gone)))
