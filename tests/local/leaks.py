"""Looks through all that a stack's functions logged and stored for what belongs in neither."""

from __future__ import annotations

import re
from collections.abc import Iterator

from local.stripe_sandbox.cards import BY_NUMBER
from tests.local.stack import Stack

SECRETS = {
    "an API key": r"ck_(?:sandbox|live)_\w{30}",
    "a key of Stripe's": r"\b[sr]k_(?:test|live)_\w{6}",
    "a webhook's secret": r"whsec_\w{6}",
    "a signature": r"\bv1[=,][\w+/=]{20}",
    "a card number": "|".join("[ -]?".join(re.findall(".{1,4}", card)) for card in BY_NUMBER),
}
# Those are kept on purpose: whoever may read an item may know whom it is about.
PERSONAL = {
    "an e-mail address": r"[\w.+-]+@[\w-]+\.[a-z]{2}",
    "a link to a document": r"[?&]token=\w{6}",
}
_OF_THE_PLATFORM = ("START ", "END ", "REPORT ")


def found_in(text: str, kinds: dict[str, str]) -> list[str]:
    """What a text has that it mustn't have, named and not repeated."""
    return [kind for kind, pattern in kinds.items() if re.search(pattern, text)]


def leaks(stack: Stack) -> list[str]:
    """Where something is that shouldn't be; of a log line, what it says, of an item, its key."""
    found = [
        f"{kind} in the log {group}: {line}"
        for group, line in _lines(stack)
        for kind in found_in(line, SECRETS | PERSONAL)
    ]
    found += [
        f"{kind} in the item {item['pk']} {item['sk']}"
        for item in stack.items("")
        for kind in found_in(repr(item), SECRETS)
    ]
    return found


def _lines(stack: Stack) -> Iterator[tuple[str, str]]:
    logs = stack.aws("logs")
    for groups in logs.get_paginator("describe_log_groups").paginate():
        for group in groups["logGroups"]:
            name = group["logGroupName"]
            for page in logs.get_paginator("filter_log_events").paginate(logGroupName=name):
                for event in page["events"]:
                    if not event["message"].startswith(_OF_THE_PLATFORM):
                        yield name, event["message"]
