"""A line of a log has what tells it from others, and nothing that all lines have."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

ROOT = "1-5759e988-bd862e3fe1be46a994272793"
RUN = """
import logging
logging.basicConfig(level=logging.INFO, format="other: %(message)s")  # as Lambda does for JSON
from paylink.observability import begin, logger
begin("first")
logger.append_keys(mode="live")
begin("second")
logging.getLogger("paylink.services.some").info("said", extra={"payment_id": "pay_1"})
for library in ("stripe", "botocore.credentials", "urllib3"):
    logging.getLogger(library).info("the library's")
    logging.getLogger(library).warning("important")
"""


def logged(sampled: int) -> tuple[dict[str, str], list[str]]:
    """Our line, and what others said, of a process in which Lambda logs as JSON."""
    trace = f"Root={ROOT};Parent=53995c3f42cd8ad8;Sampled={sampled};Lineage=1:a87bd80c:0"
    run = subprocess.run(
        [sys.executable, "-c", RUN],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "_X_AMZN_TRACE_ID": trace},
        capture_output=True,
        text=True,
        check=True,
    )
    (ours,) = run.stdout.splitlines()
    return json.loads(ours), run.stderr.splitlines()


def test_a_line_has_its_runs_ids_and_nothing_that_is_known_anyway() -> None:
    line, others = logged(sampled=0)
    assert line.pop("timestamp").endswith("+00:00")
    assert line == {
        "level": "INFO",
        "message": "said",
        "request_id": "second",
        "payment_id": "pay_1",
    }
    assert others == ["other: important"] * 3


@pytest.mark.parametrize(("sampled", "trace"), [(1, ROOT), (0, None)])
def test_lines_lead_to_the_trace_that_is_kept(sampled: int, trace: str | None) -> None:
    line, _ = logged(sampled)
    assert line.get("trace_id") == trace
