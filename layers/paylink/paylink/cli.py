"""``paylink``: the operator's command. It works on whatever deployment the AWS environment
variables lead to, the local stack included, and prints JSON, or CSV.

Secrets are read from the environment, never from arguments, which shells and process lists keep.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from paylink.adapters.stripe.setup import StripeSetupError
from paylink.domain.errors import PaylinkError
from paylink.domain.payment import CheckoutMismatchError
from paylink.operator import dead_letters, documents, keys, organizations, payments, stripe_account
from paylink.operator.deployment import Deployment, UsageError


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    try:
        result = options.run(Deployment.of_stack(options.stack), options)
        if result is not None:
            print(json.dumps(result, indent=2, ensure_ascii=False, default=str))
        sys.stdout.flush()
    except UsageError as error:
        print(f"paylink: {error}", file=sys.stderr)
        return 2
    except (ClientError, BotoCoreError) as error:
        print(f"paylink: AWS: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:  # whoever reads has enough; nothing is left to be flushed at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (PaylinkError, CheckoutMismatchError, StripeSetupError, OSError) as error:
        print(f"paylink: {error}", file=sys.stderr)
        return 1
    return 0


def parser() -> argparse.ArgumentParser:
    """All things and their actions."""
    command = argparse.ArgumentParser("paylink", description=__doc__)
    command.add_argument(
        "--stack",
        default=os.environ.get("PAYLINK_STACK", "paylink"),
        help="name of the CloudFormation stack (or PAYLINK_STACK; default: paylink)",
    )
    things = command.add_subparsers(
        required=True,
        metavar="organizations|stripe|keys|payments|invoices|credit-notes|dead-letters",
    )
    for thing in (organizations, stripe_account, keys, payments, documents, dead_letters):
        thing.add_to(things)
    return command


if __name__ == "__main__":
    sys.exit(main())
