"""`make bench`: builds, measures, and writes the results into docs/performance.md."""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
from pathlib import Path

from benchmarks.artifacts import Artifacts
from benchmarks.costs import cost_tables
from benchmarks.measure import Bench
from benchmarks.report import write
from benchmarks.stack import Stack
from benchmarks.throughput import Throughput, throughput_tables
from local.settings import ROOT

FOLDER = ROOT / ".local/bench"


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--python", type=Path, required=True, help="what runs the functions")
    parser.add_argument("--rounds", type=int, default=7, help="starts of each function")
    parser.add_argument("--calls", type=int, default=40, help="warm calls in each round")
    parser.add_argument("--only", default="", help="functions, with commas; the floors always")
    parser.add_argument("--dry", action="store_true", help="print, and leave the page as it is")
    options = parser.parse_args()
    random.seed(options.rounds)  # the order of a round, the same in every run
    runtime = runtime_of(options.python)
    if runtime == "python3.11":
        print("AWS has no packages to set PDFs with for 3.11; make bench PYTHON=… with a newer one")
        return 2
    print(f"Building the functions for {runtime}", flush=True)
    # Not resolved: the link's own place tells Python that it is of a virtual environment.
    python = options.python.absolute()
    artifacts = Artifacts(FOLDER / "artifacts", python, runtime)
    print("Starting a local stack", flush=True)
    stack = Stack(FOLDER / "state")
    try:
        bench = Bench(stack, artifacts, python, set(filter(None, options.only.split(","))))
        for done in bench.rounds(options.rounds, options.calls):
            print(f"Round {done} of {options.rounds}", flush=True)
        results = bench.results()
        print("Measuring throughput", flush=True)
        speeds = Throughput(stack, artifacts, python).measured(options.rounds, options.calls * 10)
    finally:
        stack.close()
    costs, dear = cost_tables(results.scenarios, artifacts.memories)
    others = {**throughput_tables(speeds), **costs}
    text, slow = write(results, options.rounds, options.calls, others, dry=options.dry)
    print(text)
    over = [*slow, *dear]
    for line in over:
        print(f"over its budget: {line}")
    return 1 if over else 0


def runtime_of(python: Path) -> str:
    """An interpreter's version as the template's runtimes are named."""
    asked = "import sys; print('python%d.%d' % sys.version_info[:2])"
    return subprocess.check_output([python, "-c", asked], text=True).strip()


if __name__ == "__main__":
    sys.exit(main())
