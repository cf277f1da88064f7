"""What is deployed runs on what it brings: each function is started by AWS's own runtime client, in
an environment that has nothing else, with its layers as they are stripped for AWS.

Packages are those that the local stack has installed for its functions, from the same lists.
"""

from __future__ import annotations

import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmarks.container import Artifact, Container
from local.bootstrap import layer_packages
from tests.integration.aws import PHYSICAL_IDS
from tests.integration.template import ROOT, Template
from tests.local.stack import Stack, make
from tests.template.test_template import FUNCTIONS, LAYER, ROLE_GLOBALS, TEMPLATE, resources
from tools.artifact.artifact import (
    CLIENTS_ARE_MADE_IN,
    CLIENTS_ARE_USED_IN,
    aws_operations,
    aws_services,
    copy_code,
    strip,
)

# The operator's command runs elsewhere, with packages of its own.
IMPORT_ALL = """
import importlib, pkgutil, paylink
for module in pkgutil.walk_packages(paylink.__path__, "paylink."):
    if module.name.startswith(("paylink.cli", "paylink.operator")):
        continue
    try:
        importlib.import_module(module.name)
    except ImportError as error:
        print(module.name)
"""


@pytest.fixture(scope="module")
def layers(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders of the layers' artifacts, by their logical ids."""
    made = {}
    for name, properties in resources(TEMPLATE, LAYER).items():
        source = ROOT / properties["ContentUri"]
        folder = tmp_path_factory.mktemp(name)
        packages = layer_packages(source)
        if packages:
            shutil.copytree(packages, folder, dirs_exist_ok=True)
            services = aws_services(CLIENTS_ARE_MADE_IN.read_text())
            strip(folder, services, aws_operations(CLIENTS_ARE_USED_IN))
        copy_code(source, folder)
        made[name] = folder
    return made


@pytest.fixture(scope="module")
def clean_python() -> Path:
    """An environment with nothing in it but the runtime client."""
    done = make(".venv-bench/.installed", state=ROOT / ".local" / "tests")
    assert done.returncode == 0, done.stderr
    return ROOT / ".venv-bench" / "bin" / "python"


def layers_of(name: str) -> list[str]:
    references = [*ROLE_GLOBALS["Layers"], *FUNCTIONS[name].get("Layers", [])]
    return [reference["Ref"] for reference in references]


def test_every_function_starts_in_a_clean_environment(
    layers: dict[str, Path], clean_python: Path, tmp_path: Path
) -> None:
    template = Template(PHYSICAL_IDS, {})

    def start(name: str) -> None:
        source = ROOT / FUNCTIONS[name]["CodeUri"]
        folder = tmp_path / source.name
        copy_code(source, folder)
        artifact = Artifact(folder, tuple(layers[layer] for layer in layers_of(name)))
        aws = {
            "AWS_REGION": "eu-central-1",
            "AWS_DEFAULT_REGION": "eu-central-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }
        with Container(clean_python, artifact, template.variables(source.name) | aws):
            """It has asked for its first event."""

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(start, FUNCTIONS))


def test_what_is_imported_later_is_in_the_layers_too(
    layers: dict[str, Path], clean_python: Path
) -> None:
    """Every module of ours, for the function with all layers; without the PDF's, all but those that
    only this function uses."""

    def missing(*names: str) -> set[str]:
        path = ":".join(str(layers[name]) for name in names)
        done = subprocess.run(
            [clean_python, "-c", IMPORT_ALL],
            env={"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return set(done.stdout.split())

    assert layers_of("IssueInvoice") == ["DependenciesLayer", "PaylinkLayer", "PdfLayer"]
    assert missing(*layers_of("IssueInvoice")) == set()
    others = [name for name in FUNCTIONS if layers_of(name) != layers_of("IssueInvoice")]
    assert len(others) == len(FUNCTIONS) - 1
    assert missing(*layers_of("CreatePayment")) == {
        "paylink.presentation.document_pdf",
        "paylink.presentation.fonts",
    }
