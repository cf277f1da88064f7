"""Credit notes as callers read them, one and lists; and links to their PDF."""

from paylink import bootstrap
from paylink.domain.credit_note import CreditNote
from paylink.http.api import Api
from paylink.http.auth import Caller
from paylink.http.envelope import Response, json_response, success
from paylink.http.idempotency import Body, Seed, once
from paylink.http.json_body import parse_optional
from paylink.http.lists import list_request, page_response
from paylink.http.request import Request
from paylink.http.schemas import credit_notes as schemas
from paylink.services.credit_notes import list_credit_notes, read_credit_note
from paylink.services.documents import make_download_link

lambda_handler = Api()
bootstrap.ready(bootstrap.credit_notes, bootstrap.credentials)


def read(request: Request, caller: Caller) -> CreditNote:
    return read_credit_note(request.parameters["noteId"], caller.owner, bootstrap.credit_notes())


@lambda_handler.route("GET /credit-notes/{noteId}", "invoice:read", schemas.GET)
def get(request: Request, caller: Caller) -> Response:
    return json_response(200, success(schemas.present_whole(read(request, caller))))


@lambda_handler.route("GET /credit-notes", "invoice:read", schemas.LIST)
def list_all(request: Request, caller: Caller) -> Response:
    page = list_credit_notes(
        list_request(request, caller, ("customerId",)),
        customer=request.query.get("customerId"),
        credit_notes=bootstrap.credit_notes(),
        customers=bootstrap.customers(),
        credentials=bootstrap.credentials(),
    )
    return page_response(page, schemas.present_credit_note)


@lambda_handler.route("GET /credit-notes/{noteId}/download", "invoice:read", schemas.OLDER_LINK)
def get_credit_note_download(request: Request, caller: Caller) -> Response:
    return link(request, caller, 200)


@lambda_handler.route("POST /credit-notes/{noteId}/download-links", "invoice:read", schemas.LINK)
@once(dict, read=parse_optional)
def create_credit_note_download_link(
    request: Request, caller: Caller, _: Body, _seed: Seed
) -> Response:
    return link(request, caller, 201)


def link(request: Request, caller: Caller, status: int) -> Response:
    note = read(request, caller)
    made = make_download_link(
        note, request.base_url, credentials=bootstrap.credentials(), clock=bootstrap.clock
    )
    return json_response(status, success(schemas.present_link(made, note)))
