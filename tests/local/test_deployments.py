"""What SAM makes of the template: which functions a deployment moves to a new version, and how.

SAM's translator comes with the emulator's environment; AWS runs the same.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
from graphlib import TopologicalSorter
from typing import Any

import pytest

from local.template import resources
from tests.local.stack import ROOT, Stack
from tests.template.test_template import FUNCTION, FUNCTIONS, LAYER, TEMPLATE

TRANSLATE = """
import json, sys
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
policies = {name: "arn:aws:iam::aws:policy/" + name for name in (
    "AWSLambdaBasicExecutionRole", "AWSCodeDeployRoleForLambda")}
json.dump({name: Translator(policies, Parser()).translate(template, parameters)["Resources"]
    for name, (template, parameters) in json.load(sys.stdin).items()}, sys.stdout)
"""

LIVE = {name for name, properties in FUNCTIONS.items() if "AutoPublishAlias" in properties}
CANARIES = {name for name, properties in FUNCTIONS.items() if "DeploymentPreference" in properties}

Resources = dict[str, dict[str, Any]]


def packaged(new: str = "") -> dict[str, Any]:
    """The template as `sam package` leaves it: folders are archives, one of which may be new."""
    template = copy.deepcopy(TEMPLATE)
    for kind, code in ((FUNCTION, "CodeUri"), (LAYER, "ContentUri")):
        for name, properties in resources(template, kind).items():
            properties[code] = f"s3://artifacts/{name}{'-2' if name == new else ''}"
    return template


def without_routes(template: dict[str, Any]) -> dict[str, Any]:
    """Routes take the translator seconds, and versions don't depend on them."""
    for properties in resources(template, FUNCTION).values():
        properties.pop("Events", None)
    return template


@pytest.fixture(scope="module")
def translated(stack: Stack) -> dict[str, Resources]:
    """What CloudFormation gets: of a deployment with all on, of one by default, and of those that
    follow it with one new folder."""
    given: dict[str, Any] = {"all on": (packaged(), {"Canary": "true", "Tracing": "Active"})}
    for new in ("", "PaylinkLayer", "DependenciesLayer", "PdfLayer", "CreatePayment"):
        given[new or "default"] = (without_routes(packaged(new)), {})
    done = subprocess.run(
        [str(ROOT / ".venv-emulator/bin/python"), "-c", TRANSLATE],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        env={"AWS_DEFAULT_REGION": stack.about["region"]},
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Resources] = json.loads(done.stdout)
    return found


def versions(found: Resources) -> dict[str, str]:
    """Which version's resource each function with an alias has."""
    aliases = [r["Properties"] for r in found.values() if r["Type"] == "AWS::Lambda::Alias"]
    return {a["FunctionName"]["Ref"]: a["FunctionVersion"]["Fn::GetAtt"][0] for a in aliases}


def published(translated: dict[str, Resources], new: str) -> set[str]:
    """The functions that get a new version when one folder is new."""
    before, after = versions(translated["default"]), versions(translated[new])
    return {name for name in before if before[name] != after[name]}


def test_what_takes_money_has_an_alias_and_goes_out_as_a_canary(
    translated: dict[str, Resources],
) -> None:
    assert {"CreatePayment", "StripeWebhook"} == CANARIES
    assert {*CANARIES, "ChargePayment", "PayPage"} == LIVE
    assert set(versions(translated["default"])) == LIVE


@pytest.mark.parametrize("name", sorted(LIVE))
def test_callers_reach_the_alias_and_nothing_but_it(
    translated: dict[str, Resources], name: str
) -> None:
    found = translated["all on"]
    api = json.dumps(found["Api"]["Properties"]["Body"])
    assert f"${{{name}.Arn}}" not in api
    assert f"${{{name}Aliaslive}}" in api
    allowed = [
        resource["Properties"]["FunctionName"]
        for key, resource in found.items()
        if resource["Type"] == "AWS::Lambda::Permission" and key.startswith(name)
    ]
    assert allowed
    assert all(function == {"Ref": f"{name}Aliaslive"} for function in allowed)


@pytest.mark.parametrize("layer", ["PaylinkLayer", "DependenciesLayer"])
def test_a_new_layer_alone_is_a_new_version(translated: dict[str, Resources], layer: str) -> None:
    assert published(translated, layer) == LIVE


def test_new_code_is_a_new_version_of_its_function_only(translated: dict[str, Resources]) -> None:
    assert published(translated, "CreatePayment") == {"CreatePayment"}


def test_what_a_function_does_not_use_is_no_new_version(translated: dict[str, Resources]) -> None:
    assert published(translated, "PdfLayer") == set()


