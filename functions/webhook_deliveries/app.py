"""Deliveries to webhook endpoints: their log, and sending again."""

from datetime import datetime

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Body, Seed, once
from paylink.http.json_body import parse_optional
from paylink.http.lists import choice, list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import webhooks as schemas
from paylink.services import webhook_deliveries as deliveries

lambda_handler = Api()
bootstrap.ready(bootstrap.webhooks, bootstrap.credentials)


@lambda_handler.route("GET /webhooks/{webhookId}/deliveries", "webhook:read", schemas.DELIVERIES)
def list_webhook_deliveries(request: Request, caller: Caller) -> Response:
    page = deliveries.list_deliveries(
        request.parameters["webhookId"],
        list_request(request, caller, ("status",)),
        status=choice(request, "status", schemas.STATUSES),
        webhooks=bootstrap.webhooks(),
        credentials=bootstrap.credentials(),
        clock=bootstrap.clock,
    )
    return page_response(page, schemas.present_delivery)


@lambda_handler.route(
    "POST /webhooks/{webhookId}/deliveries/{deliveryId}/resend", "webhook:write", schemas.RESEND
)
@once(dict, read=parse_optional)
def resend_webhook_delivery(request: Request, caller: Caller, _: Body, _seed: Seed) -> Response:
    named = request.parameters["webhookId"], request.parameters["deliveryId"]
    found = deliveries.resend_delivery(named, caller.owner, bootstrap.webhooks(), bootstrap.clock)
    return json_response(200, success(schemas.present_delivery(found)))


@lambda_handler.route("POST /webhooks/{webhookId}/resend", "webhook:write", schemas.RESEND_FAILED)
@once(schemas.since_of)
def resend_failed_webhooks(
    request: Request, caller: Caller, since: datetime, _seed: Seed
) -> Response:
    webhook_id, webhooks = request.parameters["webhookId"], bootstrap.webhooks()
    done = deliveries.resend_failed(webhook_id, since, caller.owner, webhooks, bootstrap.clock)
    return json_response(200, success(schemas.present_resent(done, caller.mode)))
