"""The results on a page: tables and a plot between marks, so that the words around them stay."""

from __future__ import annotations

import platform
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks.measure import Results, Samples
from benchmarks.plot import Bar, bars
from benchmarks.scenarios import FLOORS
from local.settings import ROOT

PAGE = ROOT / "docs/performance.md"
PICTURE = ROOT / "docs/pictures/cold-start.svg"

FLOOR_NAMES = {
    "empty": "*floor: empty*",
    "put_item": "*floor: boto3, one write*",
    "validated": "*floor: + pydantic, Powertools' resolver*",
    "stripe_client": "*floor: + StripeClient*",
    "page": "*floor: the resolver's, + jinja2, babel*",
    "sender": "*floor: + S3, SES*",
    "consumer": "*floor: boto3 with S3, pydantic, Powertools' batches*",
    "mailer": "*floor: + SES, jinja2, babel*",
}
# Those of what has more to import than a call of the API; of the others, see `floor_of`.
OWN_FLOORS = {
    "pay_page": "page",
    "send_invoice": "sender",
    "issue_invoice": "consumer",
    "send_mails": "mailer",
}
# What a function may take to start, as a part of the floor that imports what it imports. A link's
# creation and Stripe's webhook have promises of their own.
BUDGETS = {"create_payment": 1.0, "stripe_webhook": 0.9}
BUDGET = 1.0


def write(
    results: Results, rounds: int, calls: int, others: Mapping[str, str], *, dry: bool
) -> tuple[str, list[str]]:
    """The tables as text, and what is over its budget; the page is written unless ``dry``.

    ``others`` are parts of the page that were made elsewhere, by the names of their marks.
    """
    parts = {
        "machine": _machine(rounds, calls),
        "calls": _calls_table(results),
        "starts": _starts_table(results),
        **others,
    }
    if not dry:
        page = PAGE.read_text()
        for name, text in parts.items():
            page = _between_marks(page, name, text)
        PAGE.write_text(page)
        PICTURE.write_text(_picture(results))
    return "\n\n".join(parts.values()), _over_budget(results)


def _between_marks(page: str, name: str, text: str) -> str:
    marks = re.compile(rf"(<!-- bench: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not marks.search(page):
        raise LookupError(f"{PAGE.name} has no marks for {name}")
    return marks.sub(lambda found: f"{found[1]}{text}\n{found[2]}", page)


def _machine(rounds: int, calls: int) -> str:
    return (
        f"Measured on {datetime.now(UTC):%-d %B %Y}, {platform.machine()}, "
        f"{_processor()}, {rounds} rounds, {calls} warm calls in each."
    )


def _processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text())
    return found[1] if found else platform.processor() or "an unnamed processor"


def _calls_table(results: Results) -> str:
    rows = [
        [
            FLOOR_NAMES.get(name, f"`{name}`"),
            _number(samples.first_beyond, 1),
            _number(samples.warm, 2),
            _number(samples.warm_own, 2),
            _number(samples.cpu, 2),
            _calls(samples),
            f"{samples.read_units:g} / {samples.write_units:g}",
        ]
        for name, samples in results.scenarios.items()
    ]
    heads = ["call", "first, ms", "warm, ms", "own, ms", "CPU, ms", "asks", "units, r / w"]
    return table(heads, rows)


def _starts_table(results: Results) -> str:
    rows = []
    for name, samples in results.functions.items():
        floor = floor_of(results, name)
        imports = results.imports[name]
        rows.append(
            [
                FLOOR_NAMES.get(name, f"`{name}`"),
                _number(samples.init, 0),
                _number(samples.init_none, 0),
                _number(samples.init_cpu, 0),
                "" if name in FLOORS else f"{ratio(results, name):.2f} × {floor}",
                str(imports.modules),
                ", ".join(f"{package} {cost:.0f}" for package, cost in imports.dearest),
            ]
        )
    return table(
        [
            "function",
            "init, ms",
            "without bytecode",
            "CPU, ms",
            "of its floor",
            "modules",
            "dearest imports, ms",
        ],
        rows,
    )


def floor_of(results: Results, function: str) -> str:
    """The least floor that imports what the function imports."""
    if function in OWN_FLOORS:
        return OWN_FLOORS[function]
    packages = results.imports[function].packages
    if "stripe" in packages:
        return "stripe_client"
    if "pydantic" in packages:
        return "validated"
    return "put_item" if "botocore" in packages else "empty"


def ratio(results: Results, function: str) -> float:
    """A function's start by its floor's, in processor time, which other work on the machine
    stretches less."""
    measured = results.functions
    floor = measured[floor_of(results, function)]
    return median(measured[function].init_cpu) / median(floor.init_cpu)


def _over_budget(results: Results) -> list[str]:
    return [
        f"{name}: {ratio(results, name):.2f} of {floor_of(results, name)}"
        for name in results.functions
        if name not in FLOORS and ratio(results, name) > BUDGETS.get(name, BUDGET)
    ]


def _picture(results: Results) -> str:
    ordered = sorted(results.functions.items(), key=lambda one: median(one[1].init))
    return bars(
        "Init, ms: with bytecode, and without",
        [
            Bar(
                FLOOR_NAMES.get(name, name).strip("*"),
                median(samples.init),
                median(samples.init_none),
                floor=name in FLOORS,
            )
            for name, samples in ordered
        ],
    )


def _calls(samples: Samples) -> str:
    return ", ".join(
        name if count == 1 else f"{count:g} {name}" for name, count in samples.calls.items()
    )


def _number(values: Sequence[float], digits: int) -> str:
    return f"{median(values):.{digits}f}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """In Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
