"""`python -m local up | down | invoke | logs`: what the Makefile's commands call."""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import re
import shutil
import subprocess
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from local import processes
from local.bootstrap import layer_packages
from local.settings import (
    ADMINISTRATOR,
    DEPLOYMENT_FILE,
    LOGS,
    ROOT,
    STACK_FILE,
    STACK_NAME,
    STATE,
    LocalStackError,
    Ports,
    client,
    read_json,
    write_json,
)

CONTROL_PATH = "/_control"
SERVICES = ("aws", "stripe", "api", "watch")


def say(text: str) -> None:
    print(text, flush=True)


# ── up ───────────────────────────────────────────────────────────────────────────────────────────


def up() -> None:
    ports = Ports.from_environment()
    running = set(processes.running()) == set(SERVICES)
    if running:
        there = read_json(STATE / "ports.json")
        if there != vars(ports):
            raise LocalStackError(
                f"the local stack is running already, on other ports ({there}); first: make stop"
            )
        say("The local stack is running already; bringing it up to date")
    else:
        if processes.recorded():
            processes.stop()
        for port, variable in (
            (ports.api, "PORT"), (ports.stripe, "STRIPE_PORT"), (ports.aws, "AWS_PORT"),
        ):  # fmt: skip
            processes.check_port(port, variable)
        write_json(STATE / "ports.json", vars(ports))
    real_stripe()
    try:
        _bring_up(ports, running=running)
    except BaseException as error:
        emulators_log = processes.tail("aws")
        if not running:
            STACK_FILE.unlink(missing_ok=True)
            processes.stop()
        if not isinstance(error, Exception) or isinstance(error, LocalStackError):
            raise
        (LOGS / "run.log").write_text(traceback.format_exc())
        raise LocalStackError(
            f"{type(error).__name__}: {error}; the whole of it is in "
            f"{os.path.relpath(LOGS)}/run.log.\n{emulators_log}"
        ) from error


def _bring_up(ports: Ports, *, running: bool) -> None:
    from local import deploy  # noqa: PLC0415  (it imports YAML and boto3; `make stop` needn't)

    started = time.monotonic()

    def step(what: str) -> None:
        say(f"  {time.monotonic() - started:4.1f} s  {what}")

    if not running:
        start_emulator(ports)
        start_sandbox(ports)
    step(f"AWS emulator at {ports.aws_url}, Stripe sandbox at {ports.stripe_url}")
    outputs = deploy.deploy(ports, stripe_api_base="" if real_stripe() else ports.stripe_url)
    deployment = read_json(DEPLOYMENT_FILE)
    step(f"template.yaml deployed, {len(deployment['functions'])} functions")
    if not running:
        start_proxy(ports, deployment["apiId"])
        start_watcher(ports)
    step(f"API at {ports.api_url}")
    seeded = seed(ports)
    step("three organizations, their keys and webhook endpoints")
    payment = first_payment(ports, seeded["apiKey"])
    step("a first payment link")
    stack = {
        "apiUrl": ports.api_url,
        "apiKey": seeded["apiKey"],
        "liveApiKey": seeded["liveApiKey"],
        "otherApiKey": seeded["otherApiKey"],
        "organizationId": seeded["organizationId"],
        "payUrl": payment["url"],
        "stripeUrl": ports.stripe_url,
        "stripeControlUrl": f"{ports.stripe_url}{CONTROL_PATH}",
        "stripeWebhookUrl": seeded["stripeWebhookUrl"],
        "stripeWebhookSecret": seeded["stripeWebhookSecret"],
        "mailboxUrl": f"{ports.aws_url}/_ministack/ses/messages",
        "awsEndpointUrl": ports.aws_url,
        "tableName": outputs["TableName"],
        "bucketName": outputs["InvoiceBucketName"],
        "eventBusName": outputs["EventBusName"],
        # Beyond what tests need, for `make invoke` and for the curious.
        "stackName": STACK_NAME,
        "region": ADMINISTRATOR["AWS_REGION"],
        "deploymentId": deployment["deploymentId"],
        "paymentId": payment["id"],
        "otherOrganizationId": seeded["otherOrganizationId"],
        "ownRatesApiKey": seeded["ownRatesApiKey"],
    }
    write_json(STACK_FILE, stack)
    if real_stripe():
        say(f"\nStripe's events come by: stripe listen --forward-to {stack['stripeWebhookUrl']}")
    say(summary(stack))


def real_stripe() -> bool:
    """Whether the stack is to talk to Stripe itself: with a test key in the environment."""
    key = os.environ.get("PAYLINK_STRIPE_SECRET_KEY", "")
    if key and not key.startswith(("sk_test_", "rk_test_")):
        raise LocalStackError("PAYLINK_STRIPE_SECRET_KEY is no test key; the local stack wants one")
    if key and not os.environ.get("PAYLINK_STRIPE_WEBHOOK_SECRETS"):
        raise LocalStackError(
            "with PAYLINK_STRIPE_SECRET_KEY, set PAYLINK_STRIPE_WEBHOOK_SECRETS to what "
            "`stripe listen --print-secret` prints"
        )
    return bool(key)