@pytest.mark.parametrize("name", sorted(LIVE))
def test_another_parameter_is_a_new_version_too(
    translated: dict[str, Resources], name: str
) -> None:
    """CloudFormation replaces a version whose description changes, so that has to have every
    parameter that the function's properties depend on."""
    found = translated["default"]
    properties = json.dumps(found[name]["Properties"])
    assert "Fn::If" not in properties  # what a condition looks at would not be seen here
    used = re.findall(r'{"Ref": "(\w+)"}|\$\{(\w+)\}', properties)
    parameters = {name for pair in used for name in pair} & set(TEMPLATE["Parameters"])
    description = found[versions(found)[name]]["Properties"]["Description"]["Fn::Sub"]
    assert set(re.findall(r"\$\{(\w+)\}", description)) == parameters


def test_nothing_goes_out_as_a_canary_by_default(translated: dict[str, Resources]) -> None:
    found = translated["default"].values()
    assert not [resource for resource in found if resource["Type"].startswith("AWS::CodeDeploy")]
    assert not [resource for resource in found if "UpdatePolicy" in resource]


def test_a_canary_is_taken_back_by_the_alarms_of_its_function(
    translated: dict[str, Resources],
) -> None:
    found = translated["all on"]
    for name in CANARIES:
        group = found[f"{name}DeploymentGroup"]["Properties"]
        alarms = {alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]}
        assert alarms == {f"{name}ErrorsAlarm", f"{name}FailuresAlarm"}
        assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
        policy = found[f"{name}Aliaslive"]["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
        assert policy["DeploymentGroupName"] == {"Ref": f"{name}DeploymentGroup"}
    replaced = {key for key, resource in found.items() if "UpdatePolicy" in resource}
    assert replaced == {f"{name}Aliaslive" for name in CANARIES}


def test_no_resource_waits_for_itself(translated: dict[str, Resources]) -> None:
    """Linters see no circle that goes through the API's definition; a deployment fails by it."""
    found = translated["all on"]
    waits_for = {}
    for name, resource in found.items():
        text = json.dumps(resource)
        named = re.findall(r'"(?:Ref|DependsOn)": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)', text)
        waits_for[name] = {part for parts in named for part in parts} & set(found) - {name}
    TopologicalSorter(waits_for).prepare()


BEFORE_THE_API = {"ApiDomain", "ApiDomainMapping", "Distribution"}


def test_nothing_is_before_the_api_by_default() -> None:
    for name in ("DomainName", "CertificateArn", "WebAclArn"):
        assert TEMPLATE["Parameters"][name]["Default"] == ""
    conditional = {name for name in BEFORE_THE_API if "Condition" in TEMPLATE["Resources"][name]}
    assert conditional == BEFORE_THE_API


def test_a_domain_leads_to_the_apis_only_stage(translated: dict[str, Resources]) -> None:
    found = translated["all on"]
    stage = found[found["ApiDomainMapping"]["Properties"]["Stage"]["Ref"]]
    assert stage["Type"] == "AWS::ApiGatewayV2::Stage"
    assert stage["Properties"]["StageName"] == "$default"


def test_cloudfront_passes_on_every_request_and_every_header() -> None:
    config = TEMPLATE["Resources"]["Distribution"]["Properties"]["DistributionConfig"]
    behavior = config["DefaultCacheBehavior"]
    assert {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} <= set(behavior["AllowedMethods"])
    assert behavior["ViewerProtocolPolicy"] == "https-only"
    assert "CacheBehaviors" not in config
    # What AWS calls Managed-CachingDisabled and Managed-AllViewerExceptHostHeader.
    assert behavior["CachePolicyId"] == "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
    assert behavior["OriginRequestPolicyId"] == "b689b0a8-53d0-40ab-baf2-68738e2966ac"


def test_versions_start_from_snapshots_only_where_that_is_asked_for() -> None:
    assert TEMPLATE["Parameters"]["SnapStart"]["Default"] == "None"
    assert {name for name in FUNCTIONS if "SnapStart" in FUNCTIONS[name]} == LIVE


@pytest.mark.parametrize(("deployment", "on"), [("default", False), ("all on", True)])
def test_functions_are_traced_and_may_tell_only_where_that_is_asked_for(
    translated: dict[str, Resources], deployment: str, on: bool
) -> None:
    found = translated[deployment]
    for name in FUNCTIONS:
        assert ("TracingConfig" in found[name]["Properties"]) is on, name
        policies = found[f"{name}Role"]["Properties"]["ManagedPolicyArns"]
        assert ("xray" in json.dumps(policies).lower()) is on, name
