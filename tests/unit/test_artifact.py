"""What is deployed: code, packages and bytecode, as the makefiles make them for SAM."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.template import load
from tools.artifact.artifact import CLIENTS_ARE_MADE_IN, aws_services, main, strip

ROOT = Path(__file__).resolve().parents[2]
THIS_RUNTIME = f"python{sys.version_info[0]}.{sys.version_info[1]}"
UNCHECKED_HASH = 0b01  # of PEP 552's flags: there is a hash, and nobody compares it


def made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runtime: str, name: str = "CreatePayment"
) -> Path:
    source = tmp_path / "source"
    (source / "__pycache__").mkdir(parents=True)
    (source / "__pycache__/app.cpython-39.pyc").write_bytes(b"left behind")
    (source / "app.py").write_text("def lambda_handler(event, context):\n    return 1 / 0\n")
    monkeypatch.chdir(source)
    folder = tmp_path / "artifact"
    main(
        [
            f"build-{name}",
            str(folder),
            f"--runtime={runtime}",
            "--architecture=arm64",
            "--deployed-at=/var/task",
        ]
    )
    return folder


def bytecode(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.pyc"))


def test_an_artifact_has_bytecode_that_is_not_compared_with_its_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pyc,) = bytecode(made(tmp_path, monkeypatch, THIS_RUNTIME))
    content = pyc.read_bytes()
    assert content[:4] == importlib.util.MAGIC_NUMBER
    assert int.from_bytes(content[4:8], "little") == UNCHECKED_HASH


def test_bytecode_names_its_source_as_it_is_on_aws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pyc,) = bytecode(made(tmp_path, monkeypatch, THIS_RUNTIME))
    assert b"/var/task/app.py" in pyc.read_bytes()
    assert str(tmp_path).encode() not in pyc.read_bytes()


def test_the_same_sources_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (
        bytecode(made(tmp_path / name, monkeypatch, THIS_RUNTIME))[0].read_bytes()
        for name in ("a", "b")
    )
    assert first == second


def test_a_build_without_the_runtimes_python_says_so_and_has_no_bytecode(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = made(tmp_path, monkeypatch, "python3.9")
    assert (folder / "app.py").is_file()
    assert bytecode(folder) == []
    said = capsys.readouterr().out
    assert said.startswith("CreatePayment: no bytecode, because no Python 3.9 is on the PATH")


def test_a_layers_makefile_puts_the_package_where_lambda_looks_for_it(tmp_path: Path) -> None:
    if THIS_RUNTIME not in load(ROOT / "template.yaml")["Parameters"]["Runtime"]["AllowedValues"]:
        pytest.skip("not a runtime of the template")
    subprocess.run(
        [
            "make",
            "--makefile",
            str(ROOT / "tools/artifact" / THIS_RUNTIME / "arm64/Makefile"),
            "build-PaylinkLayer",
        ],
        cwd=ROOT / "layers/paylink",
        env={**os.environ, "ARTIFACTS_DIR": str(tmp_path), "PYTHON": sys.executable},
        check=True,
    )
    package = tmp_path / "python/paylink"
    assert (package / "presentation/templates/page.css").is_file()
    sources = [p.relative_to(package) for p in package.rglob("*.py")]
    compiled = {p.relative_to(package).parent.parent / p.name for p in package.rglob("*.pyc")}
    assert compiled == {p.with_suffix(f".{sys.implementation.cache_tag}.pyc") for p in sources}


def test_descriptions_of_the_services_that_are_used_stay() -> None:
    assert {"dynamodb", "s3", "ssm", "events"} <= aws_services(CLIENTS_ARE_MADE_IN.read_text())


def test_commands_tests_and_services_that_nobody_uses_are_taken_out(tmp_path: Path) -> None:
    for part in (
        "bin",
        "botocore/data/dynamodb/2012-08-10",
        "botocore/data/ec2/2016-11-15",
        "botocore/data/sts/2011-06-15",
        "boto3/data/dynamodb",
        "boto3/data/ec2",
        "somebody/tests",
        "somebody/code",
    ):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "botocore/data/endpoints.json").write_text("{}")
    strip(tmp_path, frozenset({"dynamodb"}))
    assert sorted(str(p.relative_to(tmp_path)) for p in tmp_path.glob("*/*")) == [
        "boto3/data",
        "botocore/data",
        "somebody/code",
    ]
    assert sorted(p.name for p in (tmp_path / "botocore/data").iterdir()) == [
        "dynamodb",
        "endpoints.json",
        "sts",
    ]
