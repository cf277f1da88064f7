"""One session of AWS's SDK for all clients: its models are read once.

It is botocore's own. boto3 only adds to it, for which making a client takes a fifth longer.
"""

from __future__ import annotations

from typing import Any

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
