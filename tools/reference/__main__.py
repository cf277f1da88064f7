"""`python -m tools.reference` writes the reference's files; `--check` compares them."""

from __future__ import annotations

import json
import sys

from tools.reference.openapi import document
from tools.reference.routes import ROOT
from tools.reference.typescript import definitions

# The function ships what it serves. Both copies come from here, and both are compared.
FOLDERS = ("docs", "functions/reference")


def files() -> dict[str, str]:
    """What every file of the reference should hold, by its path."""
    made = document()
    contents = {
        "openapi.json": json.dumps(made, indent=2, ensure_ascii=False) + "\n",
        "paylink.d.ts": definitions(made),
    }
    return {f"{folder}/{name}": text for folder in FOLDERS for name, text in contents.items()}


def stale() -> list[str]:
    """The files that are not what the code says."""
    return [
        path
        for path, text in files().items()
        if not (ROOT / path).is_file() or (ROOT / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    if arguments == ["--check"]:
        found = stale()
        for path in found:
            print(f"{path} is not what the code says; `make openapi` writes it")
        return 1 if found else 0
    for path, text in files().items():
        (ROOT / path).parent.mkdir(exist_ok=True)
        (ROOT / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
