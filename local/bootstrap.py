"""Makes what the local stack runs on: two virtual environments and the layers' third-party code.

Runs on a bare Python, before anything is installed. Everything comes from the pinned, hashed
requirements; each result is kept under a name that holds the hash of what it was made from, so
that a second start finds it and a changed requirement makes it anew.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# A second stack beside the first, as the tests start it, keeps its state somewhere else.
STATE = Path(os.environ.get("PAYLINK_LOCAL_STATE") or ROOT / ".local").resolve()
BUILDS = ROOT / ".local" / "build"
SUPPORTED = ((3, 11), (3, 13))


class SetupError(Exception):
    """Something the machine lacks, said in one line."""


def _hash(*files: Path) -> str:
    """Names a build: what went into it, and the Python and machine it is for."""
    digest = hashlib.sha256(f"{ROOT} {sys.version} {sysconfig.get_platform()}".encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def _run(what: str, *command: str | Path) -> None:
    # A PYTHONPATH of the caller's would leak into the environments that are made here.
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    result = subprocess.run(
        [str(part) for part in command], capture_output=True, text=True, check=False, env=env
    )
    if result.returncode:
        tail = "\n".join((result.stdout + result.stderr).strip().splitlines()[-15:])
        raise SetupError(f"{what} failed:\n{tail}")


def check_python() -> None:
    if not SUPPORTED[0] <= sys.version_info[:2] <= SUPPORTED[1]:
        raise SetupError(
            f"Python 3.11, 3.12 or 3.13 is needed, this is {platform.python_version()} "
            f"({sys.executable}). Name another one: make run PYTHON=/path/to/python3.13"
        )
    try:
        import ensurepip  # noqa: F401, PLC0415
        import venv  # noqa: F401, PLC0415
    except ImportError as error:
        raise SetupError(
            f"Python's module {error.name} is missing; Debian and Ubuntu have it in the package "
            f"python3-venv (apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv)"
        ) from error


def environment(folder: Path, *requirements: Path) -> bool:
    """Makes a virtual environment from hashed requirements. False if it is there already."""
    stamp, key = folder / ".made-from", _hash(*requirements)
    if stamp.exists() and stamp.read_text() == key and (folder / "bin" / "python").exists():
        return False
    if folder.exists():
        if any((place / "stack.json").exists() for place in (STATE, ROOT / ".local")):
            raise SetupError(f"{folder.name} must be made anew, but is in use; first: make stop")
        shutil.rmtree(folder)
    _run(f"Making {folder.name}", sys.executable, "-m", "venv", folder)
    files = [part for file in requirements for part in ("-r", file)]
    _run(
        f"Installing {', '.join(file.name for file in requirements)}",
        *(folder / "bin" / "python", "-m", "pip", "install", "--quiet"),
        *("--disable-pip-version-check", "--require-hashes", *files),
    )
    stamp.write_text(key)
    return True


def layer(source: Path, pip_home: Path) -> bool:
    """Installs a layer's packages where the emulator's functions find them. False if there."""
    requirements = source / "requirements.txt"
    folder = layer_packages(source)
    assert folder is not None  # noqa: S101  (only called for layers with requirements)
    if (folder / ".complete").exists():
        return False
    for old in folder.parent.glob(f"{source.name}-*"):
        shutil.rmtree(old)
    _run(
        f"Building the layer {source.name}",
        *(pip_home / "bin" / "python", "-m", "pip", "install", "--quiet"),
        *("--disable-pip-version-check", "--require-hashes", "--no-deps", "--target", folder),
        *("-r", requirements),
    )
    (folder / ".complete").touch()
    return True


def layer_packages(source: Path) -> Path | None:
    """The folder with a layer's installed packages; None if it has none."""
    requirements = source / "requirements.txt"
    if not requirements.exists():
        return None
    return BUILDS / f"{source.name}-{_hash(requirements)}"


def main() -> None:
    check_python()
    STATE.mkdir(parents=True, exist_ok=True)
    needed = ROOT / "requirements"
    local = [needed / "local.txt", *([s] if (s := needed / "sandbox.txt").exists() else [])]
    layers = [file.parent for file in sorted((ROOT / "layers").glob("*/requirements.txt"))]

    def timed(what: str, job: object, *arguments: object) -> None:
        started = time.monotonic()
        made = job(*arguments)  # type: ignore[operator]
        how = f"made in {time.monotonic() - started:.0f} s" if made else "there"
        sys.stdout.write(f"  {what}: {how}\n")  # in one piece: two threads write
        sys.stdout.flush()

    print(f"Python {platform.python_version()}, environments and layers", flush=True)
    with ThreadPoolExecutor(2) as pool:
        runner = pool.submit(timed, "runner and Stripe sandbox", environment,
                             ROOT / ".venv-local", *local)  # fmt: skip
        emulator = pool.submit(timed, "AWS emulator", environment,
                               ROOT / ".venv-emulator", needed / "emulator.txt")  # fmt: skip
        runner.result()
        jobs = [
            pool.submit(timed, f"layer {source.name}", layer, source, ROOT / ".venv-local")
            for source in layers
        ]
        for job in [emulator, *jobs]:
            job.result()


if __name__ == "__main__":
    try:
        main()
    except SetupError as error:
        sys.exit(f"make: {error}")
    except KeyboardInterrupt:
        sys.exit("make: interrupted; what is half made will be made again")
