"""Makes what is deployed of one function or layer: packages, our code, and bytecode of both.

A package on AWS is read-only, so without bytecode each cold start compiles every module again. SAM
ships none, which is why this stands in for its own Python build. It needs nothing but pip.
"""

from __future__ import annotations

import argparse
import ast
import gzip
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Set
from pathlib import Path
from typing import Any

PLATFORMS = {"arm64": "aarch64", "x86_64": "x86_64"}
# The newest C library that a runtime's Linux has packages for: Amazon Linux 2, then 2023.
NEWEST_GLIBC = {"python3.11": 26}
USUAL_GLIBC = 34

PAYLINK = Path(__file__).parents[2] / "layers/paylink/paylink"
CLIENTS_ARE_MADE_IN = PAYLINK / "bootstrap.py"
CLIENTS_ARE_USED_IN = PAYLINK / "adapters"
# What only a package that we use otherwise asks for.
UNUSED_PACKAGES = ("requests", "charset_normalizer")
# How the SDK finds its credentials, wherever it runs.
CREDENTIAL_SERVICES = {"sts"}
# Which the SDK asks by itself, for the region of a bucket.
SDK_OPERATIONS = {"headbucket"}


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", help="build-<logical id>")
    parser.add_argument("folder", type=Path, help="where the artifact goes")
    parser.add_argument("--runtime", required=True)
    parser.add_argument("--architecture", required=True, choices=PLATFORMS)
    parser.add_argument("--deployed-at", required=True, help="where AWS puts the folder")
    options = parser.parse_args(arguments)
    name = options.target.removeprefix("build-")
    folder: Path = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    source = Path.cwd()
    copy_code(source, folder)
    if (source / "requirements.txt").is_file():
        install(source / "requirements.txt", folder, options.runtime, options.architecture)
        services = aws_services(CLIENTS_ARE_MADE_IN.read_text())
        strip(folder, services, aws_operations(CLIENTS_ARE_USED_IN))
    interpreter = interpreter_of(options.runtime)
    if interpreter is None:
        version = options.runtime.removeprefix("python")
        print(
            f"{name}: no bytecode, because no Python {version} is on the PATH and no other can "
            "make it: each cold start will compile every module, and take about three times as "
            "long."
        )
        return
    compile_all(interpreter, folder, options.deployed_at)


def copy_code(source: Path, folder: Path) -> None:
    """All but the lists of packages and what Python leaves behind."""
    shutil.copytree(
        source,
        folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "requirements.*"),
    )


def install(requirements: Path, folder: Path, runtime: str, architecture: str) -> None:
    """Packages for the runtime's Linux, whatever machine this is; hashes are checked."""
    machine = PLATFORMS[architecture]
    newest = NEWEST_GLIBC.get(runtime, USUAL_GLIBC)
    platforms = [f"manylinux2014_{machine}"]
    platforms += [f"manylinux_2_{minor}_{machine}" for minor in range(17, newest + 1)]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--require-hashes", "--no-deps", "--no-compile", "--only-binary=:all:"]
    command += ["--implementation=cp", f"--python-version={runtime.removeprefix('python')}"]
    command += [f"--platform={platform}" for platform in platforms]
    command += [f"--requirement={requirements}", f"--target={folder}"]
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - our own words


def aws_services(source: str) -> frozenset[str]:
    """The services that a module makes clients of, from its calls of ``client("…")``."""
    calls = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return frozenset(
        call.args[0].value
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", "")) == "client"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    )


def aws_operations(folder: Path) -> frozenset[str]:
    """What modules may ask services for, named without case and underscores: whatever they take
    from an object or write as a text, so that most of it is something else."""
    found: set[str] = set()
    for module in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Attribute):
                found.add(node.attr)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return frozenset(name.replace("_", "").lower() for name in found)


