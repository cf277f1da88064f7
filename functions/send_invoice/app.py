"""An invoice sent to its buyer by e-mail, because the seller asks for it."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Body, Seed, once
from paylink.http.json_body import parse_optional
from paylink.http.request import Request
from paylink.http.schemas.invoices import SEND, present_sent
from paylink.services.send_document import send_invoice

lambda_handler = Api()
bootstrap.ready(bootstrap.mail_ports)


@lambda_handler.route("POST /invoices/{invoiceId}/send", "invoice:write", SEND)
@once(dict, read=parse_optional)
def send(request: Request, caller: Caller, _body: Body, _seed: Seed) -> Response:
    sent = send_invoice(
        request.parameters["invoiceId"],
        caller.owner,
        request.base_url,
        bootstrap.mail_ports(),
    )
    return json_response(200, success(present_sent(*sent)))
