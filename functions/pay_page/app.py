"""The link: GET looks, POST goes on to the provider's checkout; and the download of documents."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.envelope import Response
from paylink.http.link_pages import asked_by, link_response, looked_at, problem_response
from paylink.http.request import Request
from paylink.services.documents import download_document
from paylink.services.open_checkout import open_checkout
from paylink.services.view_link import view_link

lambda_handler = Api(problem_response)
bootstrap.ready(bootstrap.payments, bootstrap.invoices, bootstrap.credentials)


@lambda_handler.public("GET /pay/{paymentId}")
def look(request: Request) -> Response:
    view = view_link(
        *looked_at(request),
        payments=bootstrap.payments(),
        organizations=bootstrap.organizations(),
        invoices=bootstrap.invoices(),
        credit_notes=bootstrap.credit_notes(),
        credentials=bootstrap.credentials(),
        clock=bootstrap.clock,
    )
    return link_response(view, request)


@lambda_handler.public("POST /pay/{paymentId}")
def pay(request: Request) -> Response:
    opened = open_checkout(
        *asked_by(request),
        payments=bootstrap.payments(),
        customers=bootstrap.customers(),
        organizations=bootstrap.organizations(),
        providers=bootstrap.providers(),
        clock=bootstrap.clock,
    )
    return link_response(opened, request)


@lambda_handler.public("GET /documents/{documentId}")
def download(request: Request) -> Response:
    url = download_document(
        request.parameters["documentId"],
        request.query.get("token", ""),
        shelves=bootstrap.shelves(),
        store=bootstrap.invoice_store(),
        credentials=bootstrap.credentials(),
        clock=bootstrap.clock,
    )
    return link_response(url, request)
