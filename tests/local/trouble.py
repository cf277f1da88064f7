"""Faults of the local stack as tests ask for them: which call of a function, and what happens.

The faults themselves are `local/faults.py`, around the emulator and the Stripe sandbox, and the
sandbox's own (`local/stripe_sandbox/README.md`).
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import httpx

from tests.local.stack import Stack, wait_for

Where = Literal["aws", "stripe"]
PERSISTENT = 60
"""More often than anybody tries again by itself."""

_ID = re.compile(r"(?<=/)[a-z]+_(?=[A-Za-z0-9_]*[A-Z0-9])[A-Za-z0-9_]+")


@dataclass(frozen=True)
class Step:
    """The ``at``th write, or the ``at``th call of the provider, of a run of a function."""

    where: Where
    at: int
    what: str
    keys: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return " ".join([_ID.sub("…", self.what), "+".join(self.keys)]).strip()

    @property
    def reads(self) -> bool:
        return self.what.startswith("GET ")

    @property
    def in_table(self) -> bool:
        return bool(self.keys)


@dataclass(frozen=True)
class Fault:
    """``kind`` as in `local/faults.py`, or ``stripe:`` and a kind of the sandbox's own."""

    kind: str
    times: int = 1
    code: str = ""

    @property
    def name(self) -> str:
        often = " for long" if self.times == PERSISTENT else ""
        return f"{self.code or self.kind}{often}"


DEATHS = (Fault("die"), Fault("die_after"))
STALLS = (Fault("stall"), Fault("stall_after"))
OF_NETWORK = (
    Fault("time_out", PERSISTENT),
    Fault("time_out_after", PERSISTENT),
    Fault("lose"),
    Fault("lose", PERSISTENT),
)
OF_TABLE = (
    Fault("error", code="ThrottlingError"),
    Fault("error", PERSISTENT, "ThrottlingError"),
    Fault("error", PERSISTENT, "ProvisionedThroughputExceededException"),
    Fault("error", code="TransactionConflict"),
    Fault("error", PERSISTENT, "TransactionConflict"),
    Fault("error", PERSISTENT, "InternalServerError"),
)
OF_OTHER_SERVICES = (
    Fault("error", code="InternalServerError"),
    Fault("error", PERSISTENT, "InternalServerError"),
)
OF_STRIPE = (
    Fault("stripe:rate_limit"),
    Fault("stripe:rate_limit", PERSISTENT),
    Fault("stripe:error"),
    Fault("stripe:error", PERSISTENT),
    Fault("stripe:error_after"),
    Fault("stripe:hang"),
    Fault("stripe:hang", PERSISTENT),
    Fault("stripe:hang_after"),
)


def faults_of(step: Step) -> Iterator[Fault]:
    """All that can happen to a step, but that the function stands still there."""
    yield from DEATHS
    yield from OF_NETWORK
    if step.in_table:
        yield from OF_TABLE
    elif step.where == "aws":
        yield from OF_OTHER_SERVICES
    if step.where == "stripe":
        yield from OF_STRIPE


class Trouble:
    """Makes faults, and tells what a function called."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        about = stack.about
        self._doors = {"aws": about["awsEndpointUrl"], "stripe": about["stripeUrl"]}
        self._client = httpx.Client(timeout=40, trust_env=False)
        self._lambda, self._sqs = stack.aws("lambda"), stack.aws("sqs")

    def close(self) -> None:
        self._client.close()

    def _ask(self, where: str, method: str, body: dict[str, Any] | None = None) -> Any:
        answer = self._client.request(method, f"{self._doors[where]}/_faults", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def _named(self, function: str) -> str:
        return f"{self._stack.about['stackName']}-{function}"

    def clear(self) -> None:
        """No more faults; counting begins anew."""
        for where in self._doors:
            self._ask(where, "DELETE")
        self._stack.control("DELETE", "faults")

    def steps(self, function: str) -> list[Step]:
        """What the function did since the last `clear`, in the order of each side."""
        name, found = self._named(function), []
        for where in ("aws", "stripe"):
            calls = [c for c in self._ask(where, "GET")["calls"] if c["function"] == name]
            for at, call in enumerate(calls, 1):
                keys = tuple(key for key, _ in groupby(call["keys"]))
                found.append(Step(where, at, call["what"], keys))  # type: ignore[arg-type]
        return found

    def make(self, function: str, step: Step, fault: Fault) -> None:
        """The step of the function's next run will meet the fault."""
        if fault.kind.startswith("stripe:"):
            method, path = step.what.split(" ", 1)
            wanted = {
                "kind": fault.kind.removeprefix("stripe:"),
                "method": method,
                "path": _ID.sub("[^/]+", path) + "$",
                "count": fault.times,
            }
            self._stack.control("POST", "faults", wanted)
            return
        fault_of_ours = {
            "function": self._named(function),
            "kind": fault.kind,
            "at": step.at,
            "times": fault.times,
        }
        if fault.code:
            fault_of_ours["code"] = fault.code
        self._ask(step.where, "POST", fault_of_ours)

    @contextlib.contextmanager
    def limited(self, function: str, seconds: int) -> Iterator[None]:
        """While it lasts, the function is ended so soon."""
        usual = self._lambda.get_function_configuration(FunctionName=self._named(function))
        self._limit(function, seconds)
        try:
            yield
        finally:
            self._limit(function, usual["Timeout"])

    def _limit(self, function: str, seconds: int) -> None:
        name = self._named(function)
        self._lambda.update_function_configuration(FunctionName=name, Timeout=seconds)

        def taken_up() -> bool:
            now = self._lambda.get_function_configuration(FunctionName=name)
            return bool(now["LastUpdateStatus"] == "Successful" and now["State"] == "Active")

        wait_for(taken_up, f"{function} with {seconds} s")

    @contextlib.contextmanager
    def soon_again(self, function: str, seconds: int = 5) -> Iterator[None]:
        """While it lasts, what the function didn't take from its queues comes again so soon."""
        with contextlib.ExitStack() as before:
            sources = self._lambda.list_event_source_mappings(FunctionName=self._named(function))
            for source in sources["EventSourceMappings"]:
                queue = source["EventSourceArn"].rpartition(":")[2]
                url = self._sqs.get_queue_url(QueueName=queue)["QueueUrl"]
                name = "VisibilityTimeout"
                asked = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
                self._sqs.set_queue_attributes(QueueUrl=url, Attributes={name: str(seconds)})
                usual = {"QueueUrl": url, "Attributes": asked["Attributes"]}
                before.callback(self._sqs.set_queue_attributes, **usual)
            yield

    def struck(self, fault: Fault) -> bool:
        """Whether the one fault that was made has happened."""
        waiting = [
            *self._ask("aws", "GET")["faults"],
            *self._ask("stripe", "GET")["faults"],
            *self._stack.control("GET", "faults")["faults"],
        ]
        return all((one.get("times") or one["count"]) < fault.times for one in waiting)
