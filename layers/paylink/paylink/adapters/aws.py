"""One session of AWS's SDK for all clients: its models are read once.

It is botocore's own. boto3 only adds to it, for which making a client takes a fifth longer.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - the first connection would load it
import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.config import Config
from botocore.session import Session

_CONFIG = Config(
    connect_timeout=1,
    read_timeout=3,
    retries={"mode": "standard", "total_max_attempts": 3},
    s3={"addressing_style": "virtual"},
    max_pool_connections=50,  # as many as there are webhooks called side by side
)
_session = Session()


def client(service: str, **options: Any) -> Any:
    """Addresses, region and credentials come from the environment, as Lambda sets it.

    ``options`` are those of botocore's Config that this client has of its own.
    """
    return _session.create_client(service, config=_CONFIG.merge(Config(**options)))


@contextmanager
def rehearsal(made: Any, answered: bytes) -> Iterator[None]:
    """A client's calls within it are signed and then, instead of being sent, answered: JSON whose
    members an operation doesn't know are nothing to it.

    What the SDK works out at the first call of an operation, where it goes and what its parts are
    called, is kept with the client: more than half of what that call takes.
    """

    def answer(request: Any, **_: object) -> AWSResponse:
        return AWSResponse(request.url, 200, HTTPHeaders(), _Body(answered))

    made.meta.events.register_first("before-send", answer)
    try:
        yield
    finally:
        made.meta.events.unregister("before-send", answer)


class _Body(io.BytesIO):
    """An answer's, as the SDK reads it."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()
