"""What is deployed: code, packages and bytecode, as the makefiles make them for SAM."""

from __future__ import annotations

import ast
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore
import pytest
from botocore.awsrequest import AWSResponse
from botocore.loaders import Loader
from botocore.session import Session

from local.template import load
from tools.artifact.artifact import (
    CLIENTS_ARE_MADE_IN,
    CLIENTS_ARE_USED_IN,
    CREDENTIAL_SERVICES,
    UNUSED_PACKAGES,
    aws_operations,
    aws_services,
    main,
    strip,
)

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
        "requests",
        "requests-2.0.dist-info",
        "somebody/tests",
        "somebody/code",
    ):
        (tmp_path / part).mkdir(parents=True)
    (tmp_path / "botocore/data/endpoints.json").write_text('{"partitions": []}')
    strip(tmp_path, frozenset({"dynamodb"}), frozenset())
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


@pytest.fixture(scope="module")
def stripped_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SDK's descriptions as they are deployed."""
    layer = tmp_path_factory.mktemp("layer")
    services = aws_services(CLIENTS_ARE_MADE_IN.read_text())
    installed = Path(botocore.__file__).parent / "data"
    data = layer / "botocore/data"
    data.mkdir(parents=True)
    for part in installed.iterdir():
        if part.is_file():
            shutil.copy(part, data)
        elif part.name in {*services, *CREDENTIAL_SERVICES}:
            shutil.copytree(part, data / part.name)
    strip(layer, services, aws_operations(CLIENTS_ARE_USED_IN))
    return data


CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "dynamodb": ("get_item", {"TableName": "t", "Key": {"pk": {"S": "a"}}}),
    "s3": ("put_object", {"Bucket": "b", "Key": "k", "Body": b"x", "IfNoneMatch": "*"}),
    "ssm": ("get_parameter", {"Name": "/a/b", "WithDecryption": True}),
    "events": ("put_events", {"Entries": [{"Source": "s", "DetailType": "d", "Detail": "{}"}]}),
    "sesv2": ("send_email", {"Content": {"Raw": {"Data": b"x"}}}),
    "sqs": ("send_message", {"QueueUrl": "https://sqs.test/1/q", "MessageBody": "x"}),
    "lambda": ("invoke", {"FunctionName": "f", "Payload": b"{}"}),
}


class Body(io.BytesIO):
    """An answer's, as urllib3 has it."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


def sent(
    data: Path | None, service: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str, bytes, list[str]]:
    """The request of a call, and the names of its errors."""
    seen: list[Any] = []

    def answer(request: Any, **_: Any) -> AWSResponse:
        seen.append(request)
        return AWSResponse(request.url, 200, {}, Body(b"" if service == "s3" else b"{}"))

    session = Session()
    if data is not None:
        monkeypatch.setattr(Loader, "BUILTIN_DATA_PATH", str(data))
        session.register_component(
            "data_loader",
            Loader(extra_search_paths=[str(data)], include_default_search_paths=False),
        )
    session.set_credentials("key", "secret")
    client = session.create_client(service, region_name=region)
    client.meta.events.register_first("before-send", answer)
    operation, arguments = CALLS[service]
    getattr(client, operation)(**arguments)
    described = client.meta.service_model.operation_model(
        client.meta.method_to_api_mapping[operation]
    )
    errors = sorted(shape.name for shape in described.error_shapes)
    assert all(hasattr(client.exceptions, name) for name in errors)
    body = seen[0].body
    return seen[0].method, seen[0].url, body.read() if hasattr(body, "read") else body, errors


@pytest.mark.parametrize("region", ["eu-central-1", "cn-north-1", "us-gov-west-1"])
@pytest.mark.parametrize("service", sorted(aws_services(CLIENTS_ARE_MADE_IN.read_text())))
def test_the_sdk_as_deployed_sends_what_the_whole_one_sends(
    stripped_data: Path, service: str, region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sent(None, service, region, monkeypatch)
    assert sent(stripped_data, service, region, monkeypatch) == whole


@pytest.mark.parametrize(
    ("service", "operations"),
    [
        (
            "dynamodb",
            "BatchGetItem DeleteItem GetItem PutItem Query TransactWriteItems UpdateItem",
        ),
        ("s3", "GetObject HeadBucket HeadObject PutObject"),
        ("ssm", "GetParameter PutParameter"),
        ("sesv2", "SendEmail"),
    ],
)
def test_of_a_service_only_the_operations_that_adapters_name_are_deployed(
    stripped_data: Path, service: str, operations: str
) -> None:
    model = json.loads(next(stripped_data.glob(f"{service}/*/service-2.json")).read_text())
    assert sorted(model["operations"]) == operations.split()


def test_credentials_are_found_by_whatever_the_sdk_asks_for(stripped_data: Path) -> None:
    """None of our own words decides about it."""
    model = json.loads(next(stripped_data.glob("sts/*/service-2.json")).read_text())
    assert {"AssumeRole", "AssumeRoleWithWebIdentity", "GetCallerIdentity"} <= set(
        model["operations"]
    )


def test_the_sdk_as_deployed_is_much_smaller(stripped_data: Path) -> None:
    addresses = (stripped_data / "endpoints.json").stat().st_size
    assert addresses < (Path(botocore.__file__).parent / "data/endpoints.json").stat().st_size / 5
    model = json.loads(next(stripped_data.glob("dynamodb/*/service-2.json")).read_text())
    assert model["documentation"] == ""
    assert model["shapes"]["PutItemInput"]["members"]["Item"]["documentation"] == ""


def test_packages_that_are_left_out_are_asked_for_by_nothing_that_is_used() -> None:
    """Nobody but Stripe's SDK wants requests, which wants charset-normalizer."""
    wanted = {"stripe", *UNUSED_PACKAGES}
    for layer in ("dependencies", "pdf"):
        lock = (ROOT / "layers" / layer / "requirements.txt").read_text()
        for package in re.split(r"\n(?=\S)", lock):
            if package.split("==")[0].replace("-", "_") in UNUSED_PACKAGES:
                lines = package.split("# via", 1)[1].replace("#", " ").split()
                assert {name.replace("-", "_") for name in lines} <= wanted
    for source in (ROOT / "layers/paylink").rglob("*.py"):
        for node in ast.walk(ast.parse(source.read_text())):
            names = [alias.name for alias in getattr(node, "names", [])]
            imported = {str(getattr(node, "module", None) or ""), *names}
            if isinstance(node, ast.Import | ast.ImportFrom):
                assert not {n.partition(".")[0] for n in imported} & set(UNUSED_PACKAGES), source
