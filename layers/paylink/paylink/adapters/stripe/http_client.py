"""How the SDK reaches Stripe: over urllib3, which AWS's SDK has loaded already.

The SDK's own choice, requests, is a layer on top of it that takes as long to load as a table's
client to make, and looks for a .netrc on each call.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Mapping
from functools import cache
from http.client import IncompleteRead
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import stripe
from urllib3 import PoolManager, ProxyManager, Timeout
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError, ProxyError
from urllib3.exceptions import TimeoutError as TimedOutError
from urllib3.util.ssl_ import create_urllib3_context

from paylink.adapters.stripe.pace import Pace

# What a wire does; a certificate that doesn't fit won't fit a moment later either.
_PASSING = (TimedOutError, ProtocolError, NewConnectionError, ProxyError)
_THREADS = 16
# Answers about the provider or our key rather than about what was asked.
_TROUBLE = {401, 403, 429}

Watch = Callable[[float, bool], None]
"""Told of each call: how many milliseconds it took, and whether the provider was in trouble."""


class PooledClient(stripe.HTTPClient):
    """Keeps connections between calls, for any number of threads; times in seconds."""

    name = "urllib3"

    def __init__(
        self,
        base: str,
        *,
        connect_timeout: float,
        read_timeout: float,
        pace: Pace | None = None,
        watch: Watch = lambda _milliseconds, _trouble: None,
    ) -> None:
        super().__init__()
        self._pace = pace or Pace(0)
        self._watch = watch
        options: dict[str, Any] = {
            "timeout": Timeout(connect=connect_timeout, read=read_timeout),
            "retries": False,  # the SDK decides
            "maxsize": _THREADS,
        }
        if urlsplit(base).scheme == "https":
            options["ssl_context"] = _trusting(stripe.ca_bundle_path)
        proxy = _proxy(base)
        self._pool = ProxyManager(proxy, **options) if proxy else PoolManager(**options)

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[Any, int, Mapping[str, str]]:
        """Body, status and headers; raises stripe.APIConnectionError."""
        self._pace.wait()
        started, trouble = time.monotonic(), True
        try:
            answer = self._pool.request(
                method.upper(), url, body=post_data, headers=headers, redirect=False
            )
        except HTTPError as error:
            # An answer that breaks off was work that is done: for the caller to look at.
            cut_short = any(isinstance(part, IncompleteRead) for part in error.args)
            passing = isinstance(error, _PASSING) and not cut_short
            raise stripe.APIConnectionError(  # type: ignore[no-untyped-call]
                "Stripe could not be reached.", should_retry=passing
            ) from error
        else:
            trouble = answer.status in _TROUBLE or answer.status >= 500
        finally:
            self._watch((time.monotonic() - started) * 1000, trouble)
        return answer.data, answer.status, answer.headers


@cache
def _trusting(bundle: str) -> ssl.SSLContext:
    """Believes whom a bundle of certificates vouches for. To read one takes three times as long as
    a call works; urllib3 by itself would read it for each connection, while somebody waits."""
    context = create_urllib3_context()
    context.load_verify_locations(bundle)
    return context


def _proxy(base: str) -> str | None:
    """The environment's, as every HTTP library of Python takes it."""
    target = urlsplit(base)
    if proxy_bypass(target.hostname or ""):
        return None
    return getproxies().get(target.scheme)
