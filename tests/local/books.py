"""Whether what is stored and what the sandbox took say the same, whatever happened before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from paylink.domain.invoice import invoice_id_for
from tests.local.stack import Stack, wait_for

Found = dict[str, Any]


def sandbox_objects(stack: Stack, path: str, **filters: str) -> list[Found]:
    """All objects of a kind, page by page."""
    found: list[Found] = []
    query: dict[str, Any] = {"limit": 100, **filters}
    while True:
        answer = stack.sandbox.get(
            f"{stack.about['stripeUrl']}/v1/{path}", params=query, auth=("sk_test_x", "")
        )
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += page["data"]
        if not page["has_more"]:
            return found
        query["starting_after"] = page["data"][-1]["id"]


def sandbox_answers(stack: Stack) -> defaultdict[str, list[Found]]:
    """What was answered to requests for a checkout, by idempotency key, oldest first."""
    found: defaultdict[str, list[Found]] = defaultdict(list)
    path = "requests?method=POST&path=/v1/checkout/sessions&limit=1000000"
    for request in stack.control("GET", path)["requests"]:
        if request["path"] == "/v1/checkout/sessions" and request["idempotency_key"]:
            found[request["idempotency_key"]].append(request)
    return found


def _went_well(request: Found) -> bool:
    return request["status"] == 200


def _only_failures(requests: list[Found]) -> bool:
    """Asked for, done or not, and answered by an error of the provider each time."""
    return bool(requests) and all((request["status"] or 0) >= 500 for request in requests)


def await_quiet(stack: Stack, seconds: float) -> None:
    """Until the sandbox has nothing more to tell."""

    def look() -> bool:
        states = ("pending", "sending")
        return not any(
            stack.control("GET", f"deliveries?state={state}")["deliveries"] for state in states
        )

    wait_for(look, "every webhook answered with 2xx", seconds)


def check_books(stack: Stack, ids: Collection[str], seconds: float = 60) -> dict[str, Found]:
    """Waits until these payments are at rest, checks them, and returns what is stored of them."""
    await_quiet(stack, seconds)
    intents = _by_payment(sandbox_objects(stack, "payment_intents"), ids)
    sessions = _by_payment(sandbox_objects(stack, "checkout/sessions"), ids)
    paid = {id_ for id_ in ids if any(i["amount_received"] for i in intents[id_])}

    def invoiced() -> bool:
        stored = {key.rsplit("/", 1)[1] for key in stack.documents()}
        invoices = stack.items("INVOICE#")
        return paid <= {i["payment_id"] for i in invoices if f"{i['id']}.pdf" in stored}

    def returned() -> bool:
        """Money that came twice is on its way back."""
        ours = [p for p in stack.items("PAYMENT#") if p["id"] in ids]
        return all(
            {one["transaction_id"] for one in p.get("surplus", [])}
            <= {r["transaction_id"] for r in p.get("refunds", []) if r.get("provider_id")}
            for p in ours
        )

    def credited() -> bool:
        """Every refund of the invoice's money has its credit note, which is void if it failed."""
        stored = {key.rsplit("/", 1)[1] for key in stack.documents()}
        everything = stack.items("")
        notes = {i["refund_id"]: i for i in everything if i["sk"] == "CREDIT_NOTE"}
        ours = [i for i in everything if i["sk"] == "PAYMENT" and i["id"] in ids]
        return all(
            (r["id"] in notes and f"{notes[r['id']]['id']}.pdf" in stored)
            if _counts(r)
            else notes.get(r["id"], {}).get("status") != "issued"
            for payment in ours
            for r in _of_the_invoice(payment)
        )

    wait_for(invoiced, "an invoice of every paid payment", seconds)
    wait_for(returned, "the return of all that came twice", seconds)
    await_quiet(stack, seconds)
    wait_for(credited, "a credit note of every refund", seconds)
    refunds = sandbox_objects(stack, "refunds")
    asked = sandbox_answers(stack)
    everything = stack.items("")
    payments = {p["id"]: p for p in everything if p["sk"] == "PAYMENT" and p["id"] in ids}
    assert payments.keys() == set(ids)
    transactions = _by_payment_id(everything, "TRANSACTION")
    invoices = _by_payment_id(everything, "INVOICE")
    notes = _by_payment_id(everything, "CREDIT_NOTE")
    for id_, payment in payments.items():
        _check_payment(
            payment, intents[id_], sessions[id_], transactions[id_], invoices[id_], asked
        )
        _check_credit_notes(payment, notes[id_], invoices[id_])
        _check_refunds(payment, intents[id_], refunds, transactions[id_])
    _check_numbers(everything)
    return payments


