"""Off the bus, by its queue: makes the deliveries of each event that webhooks tell of."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from paylink import bootstrap
from paylink.adapters.eventbridge import domain_event
from paylink.consumer import Envelope, Handle, batch_consumer
from paylink.services.fan_out_event import fanning_out

bootstrap.ready(bootstrap.webhooks, bootstrap.delivery_queue)


@batch_consumer
@contextmanager
def lambda_handler(_envelopes: Sequence[Envelope]) -> Iterator[Handle]:
    with fanning_out(
        webhooks=bootstrap.webhooks(),
        queue=bootstrap.delivery_queue(),
        clock=bootstrap.clock,
    ) as fan_out:
        yield lambda envelope: fan_out(domain_event(envelope))
