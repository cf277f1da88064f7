"""API keys: made, listed, ended."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Seed, once
from paylink.http.lists import list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import api_keys as schemas
from paylink.services import api_keys

lambda_handler = Api()
bootstrap.ready(bootstrap.api_keys, bootstrap.credentials)


@lambda_handler.route("POST /api-keys", "api_key:write", schemas.CREATE)
@once(schemas.new_api_key, secret_answer=True)
def create(_: Request, caller: Caller, wanted: api_keys.NewApiKey, seed: Seed) -> Response:
    key, plain = api_keys.create_api_key(
        wanted,
        seed,
        caller.owner,
        creator_permissions=caller.permissions,
        keys=bootstrap.api_keys(),
        credentials=bootstrap.credentials(),
        clock=bootstrap.clock,
    )
    return json_response(201, success(schemas.present_created_api_key(key, plain)))


@lambda_handler.route("GET /api-keys", "api_key:read", schemas.LIST)
def list_all(request: Request, caller: Caller) -> Response:
    wanted = list_request(request, caller)
    page = api_keys.list_api_keys(wanted, bootstrap.api_keys(), bootstrap.credentials())
    return page_response(page, schemas.present_api_key)


@lambda_handler.route("DELETE /api-keys/{apiKeyId}", "api_key:write", schemas.DELETE)
def delete(request: Request, caller: Caller) -> Response:
    key_id, keys = request.parameters["apiKeyId"], bootstrap.api_keys()
    key = api_keys.delete_api_key(key_id, caller.owner, caller.permissions, keys, bootstrap.clock)
    return json_response(200, success(schemas.present_deleted_api_key(key)))
