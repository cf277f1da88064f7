"""Has a function that issues documents off its queue issue one at once, for somebody who waits."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from paylink.domain.document import Document
from paylink.domain.errors import DocumentUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

logger = logging.getLogger(__name__)


class LambdaIssuer:
    """Fulfils `paylink.ports.DocumentIssuer` with one function."""

    def __init__(self, client: LambdaClient, function: str) -> None:
        self._client = client
        self._function = function

    def issue(self, document: Document) -> None:
        """Gives the function what its queue would: a batch of one, which fails as a whole."""
        body = {"detail": {"data": dict(document.issued_for)}}
        record = {
            "messageId": document.id,
            "eventSource": "aws:sqs",
            "body": json.dumps(body),
        }
        try:
            answer = self._client.invoke(
                FunctionName=self._function, Payload=json.dumps({"Records": [record]})
            )
        except (BotoCoreError, ClientError) as error:
            raise DocumentUnavailableError() from error
        if "FunctionError" in answer:
            logger.warning("a document could not be issued", extra={"document_id": document.id})
            raise DocumentUnavailableError()