def start_emulator(ports: Ports) -> None:
    folders = {name: STATE / name for name in ("tmp", "aws-state", "aws-s3")}
    shutil.rmtree(folders["tmp"], ignore_errors=True)  # functions' folders of an earlier run
    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    processes.start(
        "aws",
        [str(ROOT / ".venv-emulator" / "bin" / "python"), "-m", "local.emulator"],
        {
            # Functions inherit this environment, so nothing of the user's is in it.
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(folders["tmp"]),
            "TMPDIR": str(folders["tmp"]),
            "LANG": "C.UTF-8",
            **ADMINISTRATOR,
            "MINISTACK_REGION": ADMINISTRATOR["AWS_REGION"],
            "GATEWAY_PORT": str(ports.aws),
            "BIND_HOST": "127.0.0.1",
            "AUTH": "true",
            "PERSIST_STATE": "1",
            "STATE_DIR": str(folders["aws-state"]),
            "S3_PERSIST": "1",
            "S3_DATA_DIR": str(folders["aws-s3"]),
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "PYTHONUNBUFFERED": "1",
        },
    )
    processes.await_port("aws", ports.aws)
    deadline = time.monotonic() + 30
    while True:
        try:
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"{ports.aws_url}/_ministack/ready", timeout=5):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise LocalStackError(
                    f"the AWS emulator isn't ready.\n{processes.tail('aws')}"
                ) from error
            time.sleep(0.1)


def _own_environment() -> dict[str, str]:
    """The user's, without what would lead requests to this machine through a proxy."""
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    kept = {k: v for k, v in os.environ.items() if k.lower() not in proxies}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def start_sandbox(ports: Ports) -> None:
    command = [sys.executable, "-m", "local.stripe_sandbox", "--port", str(ports.stripe)]
    command += ["--state-file", str(STATE / "stripe.sqlite3")]
    processes.start("stripe", command, _own_environment())
    processes.await_port("stripe", ports.stripe)


def start_proxy(ports: Ports, api_id: str) -> None:
    target = f"{ports.aws_url}/_aws/execute-api/{api_id}/$default"
    command = [sys.executable, "-m", "local.proxy", "--port", str(ports.api), "--target", target]
    processes.start("api", command, _own_environment())
    processes.await_port("api", ports.api)


def start_watcher(ports: Ports) -> None:
    command = [sys.executable, "-m", "local.watch", "--aws", ports.aws_url]
    processes.start("watch", command, _own_environment())


def seed(ports: Ports) -> dict[str, str]:
    """Organizations, keys and endpoints, made by the product's code on the layers' packages."""
    layers = ROOT / "layers"
    packages = (layer_packages(layers / name) for name in ("dependencies", "pdf"))
    folders = [layers / "paylink", *packages]
    environment = {
        **_own_environment(),
        **ADMINISTRATOR,
        "AWS_ENDPOINT_URL": ports.aws_url,
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders if folder),
    }
    output = STATE / "seed.out"
    command = [sys.executable, "-m", "local.seed", "--api", ports.api_url]
    command += ["--stripe", ports.stripe_url, "--output", str(output)]
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise LocalStackError(f"the stack could not be filled.\n{result.stderr[-3000:].strip()}")
    seeded: dict[str, str] = read_json(output)
    output.unlink()
    return seeded


def first_payment(ports: Ports, api_key: str) -> dict[str, str]:
    """Makes a link as any caller would."""
    body = {"amount": 4900, "currency": "eur", "description": "Consulting, one hour"}
    call = urllib.request.Request(
        f"{ports.api_url}/payments",
        json.dumps(body).encode(),
        {"x-api-key": api_key, "content-type": "application/json"},
    )
    try:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(call, timeout=60) as answer:
            payment: dict[str, str] = json.loads(answer.read())["data"]
            return payment
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        lines = [line for _, line in log_lines(ports.aws_url, "create_payment", 10)][-25:]
        log = "\n".join(f"  | {line}" for line in lines)
        raise LocalStackError(
            f"POST /payments answered {error.code}: {text}\nThe function's log:\n{log}\n"
            f"{processes.tail('aws', 5)}"
        ) from error


def summary(stack: dict[str, str]) -> str:
    body = json.dumps({"amount": 4900, "currency": "eur", "description": "Consulting, one hour"})
    return f"""
Pay this link in a browser:

  {stack["payUrl"]}

  4242 4242 4242 4242 is paid      4000 0000 0000 0002 is declined
  4000 0000 0000 3220 asks for 3-D Secure      any date to come, any CVC

Make another:

  curl -s {stack["apiUrl"]}/payments -H 'x-api-key: {stack["apiKey"]}' \\
    -H 'content-type: application/json' -d '{body}'

  API             {stack["apiUrl"]}
  sandbox key     {stack["apiKey"]}
  Stripe sandbox  {stack["stripeUrl"]}
  AWS emulator    {stack["awsEndpointUrl"]}
  mailbox         {stack["mailboxUrl"]}
  all addresses   {os.path.relpath(STACK_FILE)}
  logs            {os.path.relpath(LOGS)}
  end             make stop

A changed source file is taken up at once."""


