"""What setting a webhook endpoint up takes besides: a test event, and a new secret."""

from datetime import timedelta

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Body, Seed, once
from paylink.http.json_body import parse_optional
from paylink.http.request import Request
from paylink.http.schemas import webhooks as schemas
from paylink.services.webhook_deliveries import send_test
from paylink.services.webhook_endpoints import rotate_secret

lambda_handler = Api()
bootstrap.ready(bootstrap.endpoint_ports)


@lambda_handler.route("POST /webhooks/{webhookId}/test", "webhook:write", schemas.TEST)
@once(dict, read=parse_optional)
def test(request: Request, caller: Caller, _: Body, seed: Seed) -> Response:
    webhook_id = request.parameters["webhookId"]
    sent = send_test(webhook_id, seed, caller.owner, bootstrap.endpoint_ports())
    return json_response(200, success(schemas.present_test(sent)))


@lambda_handler.route("POST /webhooks/{webhookId}/rotate-secret", "webhook:write", schemas.ROTATE)
@once(schemas.overlap_of, read=parse_optional, secret_answer=True)
def rotate_webhook_secret(
    request: Request, caller: Caller, overlap: timedelta, seed: Seed
) -> Response:
    webhook_id = request.parameters["webhookId"]
    ports = bootstrap.endpoint_ports()
    found, secret = rotate_secret(webhook_id, overlap, seed, caller.owner, ports)
    return json_response(200, success(schemas.present_webhook_with_secret(found, secret)))
