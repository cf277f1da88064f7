"""Off the bus, by its queue: sends back money that came twice for one payment."""

from paylink import bootstrap
from paylink.consumer import Envelope, consumer
from paylink.services.return_surplus import return_surplus

bootstrap.ready(bootstrap.payments, bootstrap.providers)


@consumer
def lambda_handler(envelope: Envelope) -> None:
    received = envelope["detail"]["data"]
    return_surplus(
        received["paymentId"],
        received["transactionId"],
        payments=bootstrap.payments(),
        providers=bootstrap.providers(),
        clock=bootstrap.clock,
    )
