"""The API's reference: pages for people, files for their tools."""

from pathlib import Path

from paylink.http.api import Api
from paylink.http.reference_pages import Reference, problem

reference = Reference(Path(__file__).parent)
lambda_handler = Api(problem)

lambda_handler.public("GET /docs")(reference.index)
lambda_handler.public("GET /docs/openapi.json")(reference.openapi)
lambda_handler.public("GET /docs/paylink.d.ts")(reference.typescript)
lambda_handler.public("GET /docs/errors/{code}")(reference.error)
