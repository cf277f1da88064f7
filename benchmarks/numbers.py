"""How often fifty issuers at once have to try for invoice numbers of one series: `make numbers`.

On the emulator of a running local stack, whose table really runs these writes side by side. Its
times mean nothing for AWS; how the ways compare, and the tries for a number, do.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import table
from local.settings import client, read_json
from paylink.adapters.dynamodb.invoices import DynamoInvoices
from paylink.adapters.dynamodb.organizations import DynamoOrganizations
from paylink.adapters.dynamodb.payments import DynamoPayments
from paylink.adapters.dynamodb.table import Table
from paylink.adapters.s3 import S3Invoices
from paylink.domain.customer import Buyer, PaymentMethod
from paylink.domain.ids import new_id
from paylink.domain.invoice import announcement, issue, series_year
from paylink.domain.organization import Address, Organization
from paylink.domain.payment import LineItem, Payment, Settlement
from paylink.domain.tax import TaxLine
from paylink.ports import IssuedInvoice, NumbersConflictError
from paylink.services.issue_invoice import IssuePorts, number_invoices

ISSUERS = 50


@dataclass(frozen=True)
class Series:
    """A seller of its own for each way, so that each begins at number one."""

    seller: Organization
    ports: IssuePorts

    def paid(self) -> Payment:
        now = datetime.now(UTC)
        payment = Payment(
            id=new_id("pay"),
            organization_id=self.seller.id,
            mode="sandbox",
            kind="link",
            status="succeeded",
            amount_subtotal=4900,
            tax_amount=931,
            currency="eur",
            line_items=(LineItem("Consulting, one hour", 4900),),
            created_at=now,
            updated_at=now,
            created_by="benchmark",
            paid_at=now,
            settlement=Settlement(
                transaction_id=new_id("txn"),
                session_id=new_id("cs"),
                payment_intent_id=new_id("pi"),
                charge_id=new_id("ch"),
                buyer=Buyer("buyer@customer.example", "Bea Buyer", Address("DE")),
                tax_lines=(TaxLine("VAT", "19", 4900, 931),),
                payment_method=PaymentMethod("key", "pm", "card", "visa", "4242"),
            ),
        )
        self.ports.payments.add(payment, None)
        return payment

    def issued(self) -> int:
        last = self.ports.invoices.next_sequence(
            self.seller.id, "sandbox", series_year(self.seller, datetime.now(UTC))
        )
        return last - 1


def plainly(payments: Sequence[Payment], series: Series) -> None:
    """Read the counter, count up, write if nobody did meanwhile, else again at once."""
    for payment in payments:
        while True:
            now = datetime.now(UTC)
            year = series_year(series.seller, now)
            number = series.ports.invoices.next_sequence(series.seller.id, "sandbox", year)
            invoice = issue(payment, series.seller, year, number, now)
            new = IssuedInvoice(invoice, announcement(invoice, payment))
            try:
                series.ports.invoices.add([new], year, number)
            except NumbersConflictError:
                continue
            break


def one_by_one(payments: Sequence[Payment], series: Series) -> None:
    for payment in payments:
        together([payment], series)


def together(payments: Sequence[Payment], series: Series) -> None:
    """Again and again, as the queue would come."""
    while not number_invoices([payment.id for payment in payments], series.ports):
        continue


WAYS: tuple[tuple[str, Callable[[Sequence[Payment], Series], None], int], ...] = (
    ("read, count up, try again at once", plainly, 1),
    ("a number a write, tried again after a random while", one_by_one, 1),
    ("ten numbers a write, as the queue brings them", together, 10),
)


def measure(dynamodb: Any, name: str) -> list[list[str]]:
    tries = itertools.count()

    def count_try(**_: Any) -> None:
        next(tries)

    dynamodb.meta.events.register("before-send.dynamodb.TransactWriteItems", count_try)
    rows = []
    for way, run, each in WAYS:
        series = _series(Table(dynamodb, name))
        batches = [[series.paid() for _ in range(each)] for _ in range(ISSUERS)]
        begun, before = time.monotonic(), next(tries)
        with ThreadPoolExecutor(ISSUERS) as pool:
            list(pool.map(run, batches, [series] * ISSUERS))
        seconds, tried = time.monotonic() - begun, next(tries) - before - 1
        count = ISSUERS * each
        if series.issued() != count:
            raise RuntimeError(f"{way}: {series.issued()} numbers for {count} payments")
        rows.append([way, str(count), f"{tried / count:.2f}", f"{count / seconds:.0f}"])
    return rows


def _series(store: Table) -> Series:
    seller = Organization(new_id("org"), "Example Studio", Address("DE"), time_zone="UTC")
    organizations = DynamoOrganizations(store)
    organizations.put(seller)
    unused: Any = None
    ports = IssuePorts(
        payments=DynamoPayments(store),
        invoices=DynamoInvoices(store),
        organizations=organizations,
        store=S3Invoices(unused, ""),
        render=lambda _invoice: b"",
        clock=lambda: datetime.now(UTC),
    )
    return Series(seller, ports)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make numbers", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="of the running local stack")
    facts = read_json(parser.parse_args().state / "stack.json")
    rows = measure(client("dynamodb", facts["awsEndpointUrl"]), facts["tableName"])
    print(table(["fifty issuers at once", "numbers", "tries a number", "numbers a second"], rows))


if __name__ == "__main__":
    main()