# ── down, invoke, logs ───────────────────────────────────────────────────────────────────────────


def down() -> None:
    ended = processes.stop()
    STACK_FILE.unlink(missing_ok=True)
    say(f"Stopped: {', '.join(ended)}" if ended else "The local stack is not running")


def _running_stack() -> dict[str, str]:
    stack: dict[str, str] | None = read_json(STACK_FILE)
    if stack is None or "aws" not in processes.running():
        raise LocalStackError("the local stack is not running; first: make run")
    return stack


def checkout_session(pay_url: str) -> str | None:
    """The session that the first link leads to, while it can be paid."""
    link = urllib.parse.urlsplit(pay_url)
    connection = http.client.HTTPConnection(link.netloc, timeout=30)
    try:
        connection.request("GET", link.path)
        found = re.search(r"cs_test_\w+", connection.getresponse().getheader("location") or "")
    finally:
        connection.close()
    return found.group() if found else None


def with_values_of(stack: dict[str, str], event: str) -> str:
    """The event with this stack's own ids, key and signature for those that only stand for them."""
    for sample, value in {
        "ck_sandbox_example": stack["apiKey"],
        "org_example": stack["organizationId"],
        "pay_example": stack["paymentId"],
        "deployment_example": stack["deploymentId"],
    }.items():
        event = event.replace(sample, value)
    if "cs_test_example" in event and (session := checkout_session(stack["payUrl"])):
        event = event.replace("cs_test_example", session)
    parsed = json.loads(event)
    if "signature_example" in event:
        signed = f"{int(time.time())}.{parsed['body']}".encode()
        digest = hmac.new(stack["stripeWebhookSecret"].encode(), signed, hashlib.sha256)
        signature = f"t={signed.partition(b'.')[0].decode()},v1={digest.hexdigest()}"
        event = event.replace("signature_example", signature)
    return event


def invoke(function: str, event_file: Path) -> None:
    stack = _running_stack()
    functions: dict[str, str] = read_json(DEPLOYMENT_FILE)["functions"]
    known = {folder.rpartition("/")[2]: name for name, folder in functions.items()}
    if function not in known:
        raise LocalStackError(f"no function {function!r}; there are: {', '.join(sorted(known))}")
    try:
        text = with_values_of(stack, event_file.read_text())
    except (OSError, ValueError) as error:
        raise LocalStackError(f"{event_file}: {error}") from error
    answer = client("lambda", stack["awsEndpointUrl"]).invoke(
        FunctionName=known[function], Payload=text.encode(), LogType="Tail"
    )
    log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace").strip()
    if log:
        print(log, file=sys.stderr)
    payload = answer["Payload"].read().decode()
    with contextlib.suppress(ValueError):
        payload = json.dumps(json.loads(payload), indent=2, ensure_ascii=False)
    say(payload)
    if answer.get("FunctionError"):
        sys.exit(f"{function} failed: {answer['FunctionError']}")


def log_lines(aws_url: str, function: str, minutes: float) -> list[tuple[int, str]]:
    """Times and texts of what functions logged, oldest first; of all functions if none is named."""
    watch = client("logs", aws_url)
    since = int((time.time() - minutes * 60) * 1000)
    prefix = f"/aws/lambda/{STACK_NAME}-{function}"
    found: list[tuple[int, str]] = []
    for group in watch.describe_log_groups(logGroupNamePrefix=prefix)["logGroups"]:
        name = group["logGroupName"]
        pages = watch.get_paginator("filter_log_events").paginate(
            logGroupName=name, startTime=since
        )
        for event in (event for page in pages for event in page["events"]):
            clock = time.strftime("%H:%M:%S", time.localtime(event["timestamp"] / 1000))
            line = f"{clock} {name.rpartition('-')[2]}: {event['message'].rstrip()}"
            found.append((event["timestamp"], line))
    return sorted(found, key=lambda entry: entry[0])


def logs(function: str, minutes: float, *, follow: bool) -> None:
    stack = _running_stack()
    seen: set[tuple[int, str]] = set()
    while True:
        for entry in log_lines(stack["awsEndpointUrl"], function, minutes):
            if entry not in seen:
                say(entry[1])
            seen.add(entry)
        if not follow:
            return
        time.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("up")
    commands.add_parser("down")
    run = commands.add_parser("invoke")
    run.add_argument("function")
    run.add_argument("event", type=Path)
    read = commands.add_parser("logs")
    read.add_argument("function", nargs="?", default="")
    read.add_argument("--minutes", type=float, default=10)
    read.add_argument("--follow", action="store_true")
    arguments = parser.parse_args()
    if arguments.command == "up":
        up()
    elif arguments.command == "down":
        down()
    elif arguments.command == "invoke":
        invoke(arguments.function, arguments.event)
    else:
        logs(arguments.function, arguments.minutes, follow=arguments.follow)


if __name__ == "__main__":
    try:
        main()
    except LocalStackError as error:
        sys.exit(f"paylink: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
