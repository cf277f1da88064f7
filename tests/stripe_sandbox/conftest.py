"""One sandbox for all of these tests, emptied before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stripe

from tests.stripe_sandbox.harness import Receiver, Server, session_params


@pytest.fixture(scope="session")
def running() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def sandbox(running: Server) -> Server:
    """The same process for all tests, empty at the start of each."""
    running.control("POST reset")
    return running


@pytest.fixture
def client(sandbox: Server) -> stripe.StripeClient:
    return sandbox.client()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def new_session(client: stripe.StripeClient) -> Callable[..., stripe.checkout.Session]:
    def make(**changes: Any) -> stripe.checkout.Session:
        return client.v1.checkout.sessions.create(session_params(**changes))

    return make