def strip(folder: Path, services: frozenset[str], operations: frozenset[str]) -> None:
    """Takes out what no function can use, most of all AWS's other 400 services: the SDK looks
    through all of their descriptions, and reads all of their addresses, for its first client. Of
    the services that are used it reads, for each client, what all of their operations look like."""
    kept = services | CREDENTIAL_SERVICES
    for part in superfluous(folder, kept):
        shutil.rmtree(part)
    addresses = folder / "botocore/data/endpoints.json"
    if addresses.is_file():
        addresses.write_text(json.dumps(addresses_of(kept, json.loads(addresses.read_text()))))
    for packed in folder.glob("botocore/data/*/*/*.json.gz"):
        described = json.loads(gzip.decompress(packed.read_bytes()))
        if packed.name == "service-2.json.gz":
            described = without_prose(described)
            if packed.parents[1].name not in CREDENTIAL_SERVICES:
                described = of_operations(described, operations | SDK_OPERATIONS)
        packed.with_suffix("").write_text(json.dumps(described))
        packed.unlink()


def addresses_of(services: Set[str], addresses: dict[str, Any]) -> dict[str, Any]:
    """All regions and partitions, without the services that aren't there."""
    for partition in addresses["partitions"]:
        there = partition["services"].items()
        partition["services"] = {name: found for name, found in there if name in services}
    return addresses


def of_operations(model: dict[str, Any], names: Set[str]) -> dict[str, Any]:
    """A service's description with some of its operations, and with the shapes that these have."""
    kept = {name: found for name, found in model["operations"].items() if name.lower() in names}
    shapes: dict[str, Any] = {}
    missing = list(shapes_in(kept))
    while missing:
        name = missing.pop()
        if name not in shapes:
            shapes[name] = model["shapes"][name]
            missing.extend(shapes_in(shapes[name]))
    return {**model, "operations": kept, "shapes": shapes}


def shapes_in(described: Any) -> Iterator[str]:
    """The shapes that a part of a service's description names."""
    if isinstance(described, list):
        for member in described:
            yield from shapes_in(member)
    elif isinstance(described, dict):
        # Of a member that is called so, it's an object.
        if isinstance(described.get("shape"), str):
            yield described["shape"]
        for member in described.values():
            yield from shapes_in(member)


def without_prose(model: Any) -> Any:
    """A service's description with empty documentation, which is most of it."""
    if isinstance(model, list):
        return [without_prose(member) for member in model]
    if not isinstance(model, dict):
        return model
    # A member of a service's that is called so is described by an object, not by a text.
    return {
        name: "" if name == "documentation" and isinstance(member, str) else without_prose(member)
        for name, member in model.items()
    }


def superfluous(folder: Path, services: frozenset[str]) -> Iterator[Path]:
    yield from (p for p in (folder / "bin", folder / "include", folder / "share") if p.is_dir())
    yield from (p for p in folder.glob("*/tests") if p.is_dir())
    # Stripe's SDK loads requests if it is there, and is given another way (adapters/stripe).
    for name in UNUSED_PACKAGES:
        yield from (p for p in (folder / name, *folder.glob(f"{name}-*.dist-info")) if p.is_dir())
    # Descriptions of boto3's resources, a second interface of which we make no use.
    for data in (folder / "botocore/data", folder / "boto3/data"):
        yield from (p for p in data.glob("*/") if p.name not in services)


def interpreter_of(runtime: str) -> str | None:
    """A Python of the runtime's version, which alone can make bytecode that it reads."""
    for candidate in (sys.executable, shutil.which(runtime)):
        if candidate is None:
            continue
        asked = subprocess.run(  # noqa: S603 - an interpreter
            [candidate, "-c", "import sys; print('python%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if asked.returncode == 0 and asked.stdout.strip() == runtime:
            return candidate
    return None


def compile_all(interpreter: str, folder: Path, deployed_at: str) -> None:
    """Bytecode that is never compared with its source: both are shipped together, and read-only.

    Tracebacks name the files as they are on AWS; the same sources give the same bytes.
    """
    command = [interpreter, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", deployed_at, str(folder)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    subprocess.run(command, check=True, stdout=sys.stderr, env=environment)  # noqa: S603 - our own


if __name__ == "__main__":
    main()
