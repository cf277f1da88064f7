"""What one processor does in a second, and where its time goes: handlers in a process of their own,
called again and again, against answers that were recorded once.

With the emulator in between, its own work would be what is measured. So each call is made once
against it, and from then on `Upstream` repeats, from another process, what it answered.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.artifacts import Artifacts
from benchmarks.container import FunctionFailedError
from benchmarks.report import table
from benchmarks.scenarios import Scenarios
from benchmarks.stack import Stack
from benchmarks.upstream import Upstream, company

_LOOP = Path(__file__).parent / "inside/loop.py"
_BEFORE = 20
_SHOWN = 10
_DELIVERIES = 10  # of a queue's batch


@dataclass(frozen=True)
class Flow:
    """One line of the table: an event, and how many of ``what`` a call of it does."""

    what: str
    function: str
    event: Any
    each: int = 1
    profiled: bool = True
    """Python's profiler sees one thread; where several work, its account would be wrong."""


@dataclass
class Speed:
    """``each`` per call; CPU in ms, a value a round."""

    function: str
    each: int
    cpu: list[float] = field(default_factory=list)
    entries: list[list[Any]] = field(default_factory=list)
    """File, function, calls, own and whole seconds of the profiled calls."""
    profiled_calls: int = 0

    @property
    def per_second(self) -> float:
        return 1000 / self.each_cpu

    @property
    def each_cpu(self) -> float:
        return median(self.cpu) / self.each


class Throughput:
    """Records first, then measures in turns."""

    def __init__(self, stack: Stack, artifacts: Artifacts, python: Path) -> None:
        self._artifacts = artifacts
        self._python = python
        self._aws = Upstream(stack.facts["awsEndpointUrl"])
        self._stripe = Upstream(stack.facts["stripeUrl"])
        self._company = company()
        self._flows = _flows(stack, f"{self._company.url}/hook")
        self._environments = {
            flow.function: stack.variables(flow.function, self._aws.url, self._stripe.url)
            for flow in self._flows
        }
        for flow in self._flows:
            self._run(flow, before=0, calls=1, profiled=False)
        self._aws.alone = self._stripe.alone = True

    def measured(self, rounds: int, calls: int) -> dict[str, Speed]:
        speeds = {flow.what: Speed(flow.function, flow.each) for flow in self._flows}
        for _ in range(rounds):
            for flow in self._flows:
                times = max(calls // flow.each, 1)
                found = self._run(flow, before=_BEFORE, calls=times, profiled=False)
                speeds[flow.what].cpu.append(found["cpu"] * 1000 / times)
        for flow in self._flows:
            if flow.profiled:
                found = self._run(flow, before=_BEFORE, calls=calls, profiled=True)
                speeds[flow.what].entries = found["profile"]
                speeds[flow.what].profiled_calls = calls
        for upstream in (self._aws, self._stripe, self._company):
            upstream.close()
        return speeds

    def _run(self, flow: Flow, *, before: int, calls: int, profiled: bool) -> Any:
        artifact = self._artifacts.of(flow.function, bytecode=True)
        asked = {"event": flow.event, "before": before, "calls": calls, "profiled": profiled}
        run = subprocess.run(
            [self._python, "-B", _LOOP],
            cwd=artifact.folder,
            env={
                **self._environments[flow.function],
                "PYTHONPATH": artifact.path,
                "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            },
            input=json.dumps(asked),
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode or not _succeeded(answer := json.loads(run.stdout)["answer"]):
            shown = "" if run.returncode else f"answered {answer}"
            raise FunctionFailedError(f"{flow.what}: {shown}\n{run.stderr[-3000:]}")
        return json.loads(run.stdout)


def _flows(stack: Stack, endpoint_url: str) -> list[Flow]:
    scenarios = Scenarios(stack, endpoint_url)
    scenarios.provide(1)
    deliveries = scenarios.deliveries(_DELIVERIES)
    return [
        Flow("payments created", "create_payment", scenarios.creation()),
        Flow("events settled", "stripe_webhook", scenarios.webhook()),
        Flow("webhooks delivered", "deliver_webhooks", deliveries, _DELIVERIES, profiled=False),
    ]


def _succeeded(answer: Any) -> bool:
    return answer == {"batchItemFailures": []} or answer.get("statusCode") in {200, 201}


def throughput_tables(speeds: Mapping[str, Speed]) -> dict[str, str]:
    """The parts of the page that come from here, by their marks."""
    heads = ["what", "a second and core", "CPU, ms each"]
    rows = [
        [f"{what} (`{speed.function}`)", f"{speed.per_second:.0f}", f"{speed.each_cpu:.2f}"]
        for what, speed in speeds.items()
    ]
    profiled = {what: speed for what, speed in speeds.items() if speed.entries}
    return {
        "throughput": table(heads, rows),
        "profile": "\n\n".join(
            f"*{what.capitalize()}*: {_shares(speed)}\n\n{_dearest(speed)}"
            for what, speed in profiled.items()
        ),
    }


def _shares(speed: Speed) -> str:
    """Of each package's own code in the whole, the dearest first."""
    sums: dict[str, float] = defaultdict(float)
    for file, _, _, own, _ in speed.entries:
        sums[_package(file)] += own
    whole = sum(sums.values())
    dearest = sorted(sums.items(), key=lambda one: -one[1])
    return ", ".join(f"{name} {own / whole:.0%}" for name, own in dearest if own > whole / 100)


def _dearest(speed: Speed) -> str:
    """The functions in which most time is spent, with all that they call."""
    whole = max(entry[4] for entry in speed.entries)
    inner = [
        (file, name, calls, own, total)
        for file, name, calls, own, total in speed.entries
        if not name.startswith("<")
    ]
    rows = [
        [
            f"`{_place(file)} {name}`",
            f"{calls / speed.profiled_calls:g}",
            f"{own / whole:.1%}",
            f"{total / whole:.0%}",
        ]
        for file, name, calls, own, total in sorted(inner, key=lambda one: -one[3])[:_SHOWN]
    ]
    return table(["function", "times a call", "by itself", "with what it calls"], rows)


def _package(file: str) -> str:
    """Whose a function is: a layer's package, the function's own, or Python's."""
    if file == "~":
        return "built-in functions"
    found = None if "/lib/python3" in file else re.search(r"/python/(\w+)", file)
    return found[1] if found else "app" if file.endswith("/app.py") else "standard library"


def _place(file: str) -> str:
    return re.sub(r".*/(?:lib/python3\.\d+|python)/", "", file) if file != "~" else "Python"
