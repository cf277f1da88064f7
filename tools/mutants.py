"""Changes the domain in small ways, one at a time, and lists the changes that no unit test notices.

A change that is listed stands for a behaviour without a test, or for code that does nothing; or it
is none, such as another spelling of a hash's name, or a limit that no input can meet.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / ".mutants"
PACKAGE = "layers/paylink/paylink"
MUTATED = "src/paylink"

# Those that need the package where it is, and those that take long for the little they find.
_LEFT_OUT = ("artifact", "reference", "invoice_pdf", "payment_machine")
_PROPERTY = re.compile(r"^    @property\n(    def (\w+)\(.*\n(?:(?: {8}.*)?\n)+)", re.MULTILINE)


def made_from_functions(source: str) -> str:
    """A module whose properties are made from plain methods: mutmut skips what is decorated."""
    return _PROPERTY.sub(r"\1    \2 = property(\2)\n\n", source)


def prepare() -> None:
    """A copy of the project as mutmut wants it, which knows packages in the folder `src` only."""
    shutil.rmtree(WORK, ignore_errors=True)
    listed = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout  # noqa: S603
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            target = WORK / name.replace(PACKAGE, MUTATED, 1)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, target)
    for module in (WORK / MUTATED / "domain").glob("*.py"):
        module.write_text(made_from_functions(module.read_text("utf-8")), "utf-8")
    settings = {
        "source_paths": [f"{MUTATED}/domain"],
        "also_copy": sorted(path.name for path in WORK.iterdir()),
        "pytest_add_cli_args_test_selection": [
            "tests/unit",
            *(f"--ignore=tests/unit/test_{name}.py" for name in _LEFT_OUT),
        ],
    }
    project = WORK / "pyproject.toml"
    text = project.read_text("utf-8").replace('"layers/paylink", "."]', '"src", "."]')
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    project.write_text("\n".join([text, "[tool.mutmut]", *lines, ""]), "utf-8")


def mutmut(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    command = (sys.executable, "-m", "mutmut", *arguments)
    return subprocess.run(command, cwd=WORK, text=True, check=True, **options)  # noqa: S603


def main() -> None:
    prepare()
    mutmut("run")
    for line in mutmut("results", stdout=subprocess.PIPE).stdout.splitlines():
        mutmut("show", line.strip().partition(":")[0])


if __name__ == "__main__":
    main()
