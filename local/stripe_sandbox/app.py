"""Puts the parts together: one ASGI application for API, checkout page and control API."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from . import clock
from .api import Api
from .checkout.pages import Checkout
from .control import Control
from .faults import Faults
from .storage import Store
from .webhooks import Dispatcher


@dataclass(frozen=True)
class Config:
    """`state_file` null keeps everything in memory. Waits in seconds."""

    state_file: Path | None = None
    public_url: str | None = None
    webhook_retry_base: float = 1.0
    webhook_timeout: float = 15.0
    webhook_max_tries: int = 10


def create_app(config: Config | None = None) -> Starlette:
    """An application of its own each time: tests run several beside each other."""
    config = config or Config()
    store = Store(config.state_file)
    store.recover()
    faults = Faults()
    api = Api(store, faults, config.public_url.rstrip("/") if config.public_url else None)
    dispatcher = Dispatcher(
        store,
        retry_base=config.webhook_retry_base,
        timeout=config.webhook_timeout,
        max_tries=config.webhook_max_tries,
    )

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await dispatcher.start()
        ticking = asyncio.create_task(clock.run(store))
        yield
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await dispatcher.stop()
        store.close()

    async def root(_request: Request) -> Response:
        return JSONResponse({"service": "Stripe sandbox", "control": "/_control/health"})

    return Starlette(
        routes=[
            Route("/", root),
            Route("/v1/{path:path}", api.handle, methods=["GET", "POST", "DELETE", "PUT", "PATCH"]),
            *Checkout(api).routes(),
            *Control(api, dispatcher).routes(),
        ],
        lifespan=lifespan,
    )
