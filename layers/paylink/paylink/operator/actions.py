"""How an action of the command is declared: a name, what it runs, a line of help."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from paylink.operator.deployment import Deployment

Run = Callable[[Deployment, argparse.Namespace], dict[str, Any] | None]
"""Returns what is printed as JSON; None if it wrote something else."""


def add_action(actions: Any, name: str, run: Run, help_text: str) -> argparse.ArgumentParser:
    """One more action of a thing; its parser takes the action's own arguments."""
    action: argparse.ArgumentParser = actions.add_parser(name, help=help_text)
    action.set_defaults(run=run)
    return action
