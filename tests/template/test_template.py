"""The template keeps promises that no linter knows: nothing is lost, nothing may do too much."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.template import load, resources
from paylink.adapters import aws, webhook_http
from paylink.domain import events, webhook_events
from paylink.metrics import METRICS, SWEEP_BACKLOG
from paylink.services.send_document import CLAIM

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = load(ROOT / "template.yaml")
FUNCTION, LAYER = "AWS::Serverless::Function", "AWS::Serverless::LayerVersion"
QUEUE, ALARM = "AWS::SQS::Queue", "AWS::CloudWatch::Alarm"
SOURCE, RULE = "AWS::Lambda::EventSourceMapping", "AWS::Events::Rule"
ROLE_GLOBALS = TEMPLATE["Globals"]["Function"]

FUNCTIONS = resources(TEMPLATE, FUNCTION)
QUEUES = resources(TEMPLATE, QUEUE)

# Actions that AWS defines for all resources at once.
UNRESTRICTABLE = {"dynamodb:ListStreams"}


def as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def named(reference: object) -> str:
    """The logical id that a reference leads to."""
    if isinstance(reference, dict):
        if "Ref" in reference:
            return str(reference["Ref"])
        if "Fn::GetAtt" in reference:
            return str(reference["Fn::GetAtt"][0])
    return str(reference)


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, properties in FUNCTIONS.items():
        for policy in properties.get("Policies", []):
            assert isinstance(policy, dict), f"{name}: a managed policy says too much: {policy}"
            for statement in policy["Statement"]:
                yield name, statement


def asynchronous_functions() -> dict[str, str]:
    """Functions that nobody waits for, and the queue where their failures end up."""
    found: dict[str, str] = {}
    for properties in resources(TEMPLATE, SOURCE).values():
        function = named(properties["FunctionName"])
        source = named(properties["EventSourceArn"])
        if source in QUEUES:
            target = QUEUES[source].get("RedrivePolicy", {}).get("deadLetterTargetArn", "")
        else:
            target = properties.get("DestinationConfig", {}).get("OnFailure", {}).get(
                "Destination", ""
            )  # fmt: skip
        found[function] = named(target)
    for function, properties in FUNCTIONS.items():
        kinds = {event["Type"] for event in properties.get("Events", {}).values()}
        if kinds - {"HttpApi"}:
            config = properties.get("EventInvokeConfig", {}).get("DestinationConfig", {})
            found[function] = named(config.get("OnFailure", {}).get("Destination", ""))
    return found


def test_every_folder_of_functions_is_deployed() -> None:
    folders = {f"functions/{file.parent.name}/" for file in (ROOT / "functions").glob("*/app.py")}
    assert {properties["CodeUri"] for properties in FUNCTIONS.values()} == folders


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_has_a_log_group_that_forgets(name: str) -> None:
    properties = FUNCTIONS[name]
    group = TEMPLATE["Resources"][named(properties["LoggingConfig"]["LogGroup"])]
    assert group["Type"] == "AWS::Logs::LogGroup"
    assert group["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    suffix = properties["FunctionName"]["Fn::Sub"]
    assert group["Properties"]["LogGroupName"]["Fn::Sub"] == f"/aws/lambda/{suffix}"


def test_functions_log_json_of_which_nothing_of_their_own_is_held_back() -> None:
    """A metric is a line without a level, which counts as INFO."""
    assert ROLE_GLOBALS["LoggingConfig"] == {
        "LogFormat": "JSON",
        "SystemLogLevel": {"Ref": "SystemLogLevel"},
        "ApplicationLogLevel": "INFO",
    }
    for properties in FUNCTIONS.values():
        assert properties["LoggingConfig"].keys() == {"LogGroup"}
    assert "DEBUG" not in TEMPLATE["Parameters"]["LogLevel"]["AllowedValues"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_function_runs_on_the_parameterised_runtime_and_architecture(name: str) -> None:
    assert "Runtime" not in FUNCTIONS[name]
    assert "Architectures" not in FUNCTIONS[name]
    assert ROLE_GLOBALS["Runtime"] == {"Ref": "Runtime"}
    assert ROLE_GLOBALS["Architectures"] == [{"Ref": "Architecture"}]


@pytest.mark.parametrize("name", [*resources(TEMPLATE, LAYER), *FUNCTIONS])
def test_artifact_is_made_for_the_runtime_and_architecture(name: str) -> None:
    metadata = TEMPLATE["Resources"][name]["Metadata"]
    assert metadata == {
        "BuildMethod": "makefile",
        "ContextPath": {"Fn::Sub": "tools/artifact/${Runtime}/${Architecture}"},
    }


def test_makefile_of_every_runtime_and_architecture_is_there() -> None:
    parameters = TEMPLATE["Parameters"]
    for runtime in parameters["Runtime"]["AllowedValues"]:
        for architecture in parameters["Architecture"]["AllowedValues"]:
            assert (ROOT / "tools/artifact" / runtime / architecture / "Makefile").is_file()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_caller_gets_our_answer_and_not_the_gateways(name: str) -> None:
    timeout = FUNCTIONS[name].get("Timeout", ROLE_GLOBALS["Timeout"])
    if any(event["Type"] == "HttpApi" for event in FUNCTIONS[name].get("Events", {}).values()):
        assert timeout < 30


def test_what_serves_logos_reaches_nothing_else() -> None:
    (statement,) = (statement for name, statement in statements() if name == "Logos")
    assert statement == {
        "Effect": "Allow",
        "Action": "s3:GetObject",
        "Resource": {"Fn::Sub": "${InvoiceBucket.Arn}/logos/*"},
    }


def test_asynchronous_functions_are_those_known() -> None:
    # A new one belongs here, and then has to pass the next test.
    assert set(asynchronous_functions()) == {
        "DispatchEvents",
        "IssueInvoice",
        "SendMails",
        "ReturnSurplus",
        "ExpireLinks",
        "HearUndelivered",
        "FanOutEvent",
        "DeliverWebhooks",
    }


@pytest.mark.parametrize("name", asynchronous_functions())
def test_asynchronous_function_has_a_dead_letter_queue(name: str) -> None:
    assert asynchronous_functions()[name] in QUEUES


def test_no_queue_can_take_all_of_the_accounts_concurrent_runs() -> None:
    for name, source in resources(TEMPLATE, SOURCE).items():
        if named(source["EventSourceArn"]) in QUEUES:
            most = source["ScalingConfig"]["MaximumConcurrency"]
            most = TEMPLATE["Parameters"][most["Ref"]]["Default"] if "Ref" in str(most) else most
            assert 2 <= most <= 10, name


def test_a_run_of_webhooks_finds_a_connection_and_a_resolver_for_each_call() -> None:
    batches = {
        named(source["EventSourceArn"]): source["BatchSize"]
        for source in resources(TEMPLATE, SOURCE).values()
        if named(source["FunctionName"]) == "DeliverWebhooks"
    }
    assert batches == {"PromptQueue": 10, "SlowQueue": 50, "FailingQueue": 50}
    assert max(batches.values()) <= aws._CONFIG.max_pool_connections  # type: ignore[attr-defined]
    # Names that nobody resolves are given up after four seconds, and by the system after twenty.
    assert max(batches.values()) * 5 <= webhook_http._RESOLVERS


def test_the_gateway_lets_through_what_the_parameters_say() -> None:
    settings = TEMPLATE["Resources"]["Api"]["Properties"]["DefaultRouteSettings"]
    assert settings == {
        "ThrottlingRateLimit": {"Ref": "ApiRequestsPerSecond"},
        "ThrottlingBurstLimit": {"Ref": "ApiBurst"},
    }


def test_background_work_leaves_callers_most_of_what_the_provider_allows() -> None:
    # 100 calls a second to an account, 25 to one endpoint; two functions of which one run each.
    each = TEMPLATE["Parameters"]["StripeBackgroundRate"]["Default"]
    assert 2 * each <= 100 / 4
    assert 2 * each < 25


def test_every_rule_target_has_a_dead_letter_queue() -> None:
    for name, rule in resources(TEMPLATE, RULE).items():
        for target in rule["Targets"]:
            assert named(target.get("DeadLetterConfig", {}).get("Arn")) in QUEUES, name


def dead_letter_queues() -> set[str]:
    rules = resources(TEMPLATE, RULE).values()
    targets = [target for rule in rules for target in rule["Targets"]]
    return {
        *asynchronous_functions().values(),
        *(named(target["DeadLetterConfig"]["Arn"]) for target in targets),
    }


@pytest.mark.parametrize("queue", sorted(dead_letter_queues()))
def test_dead_letter_queue_keeps_for_two_weeks_and_raises_an_alarm(queue: str) -> None:
    assert QUEUES[queue]["MessageRetentionPeriod"] == 14 * 24 * 3600
    watched = [
        alarm
        for alarm in resources(TEMPLATE, ALARM).values()
        if queue in {named(d["Value"]) for d in alarm.get("Dimensions", [])}
        and alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"
    ]
    assert watched
    assert (watched[0]["Threshold"], watched[0]["ComparisonOperator"]) == (
        0,
        "GreaterThanThreshold",
    )


@pytest.mark.parametrize("name", resources(TEMPLATE, ALARM))
def test_alarm_reaches_somebody_if_an_address_is_given(name: str) -> None:
    actions = TEMPLATE["Resources"][name]["Properties"]["AlarmActions"]
    assert actions["Fn::If"][:2] == ["HasAlarmEmail", [{"Ref": "AlarmTopic"}]]


def test_stream_filters_look_at_values_and_not_at_maps_or_lists() -> None:
    # Like {"outbox": {"S": [{"exists": true}]}}; on a list it would match nothing.
    for source in resources(TEMPLATE, SOURCE).values():
        for criterion in source.get("FilterCriteria", {}).get("Filters", []):
            image = json.loads(criterion["Pattern"])["dynamodb"]["NewImage"]
            for attribute in image.values():
                assert set(attribute) <= {"S", "N", "BOOL"}


def test_every_queue_is_used() -> None:
    assert set(QUEUES) == dead_letter_queues() | {
        "InvoiceQueue",
        "MailQueue",
        "SurplusQueue",
        "WebhookQueue",
        "PromptQueue",
        "SlowQueue",
        "FailingQueue",
    }


@pytest.mark.parametrize("index", range(len(list(statements()))))
def test_policy_has_no_wildcard(index: int) -> None:
    name, statement = list(statements())[index]
    actions = as_list(statement["Action"])
    assert not any("*" in action for action in actions), f"{name}: {actions}"
    for resource in as_list(statement["Resource"]):
        if resource == "*":
            assert set(actions) <= UNRESTRICTABLE, f"{name}: {actions}"
        else:
            # One of ours, by reference; a star only for what is within it.
            text = json.dumps(resource)
            assert re.search(r"Fn::GetAtt|\$\{[A-Za-z:]+(\.Arn)?\}", text), f"{name}: {resource}"
            assert text.count("*") <= 1, f"{name}: {resource}"
            assert "*" not in text or text.rstrip('"}').endswith("/*"), f"{name}: {resource}"


def test_roles_are_not_widened_behind_the_policies() -> None:
    for name, properties in FUNCTIONS.items():
        assert not {"Role", "Connectors", "VpcConfig"} & set(properties), name
        # SAM would add managed policies for these, with every stream or queue as resource.
        kinds = {event["Type"] for event in properties.get("Events", {}).values()}
        assert kinds <= {"HttpApi", "Schedule"}, name


def test_only_functions_that_need_secrets_may_read_them() -> None:
    readers = {name for name, s in statements() if "ssm:GetParameter" in as_list(s["Action"])}
    assert readers == {
        "CreatePayment",
        "ChargePayment",
        "Payments",
        "Customers",
        "PaymentMethods",
        "EraseCustomer",
        "Transactions",
        "Invoices",
        "CreditNotes",
        "SendInvoice",
        "SendMails",
        "ApiKeys",
        "WebhookEndpoints",
        "WebhookDeliveries",
        "WebhookSetup",
        "DeliverWebhooks",
        "PayPage",
        "StripeWebhook",
        "ReturnSurplus",
        "ExpireLinks",
        "HearUndelivered",
    }


def test_no_secret_is_an_environment_variable_or_a_parameter() -> None:
    variables = {
        variable
        for properties in [ROLE_GLOBALS, *FUNCTIONS.values()]
        for variable in properties.get("Environment", {}).get("Variables", {})
    }
    names = variables | set(TEMPLATE["Parameters"])
    secretive = re.compile("secret|key|token|password", re.IGNORECASE)
    assert {name for name in names if secretive.search(name)} == {"SECRETS_PREFIX"}


@pytest.mark.parametrize("name", ["Table", "InvoiceBucket"])
def test_data_outlives_the_stack(name: str) -> None:
    resource = TEMPLATE["Resources"][name]
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_table_can_be_restored_and_announces_changes() -> None:
    table = TEMPLATE["Resources"]["Table"]["Properties"]
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_invoices_are_private_and_only_read_over_tls() -> None:
    bucket = TEMPLATE["Resources"]["InvoiceBucket"]["Properties"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    [statement] = TEMPLATE["Resources"]["InvoiceBucketPolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


@pytest.mark.parametrize(
    ("parameter", "function"),
    [
        ("InvoiceRetrySeconds", "IssueInvoice"),
        ("MailRetrySeconds", "SendMails"),
        ("SurplusRetrySeconds", "ReturnSurplus"),
        ("WebhookRetrySeconds", "FanOutEvent"),
        ("WebhookRetrySeconds", "DeliverWebhooks"),
    ],
)
def test_a_message_is_tried_again_only_after_its_function_has_ended(
    parameter: str, function: str
) -> None:
    # AWS asks for six times the function's time-out.
    delay = TEMPLATE["Parameters"][parameter]["Default"]
    assert delay >= 6 * FUNCTIONS[function]["Timeout"]


def test_the_operators_command_marks_things_as_the_functions_do() -> None:
    variable = ROLE_GLOBALS["Environment"]["Variables"]["DEPLOYMENT_ID"]
    assert TEMPLATE["Outputs"]["DeploymentId"]["Value"] == variable


def test_mail_goes_out_as_the_given_sender_only() -> None:
    senders = {n: s for n, s in statements() if "ses:SendEmail" in as_list(s["Action"])}
    assert set(senders) == {"SendInvoice", "SendMails"}
    for statement in senders.values():
        address, domain = (resource["Fn::Sub"] for resource in statement["Resource"])
        assert address.endswith(":identity/${ReceiptSender}")
        assert domain[0].endswith(":identity/${Domain}")


def test_a_receipts_claim_is_over_before_it_is_tried_again() -> None:
    claim = CLAIM.total_seconds()
    assert FUNCTIONS["SendMails"]["Timeout"] < claim
    assert claim < TEMPLATE["Parameters"]["MailRetrySeconds"]["Default"]


def test_nothing_of_the_local_stack_alone_is_on_by_default() -> None:
    parameters = TEMPLATE["Parameters"]
    assert parameters["LocalWebhooks"]["Default"] == "false"
    waits = [int(seconds) for seconds in parameters["WebhookWaits"]["Default"].split(",")]
    assert waits == [60, 300, 900, 1800, 3600, 3600, 3600]


@pytest.mark.parametrize(
    ("name", "module"),
    [
        ("CreatePaymentFailed", "http/api"),
        ("StripeWebhookFailed", "http/api"),
    ],
)
def test_the_line_that_an_alarm_counts_is_the_line_that_is_logged(name: str, module: str) -> None:
    pattern = TEMPLATE["Resources"][name]["Properties"]["FilterPattern"]
    (line,) = re.findall(r'"(.+)"', pattern)
    source = ROOT / f"layers/paylink/paylink/{module}.py"
    assert re.search(rf'logger\.(error|exception)\(\s*"{re.escape(line)}"', source.read_text())


def counted_lines() -> set[str]:
    """Metrics that CloudWatch makes of log lines by itself."""
    filters = resources(TEMPLATE, "AWS::Logs::MetricFilter").values()
    return {f["MetricTransformations"][0]["MetricName"] for f in filters}


@pytest.mark.parametrize("name", resources(TEMPLATE, ALARM))
def test_alarm_looks_at_a_metric_that_somebody_emits(name: str) -> None:
    alarm = resources(TEMPLATE, ALARM)[name]
    dimensions = {d["Name"]: d["Value"] for d in alarm.get("Dimensions", [])}
    metric = alarm["MetricName"]
    if alarm["Namespace"] != {"Ref": "AWS::StackName"}:
        assert alarm["Namespace"].startswith("AWS/")
        return
    assert metric in METRICS.keys() | counted_lines()
    assert tuple(dimensions) == (METRICS[metric].dimensions if metric in METRICS else ())
    assert dimensions.get("mode", "live") == "live"


@pytest.mark.parametrize("name", resources(TEMPLATE, ALARM))
def test_alarm_takes_silence_for_what_it_is(name: str) -> None:
    """Nothing to count is fine; only of what is told every minute silence is bad news."""
    alarm = resources(TEMPLATE, ALARM)[name]
    told_each_minute = alarm["MetricName"] == SWEEP_BACKLOG.name
    assert alarm["TreatMissingData"] == ("breaching" if told_each_minute else "notBreaching")


def test_the_namespace_of_alarms_is_the_one_that_functions_emit_to() -> None:
    variables = ROLE_GLOBALS["Environment"]["Variables"]
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == {"Ref": "AWS::StackName"}


def test_the_dashboard_shows_every_metric_of_ours_and_all_dead_letters() -> None:
    text = TEMPLATE["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    body = json.loads(text)
    shown = [metric for w in body["widgets"] for metric in w["properties"]["metrics"]]
    ours = {metric[1] for metric in shown if metric[0] == "${AWS::StackName}"}
    searched = set(re.findall(r'MetricName="(\w+)"', str(shown)))
    assert ours | searched == METRICS.keys()
    for metric in shown:
        if metric[0] == "${AWS::StackName}":
            assert tuple(metric[2:-1:2] if len(metric) > 3 else ()) == METRICS[metric[1]].dimensions
    for queue in dead_letter_queues():
        assert f"${{{queue}.QueueName}}" in text
    known = TEMPLATE["Resources"].keys() | {"AWS::StackName", "AWS::Region"}
    assert {name.split(".")[0] for name in re.findall(r"\$\{([^}]+)\}", text)} <= known


def test_tracing_is_a_parameter_that_is_off() -> None:
    # SAM reads the parameter's value itself, and adds mode and permissions only where it is on.
    assert ROLE_GLOBALS["Tracing"] == {"Ref": "Tracing"}
    assert not any("Tracing" in properties for properties in FUNCTIONS.values())
    parameter = TEMPLATE["Parameters"]["Tracing"]
    assert (parameter["Default"], parameter["AllowedValues"]) == (
        "Disabled",
        ["Disabled", "Active"],
    )


def test_every_event_that_webhooks_tell_of_has_a_way_to_them() -> None:
    pattern = TEMPLATE["Resources"]["WebhookRule"]["Properties"]["EventPattern"]
    told = {rule.source for rule in webhook_events.RULES}
    assert set(pattern["detail-type"]) == {*told, events.WEBHOOK_DELIVERY_RESENT}
    assert pattern["detail"] == {"webhooks": [True, {"exists": False}]}