def _check_payment(
    payment: Found,
    intents: list[Found],
    sessions: list[Found],
    transactions: list[Found],
    invoices: list[Found],
    asked: Mapping[str, list[Found]],
) -> None:
    told = {
        "payment": payment,
        "transactions": transactions,
        "invoices": invoices,
        "sandbox": [(i["id"], i["status"], i["amount_received"]) for i in intents],
        "sessions": [(s["id"], s["status"], s["payment_status"]) for s in sessions],
    }
    status = payment["status"]
    statuses = [entry["status"] for entry in payment["history"]]
    assert statuses[-1] == status, told
    if "succeeded" in statuses:
        rest = statuses[statuses.index("succeeded") :]
        assert set(rest) == {"succeeded"}, told
    assert statuses.count("canceled") <= 1, told

    # Money that the sandbox took is ours, attempt by attempt, and there is no other.
    took = {i["latest_charge"]: i["amount_received"] for i in intents if i["amount_received"]}
    ours = [t for t in transactions if t["status"] in {"succeeded", "refunded", "disputed"}]
    assert {t["charge_id"]: _total(t) for t in ours} == took, told
    assert len(ours) == len(took), told
    assert (status == "succeeded") == bool(took), told
    attempts = [t.get("charge_id") or t["id"] for t in transactions]
    assert len(set(attempts)) == len(attempts), told

    # One invoice for one paid payment, over the same amounts.
    assert len(invoices) == (1 if status == "succeeded" else 0), told
    for invoice in invoices:
        assert invoice["id"] == invoice_id_for(payment["id"]), told
        assert invoice["transaction_id"] in {t["id"] for t in ours}, told
        assert _amounts(invoice) == _amounts(payment), told
        assert took[payment["settlement"]["charge_id"]] == _total(payment), told

    # Nothing is left that somebody could still pay. Of a session behind a failure that the sandbox
    # replays nobody was told, so nobody can be led to it: one at most for each key of ours that got
    # nothing but failures.
    if status in {"canceled", "succeeded"}:
        left = {s["id"] for s in sessions if s["status"] == "open"}
        answers = {
            s["generation"]: asked.get(f"{payment['id']}:{s['generation']}", [])
            for s in payment.get("sessions", [])
        }
        known = {s["id"] for s in payment.get("sessions", []) if "id" in s}
        known |= {a["response"]["id"] for all_ in answers.values() for a in all_ if _went_well(a)}
        assert not known & left, told
        failed = [
            s
            for s in payment.get("sessions", [])
            if "id" not in s and s.get("ended") and _only_failures(answers[s["generation"]])
        ]
        assert len(left) <= len(failed), told
    if payment.get("kind") == "charge":
        assert {i["status"] for i in intents} <= {"succeeded", "canceled"}, told


