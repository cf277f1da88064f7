"""Metrics as lines of a function's log, which CloudWatch reads by itself: no call, nothing to
wait for, and nothing to lose with a function that ends early."""

from __future__ import annotations

import json

from aws_lambda_powertools.metrics.provider.cloudwatch_emf.cloudwatch import (
    AmazonCloudWatchEMFProvider,
)

from paylink.metrics import Measure


def embedded_metric(measure: Measure) -> None:
    """Fulfils `paylink.metrics.Metrics`; the namespace is the environment's."""
    # One object for each line, since threads may not share one. Without the service, which would
    # be one more dimension: the namespace says it.
    line = AmazonCloudWatchEMFProvider(default_dimensions=dict(measure.dimensions), service="")
    line.add_metric(measure.metric.name, measure.metric.unit, measure.value)
    # In one piece, so that lines of several threads don't mix.
    print(json.dumps(line.serialize_metric_set(), separators=(",", ":")) + "\n", end="", flush=True)
