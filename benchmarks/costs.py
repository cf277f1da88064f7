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
QUEUE_BATCH, STREAM_BATCH = 10, 100
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
    """Calls of a function in one payment's life, and what one of them was measured to take."""

    name: str
    times: int
    batch: int
    """How many of these calls' events a full batch holds; 1 where there are no batches."""
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

    @property
    def milliseconds(self) -> float:
        """Billed for one call: its work, slower the less memory, and its waiting, one at a time."""
        return self.cpu * max(1.0, ONE_PROCESSOR / self.memory) + sum(
            count * _wait(name) for name, count in self.asks.items()
        )

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
    """In queues; each is sent by itself, and received and deleted with its batch."""
    documents: int


def dollars(
    life: Life, works: Sequence[Work], *, full_batches: bool
) -> dict[str, tuple[float, float]]:
    """Amount for one payment, and dollars for a million of them, by service.

    Batches are full where much is going on; otherwise each event has a run of its own.
    """
    runs = {work.name: work.times / (work.batch if full_batches else 1) for work in works}
    share = 1 / QUEUE_BATCH if full_batches else 1.0
    each = {
        "HTTP API, requests": life.requests,
        "Lambda, requests": sum(runs.values()),
        "DynamoDB, write units": sum(work.times * work.write_units for work in works),
        "DynamoDB, read units": sum(work.times * work.read_units for work in works),
        "EventBridge, events": life.events,
        "SQS, requests": life.messages * (1 + 2 * share),
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
LIFE = Life(requests=5, events=4, messages=3, documents=1)
TIMES = {
    "create_payment": (1, 1),
    "pay_page: open": (1, 1),
    "stripe_webhook: paid": (1, 1),
    "stripe_webhook: told again": (1, 1),
    "dispatch_events: one": (3, STREAM_BATCH),
    "issue_invoice: one": (1, QUEUE_BATCH),
    "fan_out_event: one": (1, QUEUE_BATCH),
    "deliver_webhooks: one": (1, QUEUE_BATCH),
    "payments: get": (1, 1),
}
MEMORIES = (256, 512, 1024)


def works(scenarios: Mapping[str, Samples], memories: Mapping[str, int]) -> list[Work]:
    """A life's work as it was measured; ``memories`` in MB, by function."""
    return [
        Work(
            name=name,
            times=times,
            batch=batch,
            memory=memories[name.partition(":")[0]],
            cpu=median(scenarios[name].cpu),
            asks=scenarios[name].calls,
            read_units=scenarios[name].read_units,
            write_units=scenarios[name].write_units,
            log_bytes=scenarios[name].log_bytes + scenarios[name].log_lines * LINE_BYTES,
        )
        for name, (times, batch) in TIMES.items()
    ]


def cost_tables(scenarios: Mapping[str, Samples], memories: Mapping[str, int]) -> dict[str, str]:
    """The parts of the page that come from here, by their marks; none if not all was measured."""
    if not TIMES.keys() <= scenarios.keys():
        return {}
    done = works(scenarios, memories)
    alone, busy = (dollars(LIFE, done, full_batches=full) for full in (False, True))
    rows = [
        [name, f"{alone[name][0]:.2f}", f"{alone[name][1]:.2f}", f"{busy[name][1]:.2f}"]
        for name in alone
    ]
    sums = [f"**{sum(cost for _, cost in found.values()):.2f}**" for found in (alone, busy)]
    heads = ["service", "a payment", "$ a million, alone", "$ a million, busy"]
    return {
        "costs": table(heads, [*rows, ["**together**", "", *sums]]),
        "memory": _memory_table(done, scenarios),
    }


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
