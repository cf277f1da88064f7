"""Off the bus, by its queue: makes the deliveries of each event that webhooks tell of."""

from paylink import bootstrap
from paylink.adapters.eventbridge import domain_event
from paylink.consumer import Envelope, consumer
from paylink.services.fan_out_event import fan_out_event

bootstrap.ready(bootstrap.webhooks, bootstrap.delivery_queue)


@consumer
def lambda_handler(envelope: Envelope) -> None:
    fan_out_event(
        domain_event(envelope),
        webhooks=bootstrap.webhooks(),
        queue=bootstrap.delivery_queue(),
        clock=bootstrap.clock,
    )
