"""Runs in a function's own process, where nothing but its layers can be imported: the handler, over
and over, without Lambda's runtime around it. One line of JSON says what it took.
"""

import cProfile
import importlib
import json
import pstats
import sys
import time


class Context:
    """All that handlers ask of Lambda's."""

    aws_request_id = "00000000-0000-0000-0000-000000000000"

    def get_remaining_time_in_millis(self) -> int:
        return 25_000


def main() -> None:
    asked = json.load(sys.stdin)
    # Functions log to the standard output, which is for our one line.
    answers, sys.stdout = sys.stdout, sys.stderr
    app = importlib.import_module("app")
    event, context = asked["event"], Context()
    for _ in range(asked["before"]):
        app.lambda_handler(event, context)
    # Waiting for answers costs nothing, so the profile's clock is the processor's, too.
    profile = cProfile.Profile(time.process_time) if asked["profiled"] else None
    cpu = time.process_time()
    if profile is not None:
        profile.enable()
    for _ in range(asked["calls"]):
        answer = app.lambda_handler(event, context)
    if profile is not None:
        profile.disable()
    cpu = time.process_time() - cpu
    found = {"answer": answer, "cpu": cpu, "profile": entries(profile)}
    answers.write(json.dumps(found))


def entries(profile: cProfile.Profile | None) -> list[list[object]]:
    """File, function, calls, own and whole seconds of each function that was run."""
    if profile is None:
        return []
    found = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    return [[file, name, calls, own, whole] for (file, _, name), (_, calls, own, whole, _) in found]


if __name__ == "__main__":
    main()
