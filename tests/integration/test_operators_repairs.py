"""The operator mends and reports: dead letters, PDFs that are missing, lists for the books."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from paylink import cli
from paylink.operator.dead_letters import QUEUES
from tests.integration.aws import DEAD_LETTERS, PHYSICAL_IDS
from tests.integration.template import STACK_NAME
from tests.integration.test_invoices_and_downloads import never_stored
from tests.integration.test_operators_command import refused
from tests.integration.test_transactions import paid_transaction
from tests.integration.world import World


def lay_dead_letters(world: World, queue: str, *bodies: str, **how: Any) -> None:
    for body in bodies:
        world.aws.sqs.send_message(QueueUrl=PHYSICAL_IDS[queue], MessageBody=body, **how)


@pytest.fixture
def queues(world: World) -> None:
    world.dispatch()  # the rules' own queues are made with the bus
    for name in DEAD_LETTERS:
        world.aws.sqs.create_queue(QueueName=name)


@pytest.mark.usefixtures("queues")
def test_dead_letters_are_counted_and_explained(world: World) -> None:
    lay_dead_letters(world, "SurplusDeadLetters", "1", "2")
    listed = world.operator("dead-letters", "list")
    assert {name for name, queue in listed.items() if queue["messages"]} == {"surplus"}
    assert listed["surplus"]["messages"] == 2
    assert all(queue["meaning"] for queue in listed.values())


def test_every_dead_letter_queue_of_the_template_is_known(world: World) -> None:
    named = {name for name in world.template.resources if name.endswith("DeadLetters")}
    assert {f"{name}Url" for name in named} == {queue.output for queue in QUEUES.values()}
    assert named == set(DEAD_LETTERS)


def test_they_go_back_to_the_queue_that_gave_them_up(world: World) -> None:
    """As the template says of each; what the bus lost goes to the queue of its rule."""
    resources = world.template.resources
    for queue in QUEUES.values():
        name = queue.output.removesuffix("Url")
        sources = {
            other
            for other, resource in resources.items()
            if {"Fn::GetAtt": [name, "Arn"]}
            == resource["Properties"].get("RedrivePolicy", {}).get("deadLetterTargetArn")
        } | {
            target["Arn"]["Fn::GetAtt"][0]
            for resource in resources.values()
            if resource["Type"] == "AWS::Events::Rule"
            for target in resource["Properties"]["Targets"]
            if target.get("DeadLetterConfig") == {"Arn": {"Fn::GetAtt": [name, "Arn"]}}
        }
        wanted = queue.source.removesuffix("Url") if queue.source else None
        assert wanted in sources or not (wanted or sources), name


@pytest.mark.usefixtures("queues")
def test_a_replayed_payment_gets_its_invoice(world: World) -> None:
    payment = world.paid()
    world.dispatch()
    (message,) = world.aws.take_messages("invoices")
    lay_dead_letters(world, "InvoiceDeadLetters", message["Body"], message["Body"])
    answer = world.operator("dead-letters", "replay", "invoice")
    assert answer == {"queue": "invoice", "replayed": 2}
    assert world.operator("dead-letters", "list")["invoice"]["messages"] == 0
    event = world.invoice_event()
    assert len(event["Records"]) == 2
    assert world.invoke("issue_invoice", event) == {"batchItemFailures": []}
    assert world.aws.item("INVOICE#")["payment_id"] == payment["id"]


@pytest.mark.usefixtures("queues")
def test_more_than_a_batch_is_replayed(world: World) -> None:
    bodies = [str(number) for number in range(23)]
    lay_dead_letters(world, "DeliveryDeadLetters", *bodies)
    assert world.operator("dead-letters", "replay", "delivery")["replayed"] == 23
    moved = [message["Body"] for message in world.aws.take_messages("failing")]
    assert sorted(moved) == sorted(bodies)


@pytest.mark.usefixtures("queues")
def test_what_can_not_be_sent_stays_a_dead_letter(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    lay_dead_letters(world, "InvoiceDeadLetters", "1")
    world.aws.fail_once("SendMessage")
    refused(world, capsys, "dead-letters", "replay", "invoice")
    assert world.operator("dead-letters", "list")["invoice"]["messages"] == 1


@pytest.mark.usefixtures("queues")
@pytest.mark.parametrize("queue", ["dispatch", "expire", "hearing"])
def test_what_has_no_way_back_is_said(
    world: World, capsys: pytest.CaptureFixture[str], queue: str
) -> None:
    assert QUEUES[queue].meaning in refused(world, capsys, "dead-letters", "replay", queue)


def test_a_pdf_that_was_never_stored_is_made_once(world: World) -> None:
    never_stored(world)
    invoice = world.aws.item("INVOICE#")
    first = world.operator("invoices", "render", invoice["id"])
    assert (first["rendered"], first["number"]) == (True, invoice["number"])
    ((key, document),) = world.aws.objects().items()
    assert first["document"] == key
    assert document.startswith(b"%PDF")
    second = world.operator("invoices", "render", invoice["id"])
    assert second == {**first, "rendered": False}
    assert [name for name, _ in world.aws.calls].count("Invoke") == 1


def test_an_invoice_that_is_not_there_is_said(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "there is no" in refused(world, capsys, "invoices", "render", "inv_none")


def test_credit_notes_are_rendered_and_exported_for_the_books(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    payment_id, transaction_id = paid_transaction(world)
    world.refund(transaction_id, {"amount": 1500})
    world.issue_invoices()
    note = world.aws.item("CREDIT_NOTE#")
    rendered = world.operator("credit-notes", "render", note["id"])
    assert rendered == {
        "id": note["id"],
        "number": note["number"],
        "document": f"{world.seller.organization_id}/sandbox/{note['id']}.pdf",
        "rendered": False,
    }
    assert "there is no" in refused(world, capsys, "credit-notes", "render", note["invoice_id"])
    (row,) = exported(world, capsys, "credit-notes", *around_now(world))
    assert (row["number"], row["invoice number"]) == (note["number"], note["invoice_number"])
    assert (row["subtotal"], row["tax"], row["total"]) == ("12.61", "2.39", "15.00")
    assert (row["status"], row["voided"], row["payment"]) == ("issued", "", payment_id)


def exported(world: World, capsys: pytest.CaptureFixture[str], *how: str) -> list[dict[str, str]]:
    """The rows of an export of the first seller."""
    capsys.readouterr()
    thing, *more = how
    owner = (world.seller.organization_id, "--mode", "sandbox")
    assert cli.main(["--stack", STACK_NAME, thing, "export", *owner, *more]) == 0
    return list(csv.DictReader(io.StringIO(capsys.readouterr().out)))


def today(world: World, days: int = 0) -> str:
    return (world.clock() + timedelta(days=days)).date().isoformat()


def around_now(world: World) -> tuple[str, ...]:
    return ("--from", today(world, -1), "--to", today(world, 1))


def test_invoices_are_exported_for_the_books(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.paid()
    world.issue_invoices()
    invoice = world.aws.item("INVOICE#")
    (row,) = exported(world, capsys, "invoices", *around_now(world))
    assert row["number"] == invoice["number"]
    assert (row["currency"], row["subtotal"]) == ("EUR", "49.00")
    assert float(row["subtotal"]) + float(row["tax"]) == pytest.approx(float(row["total"]))
    assert row["buyer"] == "Bärbel Buyer"


def test_an_export_has_every_page_newest_first_and_no_scan(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [world.create()["id"] for _ in range(7)]
    monkeypatch.setattr("paylink.operator.exports._PAGE", 3)
    world.aws.calls.clear()
    rows = exported(world, capsys, "payments", *around_now(world))
    assert [row["payment"] for row in rows] == made[::-1]
    assert "Scan" not in {name for name, _ in world.aws.calls}


def test_days_are_the_sellers_own_and_both_count(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.operator(
        *("organizations", "update", world.seller.organization_id),
        *("--time-zone", "Pacific/Kiritimati"),
    )
    payment = world.create()
    (row,) = exported(world, capsys, "payments", *around_now(world))
    day = row["made"][:10]
    (same,) = exported(world, capsys, "payments", "--from", day, "--to", day)
    assert same["payment"] == payment["id"]
    assert row["made"].endswith("+14:00")
    for away in (-1, 1):
        other = today(world, away) if away < 0 else today(world, 2)
        assert exported(world, capsys, "payments", "--from", other, "--to", other) == []


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "  =1", '=HYPERLINK("http://x")'])
def test_a_buyers_text_is_no_formula(
    world: World, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    world.create({"description": text})
    (row,) = exported(world, capsys, "payments", *around_now(world))
    assert row["description"].startswith("'")
    assert row["description"].lstrip("'").strip() == text.strip()


def test_an_export_to_a_file_is_utf_8_that_spreadsheets_know(world: World, tmp_path: Path) -> None:
    world.create({"description": 'Größe, "M"'})
    target = tmp_path / "payments.csv"
    owner = (world.seller.organization_id, "--mode", "sandbox")
    status = cli.main(
        [
            "--stack",
            STACK_NAME,
            "payments",
            "export",
            *owner,
            *around_now(world),
            "--output",
            str(target),
        ]
    )
    assert status == 0
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    with target.open(encoding="utf-8-sig", newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["description"] == 'Größe, "M"'


def test_a_file_that_can_not_be_written_is_said(
    world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    owner = (world.seller.organization_id, "--mode", "sandbox")
    how = (*around_now(world), "--output", str(tmp_path / "none" / "payments.csv"))
    assert "payments.csv" in refused(world, capsys, "payments", "export", *owner, *how)


def test_days_in_the_wrong_order_are_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    days = ("--from", "2026-02-01", "--to", "2026-01-31")
    owner = (world.seller.organization_id, "--mode", "sandbox")
    assert "--to" in refused(world, capsys, "payments", "export", *owner, *days)


def test_an_export_of_nothing_is_its_heading(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported(world, capsys, "invoices", "--from", "2020-01-01", "--to", "2020-12-31") == []
    assert json.dumps(world.aws.items("INVOICE#")) == "[]"


@pytest.mark.parametrize("thing", ["payments", "dead-letters"])
@pytest.mark.usefixtures("queues")
def test_a_reader_who_has_enough_is_no_accident(world: World, thing: str) -> None:
    owner = (world.seller.organization_id, "--mode", "sandbox", *around_now(world))
    arguments = [thing, "list"] if thing == "dead-letters" else [thing, "export", *owner]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as output, contextlib.redirect_stdout(output):
        assert cli.main(["--stack", STACK_NAME, *arguments]) == 1
