"""Takes up changed source files without a restart.

A function's own folder is uploaded again; a change in a layer's sources only ends the functions'
processes, since they read the layer from its folder (see deploy.py). Requests under way at that
moment fail, as they would if the code under them were swapped.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import stat
import time
from pathlib import Path
from typing import Any

from local.deploy import function_code
from local.settings import DEPLOYMENT_FILE, ROOT, LocalStackError, client, read_json

LAYERS = ("layers/paylink", "layers/pdf")


def snapshot(folder: Path) -> dict[Path, tuple[int, int]]:
    """Every source file's time of change and size."""
    found = {}
    for file in folder.rglob("*"):
        if "__pycache__" in file.parts:
            continue
        with contextlib.suppress(FileNotFoundError):
            status = file.stat()
            if stat.S_ISREG(status.st_mode):
                found[file] = (status.st_mtime_ns, status.st_size)
    return found


def forget_bytecode(files: set[Path]) -> None:
    """Python compares whole seconds and sizes: two quick edits could leave it with the first."""
    for file in files:
        if file.suffix == ".py":
            Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)


class Watcher:
    def __init__(self, functions: Any) -> None:
        self._functions = functions
        self._seen: dict[str, dict[Path, tuple[int, int]]] = {}

    def changed(self, folder: str) -> set[Path]:
        now = snapshot(ROOT / folder)
        before = self._seen.get(folder, now)
        self._seen[folder] = now
        return {file for file, _ in before.items() ^ now.items()}

    def look(self) -> None:
        deployed: dict[str, str] = (read_json(DEPLOYMENT_FILE) or {}).get("functions", {})
        stale = {name for name, folder in deployed.items() if self.changed(folder)}
        for folder in LAYERS:
            if files := self.changed(folder):
                forget_bytecode(files)
                stale |= set(deployed)
        for name in sorted(stale):
            try:
                code = function_code(ROOT / deployed[name])
                self._functions.update_function_code(FunctionName=name, ZipFile=code)
            except (OSError, LocalStackError) as error:
                print(f"{name}: {error}", flush=True)
        if stale:
            print(f"taken up: {', '.join(sorted(stale))}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--aws", required=True, help="the emulator's address")
    parser.add_argument("--interval", type=float, default=0.5, help="seconds between two looks")
    arguments = parser.parse_args()
    watcher = Watcher(client("lambda", arguments.aws))
    while True:
        try:
            watcher.look()
        except Exception as error:  # one that died silently would mislead
            print(f"not taken up: {error!r}", flush=True)
        time.sleep(arguments.interval)


if __name__ == "__main__":
    main()
