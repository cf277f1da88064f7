"""Sellers' logos, for pages and mails. What is at one address never changes."""

from paylink import bootstrap
from paylink.http.api import Api
from paylink.http.envelope import Response, file_response
from paylink.http.request import Request
from paylink.services.logos import read_logo

FOR_EVER = {
    "cache-control": "public, max-age=31536000, immutable",
    "x-content-type-options": "nosniff",
}

lambda_handler = Api()
bootstrap.ready(bootstrap.logos)


@lambda_handler.public("GET /logos/{organizationId}/{name}")
def show(request: Request) -> Response:
    picture, media_type = read_logo(
        request.parameters["organizationId"], request.parameters["name"], bootstrap.logos()
    )
    return file_response(picture, media_type, FOR_EVER)
