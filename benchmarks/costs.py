"""What a million paid payments cost at list prices: plain arithmetic over what was measured, beside
the few things that can't be measured here, which are named.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from benchmarks.measure import Samples
from benchmarks.report import table

# AWS's public price list for us-east-1, November 2026: on demand, without free tiers and volume
# discounts. In Frankfurt DynamoDB, logs and S3 cost about a fifth more, the rest the same.
REGION = "us-east-1"
DOLLARS_PER_MILLION = {
    "HTTP API, requests": 1.00,
    "Lambda, requests": 0.20,
    "DynamoDB, write units": 0.625,
    "DynamoDB, read units": 0.125,
    "EventBridge, events": 1.00,
    "SQS, requests": 0.40,
    "S3, PDFs stored": 5.00,
}
DOLLARS_PER_GB_SECOND = 0.0000133334  # arm64
DOLLARS_PER_LOGGED_GB = 0.50

# Memory that comes with one whole processor, by Lambda's documentation.
ONE_PROCESSOR = 1769
# A line counts with 26 bytes more than it has. The gateway logs each request in about 220; Lambda
# itself has nothing to say of a run that goes well.
LINE_BYTES = 26
ACCESS_BYTES = 220 + LINE_BYTES
# Milliseconds until an answer in AWS, where the emulator says nothing; of Stripe as it is usual.
WAITS = {
    "Stripe POST": 600.0,
    "Stripe GET": 250.0,
    "company": 200.0,
    "PUT": 60.0,
    "GET": 30.0,
    "PutEvents": 20.0,
    "SendMessageBatch": 15.0,
    "": 6.0,  # DynamoDB
}


@dataclass(frozen=True)
class Work:
    """What a function does for one event, as it was measured, and how often in a payment's life."""

    name: str
    times: int
    share: float
    """Of a run, less than one where events come in batches."""
    memory: int
    """MB."""
    cpu: float
    """Milliseconds on a whole processor."""
    asks: Mapping[str, float]
    """Requests to others by their names, as `measure.Samples.calls` has them."""
    read_units: float
    write_units: float
    log_bytes: float
    """With what each line counts besides."""
    side_by_side: bool = False
    """Whether the events of a batch are waited for at once."""

    @property
    def milliseconds(self) -> float:
        """Billed for one event: its work, slower the less memory, and its waiting."""
        waiting = sum(count * _wait(name) for name, count in self.asks.items())
        work = self.cpu * max(1.0, ONE_PROCESSOR / self.memory)
        return work + waiting * (self.share if self.side_by_side else 1.0)

    @property
    def gb_seconds(self) -> float:
        return self.milliseconds / 1000 * self.memory / 1024


@dataclass(frozen=True)
class Life:
    """What else one payment's life has, beside its functions' work."""

    requests: int
    """To the HTTP API."""
    events: int
    """On the bus."""
    messages: int
    """In queues, which are received and deleted with their batch."""
    sent_together: int
    """Of these messages, those that are sent with their batch; the others each by itself."""
    documents: int


def dollars(life: Life, works: Sequence[Work], together: int) -> dict[str, tuple[float, float]]:
    """Amount for one payment, and dollars for a million of them, by service; ``together`` is how
    many messages of a queue are received at once."""
    each = {
        "HTTP API, requests": life.requests,
        "Lambda, requests": sum(work.times * work.share for work in works),
        "DynamoDB, write units": sum(work.times * work.write_units for work in works),
        "DynamoDB, read units": sum(work.times * work.read_units for work in works),
        "EventBridge, events": life.events,
        "SQS, requests": life.messages
        - life.sent_together
        + (life.sent_together + 2 * life.messages) / together,
        "S3, PDFs stored": life.documents,
    }
    found = {name: (count, count * DOLLARS_PER_MILLION[name]) for name, count in each.items()}
    seconds = sum(work.times * work.gb_seconds for work in works)
    found["Lambda, GB-seconds"] = seconds, seconds * 1e6 * DOLLARS_PER_GB_SECOND
    # A million payments' bytes each are as many MB, a thousandth of that is GB.
    logged = sum(work.times * work.log_bytes for work in works) + life.requests * ACCESS_BYTES
    found["CloudWatch, kB of logs"] = logged / 1000, logged / 1000 * DOLLARS_PER_LOGGED_GB
    return found


