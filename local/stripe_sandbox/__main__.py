"""`python -m local.stripe_sandbox --port 12111 --state-file PATH`"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path

import uvicorn

from local.faults import Faults

from .app import Config, create_app


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m local.stripe_sandbox", description="A local stand-in for Stripe."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=int, default=12111, help="(%(default)s)")
    parser.add_argument("--state-file", type=Path, help="keeps state over restarts; else in memory")
    parser.add_argument("--public-url", help="how browsers reach it, if not by the API's address")
    parser.add_argument(
        "--webhook-retry-base",
        type=float,
        default=1.0,
        help="seconds before the first retry; doubles (%(default)s)",
    )
    parser.add_argument("--webhook-timeout", type=float, default=15.0, help="seconds (%(default)s)")
    parser.add_argument("--webhook-max-tries", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--access-log", action="store_true", help="print every request")
    given = parser.parse_args()
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((given.host, given.port))
    except OSError as error:
        print(f"Can't listen on {given.host}:{given.port}: {error.strerror}.", file=sys.stderr)
        return 1
    app = create_app(
        Config(
            state_file=given.state_file,
            public_url=given.public_url,
            webhook_retry_base=given.webhook_retry_base,
            webhook_timeout=given.webhook_timeout,
            webhook_max_tries=given.webhook_max_tries,
        )
    )
    print(f"Stripe sandbox on http://{given.host}:{given.port}", flush=True)
    uvicorn.run(
        Faults(app),
        host=given.host,
        port=given.port,
        log_level="info" if given.access_log else "warning",
        timeout_graceful_shutdown=2,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