def _check_refunds(
    payment: Found, intents: list[Found], refunds: list[Found], transactions: list[Found]
) -> None:
    """What the sandbox sent back is what we know of, once, and never more than came."""
    mine = {i["id"] for i in intents}
    made = {r["id"]: r["amount"] for r in refunds if r["payment_intent"] in mine}
    known = [r for r in payment.get("refunds", []) if r.get("provider_id")]
    told = {"payment": payment, "refunds": made, "transactions": transactions}
    assert {r["provider_id"]: int(r["amount"]) for r in known} == made, told
    assert len(known) == len(made), told
    for transaction in transactions:
        back = sum(int(r["amount"]) for r in known if r["transaction_id"] == transaction["id"])
        assert back <= _total(transaction), told
        if transaction["status"] != "disputed":
            assert (transaction["status"] == "refunded") == (0 < back == _total(transaction)), told
    surplus = {one["transaction_id"] for one in payment.get("surplus", [])}
    assert {t["id"] for t in transactions if t.get("surplus")} == surplus, told
    counted = sum(int(r["amount"]) for r in known if r["transaction_id"] not in surplus)
    assert int(payment.get("amount_refunded", 0)) == counted, told


def _check_credit_notes(payment: Found, notes: list[Found], invoices: list[Found]) -> None:
    """One for each refund of the invoice's money that took effect, over parts of the invoice."""
    refunds = {r["id"]: r for r in _of_the_invoice(payment)}
    told = {"payment": payment, "credit notes": notes, "invoices": invoices}
    assert len({note["refund_id"] for note in notes}) == len(notes), told
    assert {note["refund_id"] for note in notes} <= refunds.keys(), told
    standing = [note for note in notes if note["status"] == "issued"]
    assert {note["refund_id"] for note in standing} == {
        id_ for id_, refund in refunds.items() if _counts(refund)
    }, told
    for note in standing:
        assert _total(note) == int(refunds[note["refund_id"]]["amount"]), told
    for invoice in invoices:
        subtotals, taxes = zip(*([(0, 0)] + [_amounts(note) for note in standing]), strict=True)
        assert sum(subtotals) <= _amounts(invoice)[0], told
        assert sum(taxes) <= _amounts(invoice)[1], told
        if sum(subtotals) + sum(taxes) == _total(invoice):
            assert (sum(subtotals), sum(taxes)) == _amounts(invoice), told


def _of_the_invoice(payment: Found) -> list[Found]:
    paid = payment.get("settlement", {}).get("transaction_id")
    return [r for r in payment.get("refunds", []) if r["transaction_id"] == paid]


def _counts(refund: Found) -> bool:
    return bool(refund.get("provider_id")) and refund["status"] not in {"failed", "canceled"}


def _check_numbers(everything: list[Found]) -> None:
    """Each series is 1, 2, 3 … without a gap, up to the last number given."""
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for item in everything:
        if item["sk"] in {"INVOICE", "CREDIT_NOTE"}:
            _, year, sequence = item["number"].split("-")
            series = (item["organization_id"], item["mode"], item["sk"].lower(), year)
            numbers["#".join(("NUMBERS", *series))].append(int(sequence))
    given = {i["pk"]: int(i["taken"]) for i in everything if i["sk"] == "NUMBERS"}
    assert given == {series: len(taken) for series, taken in numbers.items()}
    for series, taken in numbers.items():
        assert sorted(taken) == list(range(1, len(taken) + 1)), series


def _amounts(item: Found) -> tuple[int, int]:
    return int(item["amount_subtotal"]), int(item.get("tax_amount", 0))


def _total(item: Found) -> int:
    return sum(_amounts(item))


def _by_payment(objects: list[Found], ids: Collection[str]) -> defaultdict[str, list[Found]]:
    """The sandbox's objects by the payment that is marked on them."""
    found: defaultdict[str, list[Found]] = defaultdict(list)
    for one in objects:
        payment_id = one["metadata"].get("payment_id")
        if payment_id in ids:
            found[payment_id].append(one)
    return found


def _by_payment_id(items: list[Found], kind: str) -> defaultdict[str, list[Found]]:
    found: defaultdict[str, list[Found]] = defaultdict(list)
    for item in items:
        if item["sk"] == kind:
            found[item["payment_id"]].append(item)
    return found
