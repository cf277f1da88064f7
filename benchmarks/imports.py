"""What a function's imports cost and which packages they are, by Python's own account."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.container import Artifact

_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \| \s*(\S+)")


@dataclass(frozen=True)
class Imports:
    """Milliseconds by top-level package, the standard library as one; and how many modules."""

    packages: dict[str, float]
    modules: int

    @property
    def dearest(self) -> list[tuple[str, float]]:
        return sorted(self.packages.items(), key=lambda one: -one[1])[:5]

    @property
    def total(self) -> float:
        return sum(self.packages.values())


def imports_of(python: Path, artifact: Artifact, environment: Mapping[str, str]) -> Imports:
    """Of what a start loads; the interpreter's own start is left out."""
    run = subprocess.run(
        [python, "-B", "-X", "importtime", "-c", "import app"],
        cwd=artifact.folder,
        env={
            **environment,
            "PYTHONPATH": artifact.path,
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    found = [(int(m[1]), m[3]) for m in map(_LINE.match, run.stderr.splitlines()) if m]
    names = [name for _, name in found]
    after_site = found[names.index("site") + 1 :]
    packages: dict[str, float] = defaultdict(float)
    for microseconds, module in after_site:
        package = module.partition(".")[0]
        standard = package in sys.stdlib_module_names
        packages["standard library" if standard else package] += microseconds / 1000
    return Imports(dict(packages), len(after_site))
