"""POST /stripe/webhook/{organizationId}/{mode}: 200 only when what follows from it is kept."""

from paylink import bootstrap
from paylink.adapters.stripe.webhook import receive_webhook
from paylink.http.api import Api
from paylink.http.envelope import Response, json_response
from paylink.http.request import Request
from paylink.services.handle_provider_event import handle_provider_event

lambda_handler = Api()
bootstrap.ready(bootstrap.payments, bootstrap.providers)


@lambda_handler.public("POST /stripe/webhook/{organizationId}/{mode}")
def receive(request: Request) -> Response:
    delivery = receive_webhook(
        request.body,
        request.header("stripe-signature"),
        request.parameters["organizationId"],
        request.parameters["mode"],
        credentials=bootstrap.credentials(),
        metrics=bootstrap.metrics(),
        now=bootstrap.clock(),
    )
    outcome = handle_provider_event(
        delivery.event,
        organization_id=delivery.organization_id,
        mode=delivery.mode,
        deployment_id=bootstrap.settings().deployment_id,
        payments=bootstrap.payments(),
        providers=bootstrap.providers(),
        metrics=bootstrap.metrics(),
        clock=bootstrap.clock,
    )
    return json_response(200, {"received": True, "outcome": outcome})
