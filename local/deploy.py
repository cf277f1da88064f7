"""Deploys template.yaml onto the emulator, by CloudFormation, as `sam deploy` does on AWS.

Three things differ. A layer isn't packed: it holds a pointer to the folders its code is in, so that
starting a function doesn't unpack 100 MB and an edit needs no new deployment. Functions have no
alias, behind which an edit would not be seen. And the emulator's CloudFormation ignores the HTTP
API's definition, in which SAM puts the routes: they are made from the processed template
afterwards.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import zipfile
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local import template as cloudformation
from local.bootstrap import layer_packages
from local.settings import (
    ARCHITECTURE,
    DEPLOYMENT_FILE,
    ROOT,
    RUNTIME,
    STACK_NAME,
    LocalStackError,
    Ports,
    client,
    read_json,
    write_json,
)

RECEIPT_SENDER = "receipts@example.com"
ARTIFACTS = f"{STACK_NAME}-artifacts"
FUNCTION, LAYER = "AWS::Serverless::Function", "AWS::Serverless::LayerVersion"


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip that is the same bytes whenever its files are."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name])
    return buffer.getvalue()


def function_code(folder: Path) -> bytes:
    files = {
        str(file.relative_to(folder)): file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    if not files:
        raise LocalStackError(f"{folder.relative_to(ROOT)} has no code")
    return zipped(files)


def layer_pointer(name: str, source: Path) -> bytes:
    """A layer that leads to its source and its installed packages.

    Python runs the lines of a .pth file that begin with `import`. This one also takes the
    emulator's own packages off the path: on AWS a function has nothing but its layers. And it lets
    faults into the process.
    """
    packages = layer_packages(source)
    folders = [str(source), *([str(packages)] if packages else [])]
    line = (
        "import sys; sys.path[:] = [p for p in sys.path if '.venv-emulator' not in p]; "
        f"sys.path[1:1] = {folders!r}; import paylink_function_process\n"
    )
    files = {
        f"{name}.pth": line.encode(),
        "paylink_function_process.py": (ROOT / "local" / "function_process.py").read_bytes(),
    }
    return zipped({f"python/lib/{RUNTIME}/site-packages/{file}": files[file] for file in files})


def deploy(ports: Ports, *, stripe_api_base: str) -> dict[str, str]:
    """Creates or updates the stack; does nothing if it is as it should be. Returns its outputs."""
    s3 = client("s3", ports.aws_url)
    stacks = client("cloudformation", ports.aws_url)
    template = cloudformation.load(ROOT / "template.yaml")
    artifacts: dict[str, bytes] = {}
    sources: dict[str, str] = {}

    def packaged(logical_id: str, content: bytes) -> str:
        key = f"{logical_id}-{hashlib.sha256(content).hexdigest()[:16]}.zip"
        artifacts[key] = content
        return f"s3://{ARTIFACTS}/{key}"

    for logical_id, properties in cloudformation.resources(template, FUNCTION).items():
        sources[logical_id] = properties["CodeUri"].strip("/")
        code = function_code(ROOT / sources[logical_id])
        properties["CodeUri"] = packaged(logical_id, code)
        properties.pop("AutoPublishAlias", None)
    for logical_id, properties in cloudformation.resources(template, LAYER).items():
        source = ROOT / properties["ContentUri"].strip("/")
        properties["ContentUri"] = packaged(logical_id, layer_pointer(logical_id, source))

    body = json.dumps(template, separators=(",", ":"))
    parameters = {
        "Runtime": RUNTIME,
        "Architecture": ARCHITECTURE,
        "PublicBaseUrl": ports.api_url,
        "StripeApiBase": stripe_api_base,
        "InvoiceRetrySeconds": "5",
        "SurplusRetrySeconds": "5",
        "MailRetrySeconds": "5",
        "ReceiptSender": RECEIPT_SENDER,
        "WebhookRetrySeconds": "40",
        "WebhookWaits": "1,1,2,2,3,3,3",
        "WebhookConcurrency": "4",
        "StripeBackgroundRate": "100",
        "LocalWebhooks": "true",
        "LogRetentionDays": "7",
    }
    # On AWS, whoever owns an address follows a link that SES sends there.
    client("sesv2", ports.aws_url).create_email_identity(EmailIdentity=RECEIPT_SENDER)
    wanted = hashlib.sha256((body + json.dumps(parameters)).encode()).hexdigest()[:32]
    existing = _describe(stacks)
    deployed = read_json(DEPLOYMENT_FILE)
    if existing and existing["tags"].get("made-from") == wanted and deployed:
        # The watcher may have taken up an edit that is undone by now.
        functions = client("lambda", ports.aws_url)
        for name, folder in deployed["functions"].items():
            functions.update_function_code(FunctionName=name, ZipFile=function_code(ROOT / folder))
        outputs: dict[str, str] = existing["outputs"]
        return outputs

    if not existing:
        region = {"LocationConstraint": s3.meta.region_name}
        s3.create_bucket(Bucket=ARTIFACTS, CreateBucketConfiguration=region)
    for key, content in artifacts.items():
        s3.put_object(Bucket=ARTIFACTS, Key=key, Body=content)
    s3.put_object(Bucket=ARTIFACTS, Key="template.json", Body=body.encode())
    try:
        (stacks.update_stack if existing else stacks.create_stack)(
            StackName=STACK_NAME,
            TemplateURL=f"{ports.aws_url}/{ARTIFACTS}/template.json",
            Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
            Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
            Tags=[{"Key": "made-from", "Value": wanted}],
        )
    except ClientError as error:
        if "No updates" not in str(error):
            raise LocalStackError(f"the template could not be deployed: {error}") from error
    outputs = _await(stacks)
    physical = {
        resource["LogicalResourceId"]: resource["PhysicalResourceId"]
        for resource in stacks.describe_stack_resources(StackName=STACK_NAME)["StackResources"]
    }
    processed = stacks.get_template(StackName=STACK_NAME, TemplateStage="Processed")["TemplateBody"]
    if isinstance(processed, str):
        processed = json.loads(processed)
    functions = client("lambda", ports.aws_url)
    make_routes(client("apigatewayv2", ports.aws_url), functions, processed, physical)
    settings = functions.get_function_configuration(FunctionName=physical[next(iter(sources))])
    write_json(
        DEPLOYMENT_FILE,
        {
            "apiId": physical["Api"],
            "deploymentId": settings["Environment"]["Variables"]["DEPLOYMENT_ID"],
            "functions": {physical[name]: folder for name, folder in sources.items()},
        },
    )
    return outputs


def _describe(stacks: Any) -> dict[str, Any] | None:
    """Status, tags and outputs of the stack; None if there is none."""
    for stack in stacks.describe_stacks().get("Stacks", []):
        if stack["StackName"] == STACK_NAME and stack["StackStatus"] != "DELETE_COMPLETE":
            return {
                "status": stack["StackStatus"],
                "tags": {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])},
                "outputs": {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])},
            }
    return None


def _await(stacks: Any, timeout: float = 120) -> dict[str, str]:
    """Waits for the operation's end; a failure says which resource failed and why."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        stack = _describe(stacks)
        if stack and stack["status"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            return dict(stack["outputs"])
        if stack and re.search("FAILED|ROLLBACK_COMPLETE", stack["status"]):
            reasons = [
                f"  | {event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                for event in stacks.describe_stack_events(StackName=STACK_NAME)["StackEvents"]
                if "FAILED" in event["ResourceStatus"]
            ]
            raise LocalStackError("\n".join(["the template could not be deployed:", *reasons]))
        time.sleep(0.2)
    raise LocalStackError(f"the template was not deployed within {timeout:.0f} s")


def make_routes(
    gateway: Any, functions: Any, processed: dict[str, Any], physical: dict[str, str]
) -> None:
    """Gives the API the routes of its definition, SAM's OpenAPI body, and no others."""
    api = physical["Api"]
    paths = processed["Resources"]["Api"]["Properties"]["Body"]["paths"]
    wanted: dict[str, str] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            uri = json.dumps(operation["x-amazon-apigateway-integration"]["uri"])
            found = re.search(r"\$\{(\w+)\.Arn\}", uri)
            if found is None:
                raise LocalStackError(f"can't tell which function serves {method} {path}: {uri}")
            wanted[f"{method.upper()} {path}"] = physical[found.group(1)]
    for route in gateway.get_routes(ApiId=api, MaxResults="1000")["Items"]:
        gateway.delete_route(ApiId=api, RouteId=route["RouteId"])
    for integration in gateway.get_integrations(ApiId=api, MaxResults="1000")["Items"]:
        gateway.delete_integration(ApiId=api, IntegrationId=integration["IntegrationId"])
    integrations = {}
    for name in sorted(set(wanted.values())):
        arn = functions.get_function_configuration(FunctionName=name)["FunctionArn"]
        integrations[name] = gateway.create_integration(
            ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=arn, PayloadFormatVersion="2.0"
        )["IntegrationId"]
    for key, name in wanted.items():
        gateway.create_route(ApiId=api, RouteKey=key, Target=f"integrations/{integrations[name]}")
