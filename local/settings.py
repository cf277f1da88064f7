"""Where the local stack keeps its things and which ports it uses."""

from __future__ import annotations

import json
import os
import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.bootstrap import ROOT, STATE

STACK_FILE = STATE / "stack.json"
PROCESSES_FILE = STATE / "processes.json"
DEPLOYMENT_FILE = STATE / "deployment.json"
LOGS = STATE / "logs"
STACK_NAME = "paylink"
REGION = "eu-central-1"
RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
ARCHITECTURE = "arm64" if platform.machine().lower() in {"arm64", "aarch64"} else "x86_64"

# The emulator's own administrator. Nothing secret: it listens on this machine only.
ADMINISTRATOR = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}


class LocalStackError(Exception):
    """Said to the user in one line."""


@dataclass(frozen=True)
class Ports:
    api: int
    stripe: int
    aws: int

    @classmethod
    def from_environment(cls) -> Ports:
        """PORT, STRIPE_PORT and AWS_PORT, as given to make or in the environment."""

        def port(variable: str, default: int) -> int:
            text = os.environ.get(variable) or str(default)
            if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
                raise LocalStackError(f"{variable}={text} is no port number")
            return int(text)

        api = port("PORT", 8200)
        ports = cls(api, port("STRIPE_PORT", 8201), port("AWS_PORT", 8202))
        if len({ports.api, ports.stripe, ports.aws}) < 3:
            raise LocalStackError(f"PORT, STRIPE_PORT and AWS_PORT must differ: {ports}")
        return ports

    @property
    def api_url(self) -> str:
        return f"http://127.0.0.1:{self.api}"

    @property
    def stripe_url(self) -> str:
        return f"http://127.0.0.1:{self.stripe}"

    @property
    def aws_url(self) -> str:
        return f"http://127.0.0.1:{self.aws}"


def read_json(file: Path) -> Any:
    """The file's value, or None if there is no such file or it was cut short."""
    try:
        return json.loads(file.read_text())
    except (FileNotFoundError, ValueError):
        return None


def write_json(file: Path, value: object) -> None:
    """Replaces the file at once: a reader sees the old text or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    draft = file.with_suffix(".draft")
    draft.write_text(json.dumps(value, indent=2) + "\n")
    draft.replace(file)


def client(service: str, aws_url: str) -> Any:
    """A boto3 client of the emulator, whatever AWS settings the user's shell has."""
    import boto3.session  # noqa: PLC0415  (half a second that `make stop` needn't wait for)
    from botocore.config import Config  # noqa: PLC0415

    session: Any = boto3.session.Session(
        aws_access_key_id=ADMINISTRATOR["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ADMINISTRATOR["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    return session.client(
        service,
        endpoint_url=aws_url,
        config=Config(
            proxies={},
            read_timeout=120,
            retries={"max_attempts": 1},
            s3={"addressing_style": "path"},
        ),
    )


__all__ = [
    "ADMINISTRATOR",
    "ARCHITECTURE",
    "DEPLOYMENT_FILE",
    "LOGS",
    "PROCESSES_FILE",
    "REGION",
    "ROOT",
    "RUNTIME",
    "STACK_FILE",
    "STACK_NAME",
    "STATE",
    "LocalStackError",
    "Ports",
    "client",
    "read_json",
    "write_json",
]
