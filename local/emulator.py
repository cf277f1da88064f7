"""Starts the AWS emulator, MiniStack, with eleven behaviours that the stack needs and it lacks.

Run by the emulator's own environment, whose version is pinned: this reaches into it.

It takes a function's answer to a batch of stream records as success even if it names failed
records (`batchItemFailures`), and goes on: those events would be lost. AWS tries again from the
first failed record; here the whole batch is tried again, which consumers must bear anyway, since
delivery is at least once.

It restores how far a stream was read, but not the stream: after a restart it would wait for as many
new records as it had read before. It begins anew instead.

It knows a queue by its address, port included: after a restart on another port it would read none.
Restored queues get the present port.

It speaks plain http on this machine's loopback, which the bucket's policy refuses. The policy stays
as it will be on AWS; requests count as encrypted (`aws:SecureTransport`).

It starts a function's process with the first call. Seven of them in a row take seconds from a first
payment; so one process of each is started beforehand, and again when its code has changed.

It asks for the right to send mail as anybody. Here it is the right to send as the identity that the
mail is from, as on AWS.

It keeps subject and texts of a mail and shows them as JSON: `local.mailbox` keeps all of it and has
pages.

And it is where a function's writes meet the trouble that tests make (`local.faults`).

Its CloudFormation leaves a parameter's number a text, and its poller of queues stops at one. How
many runs a queue may have at a time is made a number again.

It gives a function ten messages at a time at the most, also where the template says more.

It wants a right of its own for sending many messages at once. AWS has none: who may send one may
send many.
"""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ministack import app
from ministack.core import iam_actions, lambda_runtime
from ministack.services import lambda_svc, ses, ses_v2, sqs

from local import mailbox
from local.faults import Faults

_execute = lambda_svc._execute_function
_load_persisted_state = lambda_svc.load_persisted_state
_load_queues = sqs.load_persisted_state
_receive_ten = sqs._receive_messages_for_esm
_ses_resource = iam_actions._ses_v2_resource_arn
_extract_iam_action = iam_actions.extract_iam_action
_concurrency = lambda_svc._sqs_esm_concurrency
_pin_request_origin = app.pin_request_origin


def execute_and_see_partial_failures(func: dict[str, Any], event: Any) -> Any:
    result = _execute(func, event)
    records = event.get("Records") if isinstance(event, dict) else None
    if not records or records[0].get("eventSource") != "aws:dynamodb" or result.get("error"):
        return result
    body = result.get("body")
    if isinstance(body, dict) and body.get("batchItemFailures"):
        return {**result, "error": True, "body": {"errorMessage": f"failed: {body}"}}
    return result


def load_without_stream_positions(data: dict[str, Any]) -> None:
    _load_persisted_state({**data, "dynamodb_stream_positions": {}})


def load_queues_at_this_port(data: dict[str, Any]) -> None:
    _load_queues(data)
    queues = sqs._queues._data
    for (account, region, url), queue in list(queues.items()):
        del queues[account, region, url]
        queue["url"] = sqs._queue_url_for_account(account, queue["name"])
        queues[account, region, queue["url"]] = queue
    sqs._rebuild_queue_name_index()


def action_as_aws_names_it(*request: Any) -> str | None:
    action = _extract_iam_action(*request)
    return "sqs:SendMessage" if action == "sqs:SendMessageBatch" else action


def concurrency_as_number(esm: dict[str, Any], *others: Any) -> int:
    scaling = esm.get("ScalingConfig") or {}
    if "MaximumConcurrency" in scaling:
        esm = {**esm, "ScalingConfig": {"MaximumConcurrency": int(scaling["MaximumConcurrency"])}}
    return int(_concurrency(esm, *others))


def receive_as_many(queue_url: str, wanted: int) -> list[Any]:
    received: list[Any] = []
    while len(received) < wanted:
        more = _receive_ten(queue_url, wanted - len(received))
        if not more:
            break
        received += more
    return received


def pin_as_encrypted(address: str, _encrypted: bool) -> None:
    _pin_request_origin(address, True)


def name_the_sender(method: str, path: str, body: bytes, region: str, account: str) -> str:
    if not path.rstrip("/").endswith("/outbound-emails"):
        return str(_ses_resource(method, path, body, region, account))
    sender = json.loads(body)["FromEmailAddress"]
    return f"arn:aws:ses:{region}:{account}:identity/{sender}"


def all_mails() -> list[dict[str, Any]]:
    """Of every region and account: a browser is of none."""
    return [record for records in ses._sent_emails.to_dict().values() for record in records]


def start_process(func: dict[str, Any]) -> None:
    config = func["config"]
    worker, _ = lambda_runtime.acquire_worker(config["FunctionName"], config, func["code_zip"])
    try:
        lambda_runtime.ensure_spawned(worker)
    except Exception as error:  # the first call will meet the same, and report it
        print(f"{config['FunctionName']} can't start: {error}", flush=True)
    finally:
        lambda_runtime.release_worker(worker)


def keep_processes_ready() -> None:
    """Once for each revision of each function, as soon as it may be called."""
    started = set()
    with ThreadPoolExecutor(2) as pool:
        while True:
            for func in list(lambda_svc._functions._data.values()):
                config = func["config"]
                revision = (config["FunctionName"], config["RevisionId"])
                if config["State"] == "Active" and revision not in started:
                    started.add(revision)
                    pool.submit(start_process, func)
            time.sleep(0.2)


if __name__ == "__main__":
    lambda_svc._execute_function = execute_and_see_partial_failures
    lambda_svc.load_persisted_state = load_without_stream_positions
    sqs.load_persisted_state = load_queues_at_this_port
    sqs._receive_messages_for_esm = receive_as_many
    iam_actions._ses_v2_resource_arn = name_the_sender
    lambda_svc._sqs_esm_concurrency = concurrency_as_number
    iam_actions.extract_iam_action = action_as_aws_names_it
    app.pin_request_origin = pin_as_encrypted
    ses_v2.handle_request = mailbox.keeping_raw(ses_v2.handle_request, ses._sent_emails_list)
    app._handle_ses_messages_request = mailbox.with_pages(
        app._handle_ses_messages_request, all_mails
    )
    app.app = Faults(app.app)
    threading.Thread(target=keep_processes_ready, daemon=True).start()
    app.main()