def _wait(name: str) -> float:
    return next(wait for start, wait in WAITS.items() if name.startswith(start))


# A guest's link: created, opened, paid, with its invoice, told by one webhook and read once. Stripe
# tells of a payment twice, by its checkout and by its intent. Four events reach the bus; one leads
# to the invoice's queue, one to the webhooks', and that to an endpoint's. No mail is sent.
LIFE = Life(requests=5, events=4, messages=3, sent_together=1, documents=1)


@dataclass(frozen=True)
class Part:
    """What one payment has of a scenario, and what is measured in its stead where all batches are
    full: another scenario, with so many events."""

    times: int = 1
    full: str | None = None
    size: int = 1
    side_by_side: bool = False


PARTS = {
    "create_payment": Part(),
    "pay_page: open": Part(),
    "stripe_webhook: paid": Part(),
    "stripe_webhook: told again": Part(),
    "dispatch_events: one": Part(3, "dispatch_events: a hundred", 100),
    "issue_invoice: one": Part(1, "issue_invoice: ten", 10),
    "fan_out_event: one": Part(1, "fan_out_event: ten", 10),
    "deliver_webhooks: one": Part(1, "deliver_webhooks: ten", 10, side_by_side=True),
    "payments: get": Part(),
}
TOGETHER = 10
BUDGET = 45.0
"""Dollars for a million payments where much is going on."""
MEMORIES = (256, 512, 1024)


def works(
    scenarios: Mapping[str, Samples], memories: Mapping[str, int], *, busy: bool
) -> list[Work]:
    """A life's work as it was measured, each event alone or in a full batch; ``memories`` are of
    functions, in MB."""
    done = []
    for name, part in PARTS.items():
        measured = scenarios[part.full if busy and part.full else name]
        share = 1 / part.size if busy else 1.0
        logged = measured.log_bytes + measured.log_lines * LINE_BYTES
        done.append(
            Work(
                name=name,
                times=part.times,
                share=share,
                memory=memories[name.partition(":")[0]],
                cpu=median(measured.cpu) * share,
                asks={asked: count * share for asked, count in measured.calls.items()},
                read_units=measured.read_units * share,
                write_units=measured.write_units * share,
                log_bytes=logged * share,
                side_by_side=part.side_by_side,
            )
        )
    return done


def cost_tables(
    scenarios: Mapping[str, Samples], memories: Mapping[str, int]
) -> tuple[dict[str, str], list[str]]:
    """The parts of the page that come from here, by their marks, and what is over its budget; none
    if not all was measured."""
    if not {*PARTS, *(part.full for part in PARTS.values() if part.full)} <= scenarios.keys():
        return {}, []
    each = works(scenarios, memories, busy=False)
    alone = dollars(LIFE, each, 1)
    busy = dollars(LIFE, works(scenarios, memories, busy=True), TOGETHER)
    rows = [
        [name, *(f"{figure:.2f}" for found in (alone, busy) for figure in found[name])]
        for name in alone
    ]
    together = [sum(cost for _, cost in found.values()) for found in (alone, busy)]
    sums = [f"**{total:.2f}**" for total in together]
    over = [f"a million payments: ${together[1]:.2f}"] if together[1] > BUDGET else []
    heads = ["service", "alone: a payment", "$ a million", "busy: a payment", "$ a million"]
    costs = table(heads, [*rows, ["**together**", "", sums[0], "", sums[1]]])
    return {"costs": costs, "memory": _memory_table(each, scenarios)}, over


def _memory_table(done: Sequence[Work], scenarios: Mapping[str, Samples]) -> str:
    rows = [
        [
            f"`{work.name}`",
            f"{median(scenarios[work.name].peak):.0f}",
            f"{work.cpu:.1f}",
            *(_at(replace(work, memory=memory)) for memory in MEMORIES),
            str(work.memory),
        ]
        for work in done
    ]
    at = [f"at {memory}: ms, $" for memory in MEMORIES]
    return table(["call", "peak, MB", "CPU, ms", *at, "chosen"], rows)


def _at(work: Work) -> str:
    cost = work.times * work.gb_seconds * 1e6 * DOLLARS_PER_GB_SECOND
    return f"{work.milliseconds:.0f}, {cost:.2f}"
