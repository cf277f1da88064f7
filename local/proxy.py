"""Serves the deployed HTTP API at the root of an address of its own.

The emulator has the API below a path (`/_aws/execute-api/{id}/{stage}`), and signed links, cookies
and clients want it at the root, as on AWS. Requests and answers pass through byte for byte,
repeated headers and `Host` included; the limits that AWS's gateway sets (10 MB, 30 seconds) are
kept here, since the emulator has none.

AWS starts as many functions as there are requests. Here that many processes would start at once,
and a few cores would spend the gateway's 30 seconds on imports alone; so only some run at a time,
for each part of the API, and the rest wait their turn.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import AsyncIterator

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector, web
from multidict import CIMultiDict
from yarl import URL

# Of one connection, not of the message (RFC 9110, 7.6.1).
HOP_BY_HOP = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
    *("transfer-encoding", "upgrade", "proxy-connection", "expect"),
}
BODY_LIMIT = 10 * 1024 * 1024
HEADER_LIMIT = 64 * 1024
SECONDS_LIMIT = 30
AT_ONCE = max(8, 2 * (os.cpu_count() or 1))


def end_to_end(raw: tuple[tuple[bytes, bytes], ...]) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for name, value in raw:
        key = name.decode("ascii", "replace")
        if key.lower() not in HOP_BY_HOP:
            headers.add(key, value.decode("utf-8", "surrogateescape"))
    return headers


def gateway_error(status: int, message: str) -> web.Response:
    """As the gateway words its own errors."""
    return web.json_response({"message": message}, status=status)


class Proxy:
    def __init__(self, target: str) -> None:
        self._target = target.rstrip("/")
        self._session: ClientSession | None = None
        self._turns: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(AT_ONCE)
        )

    async def session(self, _app: web.Application) -> AsyncIterator[None]:
        """Keeps one pool of connections for the proxy's life."""
        async with ClientSession(
            connector=TCPConnector(limit=0, keepalive_timeout=20),
            timeout=ClientTimeout(total=SECONDS_LIMIT),
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as self._session:
            yield

    async def handle(self, request: web.Request) -> web.StreamResponse:
        part = request.path.removeprefix("/api/v1").lstrip("/").partition("/")[0]
        async with self._turns[part]:
            return await self._forward(request)

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        assert self._session is not None  # noqa: S101
        raw_path = request.raw_path
        if not raw_path.startswith("/"):  # the absolute form, or OPTIONS *
            raw_path = "/" + raw_path.partition("://")[2].partition("/")[2]
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return gateway_error(413, "Request Entity Too Large")
        try:
            async with self._session.request(
                request.method,
                URL(self._target + raw_path, encoded=True),
                headers=end_to_end(request.raw_headers),
                data=body or None,
                allow_redirects=False,
            ) as answer:
                if request.method == "OPTIONS" and answer.status == 403:
                    # The gateway answers every preflight; what it doesn't say is what's refused.
                    return web.Response(status=204)
                if answer.status == 502 and b'"errorType"' in await answer.read():
                    # A function that raised; the gateway gives nothing away.
                    return gateway_error(500, "Internal Server Error")
                headers = end_to_end(answer.raw_headers)
                if request.method != "HEAD":
                    headers.pop("Content-Length", None)
                return web.Response(
                    status=answer.status,
                    reason=answer.reason,
                    headers=headers,
                    body=await answer.read(),
                )
        except TimeoutError:
            return gateway_error(503, "Service Unavailable")
        except (ClientError, UnicodeError) as error:
            print(f"{request.method} {request.rel_url.path}: {error!r}", flush=True)
            return gateway_error(502, "Bad Gateway")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--target", required=True, help="address of the API in the emulator")
    arguments = parser.parse_args()

    proxy = Proxy(arguments.target)
    # Its complaints about malformed requests quote them, keys and all.
    silent = logging.getLogger("local.proxy.malformed")
    silent.disabled = True
    app = web.Application(
        client_max_size=BODY_LIMIT,
        handler_args={
            "auto_decompress": False,  # bodies go through as they come
            "max_field_size": HEADER_LIMIT,
            "max_line_size": HEADER_LIMIT,
            "logger": silent,
        },
    )
    app.cleanup_ctx.append(proxy.session)
    app.router.add_route("*", "/{path:(?s:.*)}", proxy.handle)
    web.run_app(
        app, host="127.0.0.1", port=arguments.port, print=None, access_log=None, shutdown_timeout=1
    )


if __name__ == "__main__":
    main()
