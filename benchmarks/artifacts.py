"""The artifacts as `sam build` makes them, for this machine; beside them the floors, and all of it
without bytecode.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.container import Artifact
from local import template as cloudformation
from local.settings import ARCHITECTURE, ROOT
from tools.artifact.artifact import compile_all, install

FLOORS = Path(__file__).parent / "floors"
PLAIN = "plain"
FUNCTION = "AWS::Serverless::Function"


class Artifacts:
    """All functions, built into a folder; ``runtime`` is that of the interpreter that runs them."""

    def __init__(self, folder: Path, python: Path, runtime: str) -> None:
        self._with, self._without = folder / "bytecode", folder / "none"
        template = cloudformation.load(ROOT / "template.yaml")
        self._functions = cloudformation.resources(template, FUNCTION)
        self._usual = template["Globals"]["Function"]
        self._shared_layers: list[Any] = self._usual["Layers"]
        shutil.rmtree(folder, ignore_errors=True)
        self._build(runtime)
        for floor in FLOORS.iterdir():
            shutil.copytree(floor, self._with / floor.name)
        # A floor has the same packages as anybody installs them, nothing taken out.
        install(
            ROOT / "layers/dependencies/requirements.txt",
            self._with / PLAIN / "python",
            runtime,
            ARCHITECTURE,
        )
        compile_all(str(python), self._with, str(self._with))
        shutil.copytree(
            self._with, self._without, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True
        )

    @property
    def functions(self) -> list[str]:
        """Their folders' names."""
        return sorted(self._folder_of(properties) for properties in self._functions.values())

    @property
    def memories(self) -> dict[str, int]:
        """MB of each function."""
        usual = self._usual["MemorySize"]
        return {
            self._folder_of(properties): int(properties.get("MemorySize", usual))
            for properties in self._functions.values()
        }

    def of(self, function: str, *, bytecode: bool) -> Artifact:
        """A function's, or a floor's."""
        root = self._with if bytecode else self._without
        for name, properties in self._functions.items():
            if self._folder_of(properties) == function:
                # Lambda unpacks layers in order, the later over the earlier.
                layers = [*self._shared_layers, *properties.get("Layers", [])]
                return Artifact(root / name, tuple(_layers(root, layers)))
        return Artifact(root / function, (root / PLAIN / "python",))

    def _build(self, runtime: str) -> None:
        subprocess.run(
            [
                ROOT / ".venv-sam/bin/sam",
                "build",
                "--build-dir",
                self._with,
                "--parameter-overrides",
                f"Runtime={runtime}",
                f"Architecture={ARCHITECTURE}",
            ],
            cwd=ROOT,
            env={
                **os.environ,
                "SAM_CLI_TELEMETRY": "0",
                "AWS_DEFAULT_REGION": "eu-central-1",
                "PYTHON": str(ROOT / ".venv-sam/bin/python"),
            },
            check=True,
            capture_output=True,
        )

    @staticmethod
    def _folder_of(properties: dict[str, Any]) -> str:
        return Path(properties["CodeUri"]).name


def _layers(root: Path, references: list[Any]) -> list[Path]:
    return [root / reference["Ref"] / "python" for reference in references]
