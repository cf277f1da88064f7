"""Structured logs: one JSON line each, with the ids that follow a payment through every hop.

Nothing but ids, states and counts is ever logged: no body, no header, no address, no key.
"""

from __future__ import annotations

from aws_lambda_powertools import Logger

logger = Logger(service="paylink")
"""Also the parent of every module's own ``paylink.…`` logger."""
