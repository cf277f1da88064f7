"""Runs in each function's process of the local stack, before its code: makes faults happen.

Requests to this machine say which function makes them, and answers to them may carry a verdict of
`local.faults`: the process ends or stands still, or the call fails as if the network had. What is
deployed to AWS has nothing of this.
"""

from __future__ import annotations

import http.client
import os
import signal
import threading
from typing import Any

FUNCTION = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
HERE = {"127.0.0.1", "localhost"}

_putrequest = http.client.HTTPConnection.putrequest
_getresponse = http.client.HTTPConnection.getresponse


def putrequest(self: http.client.HTTPConnection, *what: Any, **how: Any) -> None:
    _putrequest(self, *what, **how)
    if self.host in HERE:
        self.putheader("x-local-function", FUNCTION)


def getresponse(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
    response = _getresponse(self)
    verdict = response.getheader("x-local-verdict") if self.host in HERE else None
    if verdict == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if verdict == "stall":
        threading.Event().wait()
    if verdict == "reset":
        raise ConnectionResetError("a fault that was asked for")
    if verdict == "time_out":
        raise TimeoutError("a fault that was asked for")
    return response


http.client.HTTPConnection.putrequest = putrequest  # type: ignore[method-assign]
http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]
