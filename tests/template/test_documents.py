"""What the documents for operators promise is there: alarms, commands, parameters and tests."""

from __future__ import annotations

import re
import shlex

import pytest
from botocore import xform_name
from botocore.session import Session

from paylink import cli
from paylink.adapters.stripe.webhook import EVENT_TYPES
from tests.template.test_template import ALARM, ROOT, TEMPLATE, resources

DEPLOY = (ROOT / "docs" / "deploy.md").read_text("utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
SECURITY = (ROOT / "docs" / "security.md").read_text("utf-8")
README = (ROOT / "README.md").read_text("utf-8")

# As code in a sentence or as a line of a block, with its variables before it.
COMMAND = re.compile(
    r"(?:^|`)(?:[A-Z_]+=\S+ )*paylink ((?:[a-z-]+ )[^`\n]*?)(?:  +#.*)?(?:`|$)", re.M
)


@pytest.mark.parametrize("alarm", sorted(resources(TEMPLATE, ALARM)))
def test_every_alarm_has_its_line_in_the_runbook(alarm: str) -> None:
    lines = re.findall(rf"^\| `{alarm}` \| (.+) \|$", OPERATIONS, re.M)
    assert len(lines) == 1


def test_the_runbook_names_no_alarm_that_is_gone() -> None:
    assert set(re.findall(r"`(\w+Alarm)`", OPERATIONS)) == set(resources(TEMPLATE, ALARM))


def test_every_parameter_is_explained() -> None:
    rows = re.findall(r"^\| (`.+?) \|", DEPLOY, re.M)
    explained = [name for row in rows for name in row.split(", ")]
    assert {name.strip("`") for name in explained} == set(TEMPLATE["Parameters"])


COMMANDS = sorted({line for page in (DEPLOY, OPERATIONS) for line in COMMAND.findall(page)})


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_that_is_told_can_be_given(line: str) -> None:
    arguments = ["x" if word == "…" else word for word in shlex.split(line)]
    assert cli.parser().parse_args(arguments).run


def test_many_commands_are_told() -> None:
    assert len(COMMANDS) > 15


def test_every_test_of_the_threat_model_exists() -> None:
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", SECURITY)
    assert len(named) > 40
    for file, test in named:
        text = (ROOT / "tests" / file).read_text("utf-8")
        assert re.search(rf"^def {test}\(", text, re.M), f"{file}::{test}"


# Beside what an operation takes, and what AWS's command itself does with an answer.
GENERAL_OPTIONS = {"query", "output", "region", "cli-binary-format"}


def aws_commands() -> list[str]:
    """Each of AWS's command line, a long one in one piece."""
    text = (DEPLOY + OPERATIONS).replace("\\\n", " ")
    found = re.findall(r"(?:^|`|\$\()aws ([a-z][a-z0-9]+ [a-z-]+(?:(?!  +#)[^`\n])*)", text, re.M)
    return sorted({command for command in found if not command.startswith("s3 ")})


@pytest.mark.parametrize("command", aws_commands())
def test_a_command_of_aws_that_is_told_has_an_operation_with_these_parameters(
    command: str,
) -> None:
    service, name, *rest = command.split()
    service = {"deploy": "codedeploy", "s3api": "s3"}.get(service, service)
    model = Session().get_service_model(service)
    operations = {xform_name(one, "-"): one for one in model.operation_names}
    if name == "wait":
        waiters = Session().get_waiter_model(service)
        waiting = {xform_name(one, "-"): one for one in waiters.waiter_names}
        operation = model.operation_model(waiters.get_waiter(waiting[rest[0]]).operation)
    else:
        operation = model.operation_model(operations[name])
    assert operation.input_shape is not None
    members = operation.input_shape.members
    known = {xform_name(member, "-") for member in members}
    known |= {f"no-{xform_name(m, '-')}" for m, of in members.items() if of.type_name == "boolean"}
    options = set(re.findall(r" --([a-z0-9-]+)", command)) - GENERAL_OPTIONS
    assert options <= known
    required = {xform_name(member, "-") for member in operation.input_shape.required_members}
    assert required <= options


def test_the_events_of_an_endpoint_made_by_hand_are_those_that_are_handled() -> None:
    (block,) = re.findall(r"and its events are these:\n\n```\n(.+?)```", DEPLOY, re.S)
    assert set(block.split()) == EVENT_TYPES


@pytest.mark.parametrize("page", ["deploy", "operations", "security"])
def test_the_readme_leads_there(page: str) -> None:
    assert f"(docs/{page}.md)" in README
