"""Runs everything in turns, so that whatever else the machine does falls on all alike."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from benchmarks.artifacts import Artifacts
from benchmarks.container import Container, FunctionFailedError
from benchmarks.imports import Imports, imports_of
from benchmarks.scenarios import FLOORS, Scenario, Scenarios
from benchmarks.stack import Stack
from benchmarks.upstream import Call, Upstream, company, spent

_COUNTED_CALLS = 3


@dataclass
class Samples:
    """One measurement's values, a list over the rounds for each figure; times in ms."""

    init: list[float] = field(default_factory=list)
    init_none: list[float] = field(default_factory=list)
    init_cpu: list[float] = field(default_factory=list)
    first: list[float] = field(default_factory=list)
    first_beyond: list[float] = field(default_factory=list)
    """Without the time in which Stripe had it."""
    first_own: list[float] = field(default_factory=list)
    """Without the time in which anybody else had it."""
    warm: list[float] = field(default_factory=list)
    warm_own: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    calls: dict[str, float] = field(default_factory=dict)
    """How often a warm call asks whom for what."""
    read_units: float = 0.0
    write_units: float = 0.0
    log_bytes: float = 0.0
    log_lines: float = 0.0
    peak: list[float] = field(default_factory=list)
    """Of the process's memory, in MB."""


@dataclass(frozen=True)
class Results:
    """Everything that the page shows."""

    scenarios: dict[str, Samples]
    functions: dict[str, Samples]
    """Inits only: of every function and floor."""
    imports: dict[str, Imports]


def _calls(scenario: Scenario, calls: int) -> int:
    """Fewer where each brings many events."""
    return max(_COUNTED_CALLS, calls // scenario.size)


class Bench:
    def __init__(self, stack: Stack, artifacts: Artifacts, python: Path, only: set[str]) -> None:
        self._stack = stack
        self._artifacts = artifacts
        self._python = python
        self._aws = Upstream(stack.facts["awsEndpointUrl"])
        self._stripe = Upstream(stack.facts["stripeUrl"])
        self._company = company()
        self._scenarios = Scenarios(stack, f"{self._company.url}/hook")
        self._functions = [f for f in artifacts.functions if not only or f in only]
        self._environments = {
            name: stack.variables(
                "create_payment" if name in FLOORS else name, self._aws.url, self._stripe.url
            )
            for name in (*FLOORS, *self._functions)
        }
        self._of_scenario: dict[str, Samples] = defaultdict(Samples)
        self._of_function: dict[str, Samples] = defaultdict(Samples)

    def rounds(self, rounds: int, calls: int) -> Iterator[int]:
        wanted = [
            s
            for s in self._scenarios.all()
            if s.function in FLOORS or s.function in self._functions
        ]
        measured = {s.function for s in wanted}
        unmeasured = [f for f in self._environments if f not in measured]
        for number in range(1, rounds + 1):
            uses = {s.name: _calls(s, calls) + _COUNTED_CALLS + 2 for s in wanted}
            events = {s.name: s.size * uses[s.name] for s in wanted}
            self._scenarios.provide(sum(s.uses * uses[s.name] for s in wanted))
            self._scenarios.provide_settled(events.get("issue_invoice: ten", 0))
            self._scenarios.provide_deliveries(
                sum(events[s.name] for s in wanted if s.function == "deliver_webhooks")
            )
            # Invoices need payments that are settled, so the order between scenarios is kept; which
            # one begins is not, but those that settle come before those that issue.
            settling = [n for n, scenario in enumerate(wanted) if scenario.uses]
            first = settling[0] + 1 if settling else len(wanted)
            start = random.randrange(first)  # noqa: S311 - no secret
            turned = wanted if number == 1 else [*wanted[start:], *wanted[:start]]
            for scenario in turned:
                self._run(scenario, _calls(scenario, calls))
            for function in unmeasured:
                self._start(function)
            yield number

    def results(self) -> Results:
        imports: dict[str, list[Imports]] = {}
        for _ in range(3):
            for function, environment in self._environments.items():
                artifact = self._artifacts.of(function, bytecode=True)
                found = imports_of(self._python, artifact, environment)
                imports.setdefault(function, []).append(found)
        for upstream in (self._aws, self._stripe, self._company):
            upstream.close()
        medians = {f: sorted(i, key=lambda one: one.total)[1] for f, i in imports.items()}
        return Results(dict(self._of_scenario), dict(self._of_function), medians)

    def _start(self, function: str) -> None:
        for bytecode in (True, False):
            with self._container(function, bytecode=bytecode):
                pass

    def _container(self, function: str, *, bytecode: bool) -> Container:
        container = Container(
            self._python,
            self._artifacts.of(function, bytecode=bytecode),
            self._environments[function],
        )
        samples = self._of_function[function]
        (samples.init if bytecode else samples.init_none).append(container.init)
        if bytecode:
            samples.init_cpu.append(container.init_cpu)
        return container

    def _run(self, scenario: Scenario, calls: int) -> None:
        samples = self._of_scenario[scenario.name]
        with self._container(scenario.function, bytecode=False) as container:
            samples.init_none.append(container.init)
        with self._container(scenario.function, bytecode=True) as container:
            samples.init.append(container.init)
            wall, _, aws, stripe, _ = self._call(container, scenario)
            samples.first.append(wall)
            samples.first_beyond.append(wall - spent(stripe))
            samples.first_own.append(wall - spent([*aws, *stripe]))
            warm, own, cpu = [], [], []
            for _ in range(calls):
                wall, busy, aws, stripe, _ = self._call(container, scenario)
                warm.append(wall)
                own.append(wall - spent([*aws, *stripe]))
                cpu.append(busy)
            samples.warm.append(median(warm))
            samples.warm_own.append(median(own))
            samples.cpu.append(sum(cpu) / len(cpu))
            self._count(container, scenario, samples)
            samples.peak.append(container.peak)

    def _count(self, container: Container, scenario: Scenario, samples: Samples) -> None:
        """Calls and units of a warm call. Asking for units makes answers longer: not timed."""
        counted: Counter[str] = Counter()
        read = written = 0.0
        logged, lines = container.logged
        self._aws.count_units = True
        for _ in range(_COUNTED_CALLS):
            *_, aws, stripe, told = self._call(container, scenario)
            counted.update(call.operation for call in aws)
            counted.update(f"Stripe {call.operation}" for call in stripe)
            counted.update(f"company {call.operation}" for call in told)
            read += sum(call.read_units for call in aws)
            written += sum(call.write_units for call in aws)
        self._aws.count_units = False
        samples.calls = {name: count / _COUNTED_CALLS for name, count in counted.items()}
        samples.read_units = read / _COUNTED_CALLS
        samples.write_units = written / _COUNTED_CALLS
        now_logged, now_lines = container.logged
        samples.log_bytes = (now_logged - logged) / _COUNTED_CALLS
        samples.log_lines = (now_lines - lines) / _COUNTED_CALLS

    def _call(
        self, container: Container, scenario: Scenario
    ) -> tuple[float, float, list[Call], list[Call], list[Call]]:
        """Wall and CPU time; calls of AWS, of Stripe, and of the company by its webhook."""
        event = scenario.event()
        others = (self._aws, self._stripe, self._company)
        for upstream in others:
            upstream.taken()
        answer = container.call(event)
        if not scenario.good(answer.value):
            raise FunctionFailedError(f"{scenario.name} answered {answer.value}")
        aws, stripe, told = (upstream.taken() for upstream in others)
        return answer.wall, answer.cpu, aws, stripe, told
