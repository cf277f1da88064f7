"""The only wiring: each adapter is made once per container, and only where it is used.

Imports are inside the functions because a cold start pays for every module it loads, and no
function uses them all.
"""

# ruff: noqa: PLC0415
from __future__ import annotations

import gc
import os
import random
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import paylink.observability  # noqa: F401 - gives every module's logger its form
from paylink.settings import Settings

if TYPE_CHECKING:
    from paylink.adapters.dynamodb.api_keys import DynamoApiKeys
    from paylink.adapters.dynamodb.credit_notes import DynamoCreditNotes
    from paylink.adapters.dynamodb.customers import DynamoCustomers
    from paylink.adapters.dynamodb.idempotency import DynamoIdempotency
    from paylink.adapters.dynamodb.invoices import DynamoInvoices
    from paylink.adapters.dynamodb.organizations import DynamoOrganizations
    from paylink.adapters.dynamodb.payments import DynamoPayments
    from paylink.adapters.dynamodb.request_counts import DynamoRequestCounts
    from paylink.adapters.dynamodb.table import Table
    from paylink.adapters.dynamodb.webhooks import DynamoWebhooks
    from paylink.adapters.eventbridge import EventBridgeBus
    from paylink.adapters.lambda_issuer import LambdaIssuer
    from paylink.adapters.s3 import S3Invoices, S3Logos
    from paylink.adapters.ses import SesMailer
    from paylink.adapters.sqs import SqsDeliveries
    from paylink.adapters.ssm import SsmCredentials
    from paylink.adapters.stripe.accounts import StripeAccounts
    from paylink.adapters.webhook_http import HttpWebhooks
    from paylink.domain.document import Document
    from paylink.domain.webhook import Lane
    from paylink.http.auth import Authenticator
    from paylink.http.rate_limit import RateLimiter
    from paylink.metrics import Metrics
    from paylink.presentation.documents import DocumentFacts
    from paylink.services.customers import CustomerPorts
    from paylink.services.deliver_webhook import DeliveryPorts
    from paylink.services.documents import Shelf
    from paylink.services.issue_invoice import IssuePorts
    from paylink.services.notify_owner import NoticePorts
    from paylink.services.send_document import MailPorts
    from paylink.services.webhook_endpoints import EndpointPorts


def _started_by_lambda() -> bool:
    return "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ


# Next to nothing of what a start makes is garbage, and looking for it takes a tenth of the start.
# From here on nobody does, until the function is `ready`.
if _started_by_lambda():
    gc.disable()


def clock() -> datetime:
    return datetime.now(UTC)


def ready(*parts: Callable[[], object]) -> None:
    """Makes what a function's first call will need while Lambda starts it, with all the processor
    that there is, rather than while somebody waits. Elsewhere functions are imported for what they
    say about themselves, without the environment that these parts need.
    """
    if _started_by_lambda():
        for part in parts:
            part()
        _safe_to_copy()
        gc.freeze()  # what is there stays, and isn't looked through again
        gc.enable()


def rehearse() -> None:
    """What was made for a function whose first call somebody waits for does its usual calls once,
    and to nobody. A queue's functions start sooner without."""
    if _started_by_lambda():
        for part in (table, credentials):
            if part.cache_info().currsize:
                _rehearsed(part)


@cache
def _rehearsed(part: Callable[[], Table | SsmCredentials]) -> None:
    part().rehearse()


@cache
def _safe_to_copy() -> None:
    """A snapshot of a started function is restored any number of times. Nothing that was made has a
    connection, a secret or a time in it, and ids come from the system's entropy; but all copies
    would wait for the same "random" while after a conflict, and meet again.
    """
    if os.environ["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start":
        # A part of Lambda's runtime.
        from snapshot_restore_py import register_after_restore

        register_after_restore(random.seed)


@cache
def settings() -> Settings:
    return Settings.from_environment()


@cache
def metrics() -> Metrics:
    from paylink.adapters.cloudwatch import embedded_metric

    return embedded_metric


@cache
def table() -> Table:
    from paylink.adapters.aws import client
    from paylink.adapters.dynamodb.table import Table

    # DynamoDB checks what it is sent; the SDK's own check before costs as much as the signature.
    return Table(client("dynamodb", parameter_validation=False), settings().table_name)


@cache
def payments() -> DynamoPayments:
    from paylink.adapters.dynamodb.payments import DynamoPayments

    return DynamoPayments(table())


@cache
def idempotency() -> DynamoIdempotency:
    from paylink.adapters.dynamodb.idempotency import DynamoIdempotency

    return DynamoIdempotency(table())


@cache
def customers() -> DynamoCustomers:
    from paylink.adapters.dynamodb.customers import DynamoCustomers

    return DynamoCustomers(table())


@cache
def organizations() -> DynamoOrganizations:
    from paylink.adapters.dynamodb.organizations import DynamoOrganizations

    return DynamoOrganizations(table())


@cache
def api_keys() -> DynamoApiKeys:
    from paylink.adapters.dynamodb.api_keys import DynamoApiKeys

    return DynamoApiKeys(table())


@cache
def request_counts() -> DynamoRequestCounts:
    from paylink.adapters.dynamodb.request_counts import DynamoRequestCounts

    return DynamoRequestCounts(table())


@cache
def authenticator() -> Authenticator:
    from paylink.http.auth import Authenticator

    return Authenticator(api_keys(), clock)


@cache
def rate_limiter() -> RateLimiter:
    from paylink.http.rate_limit import RateLimiter

    return RateLimiter(settings().rate_limit_per_minute, request_counts())


@cache
def invoices() -> DynamoInvoices:
    from paylink.adapters.dynamodb.invoices import DynamoInvoices

    return DynamoInvoices(table())


@cache
def credit_notes() -> DynamoCreditNotes:
    from paylink.adapters.dynamodb.credit_notes import DynamoCreditNotes

    return DynamoCreditNotes(table())


@cache
def invoice_store() -> S3Invoices:
    from paylink.adapters.aws import client
    from paylink.adapters.s3 import S3Invoices

    # Where the SDK may choose, it signs URLs by a version that buckets since 2020 don't take.
    signing = client("s3", signature_version="s3v4")
    return S3Invoices(signing, settings().invoice_bucket_name)


@cache
def logos() -> S3Logos:
    from paylink.adapters.aws import client
    from paylink.adapters.s3 import S3Logos

    return S3Logos(client("s3"), settings().invoice_bucket_name)


@cache
def invoice_issuer() -> LambdaIssuer:
    from paylink.adapters.aws import client
    from paylink.adapters.lambda_issuer import LambdaIssuer

    # Setting a PDF takes seconds, and one that failed is asked for again by whoever wants it.
    patient = client("lambda", read_timeout=20, retries={"total_max_attempts": 1})
    return LambdaIssuer(patient, settings().issue_invoice_function)


def render(facts: DocumentFacts) -> bytes:
    """The PDF of a document, with its seller's logo."""
    from paylink.presentation.document_pdf import render_document
    from paylink.services.logos import logo_of

    return render_document(facts, logo_of(facts.document.seller, logos()))


@cache
def issue_ports() -> IssuePorts:
    from paylink.presentation.documents import invoice_document
    from paylink.services.issue_invoice import IssuePorts

    return IssuePorts(
        payments=payments(),
        invoices=invoices(),
        organizations=organizations(),
        store=invoice_store(),
        render=lambda invoice: render(invoice_document(invoice)),
        clock=clock,
    )


@cache
def shelves() -> dict[str, Shelf]:
    """Where documents are found and issued, by the prefix of their ids."""
    from paylink.services.documents import Shelf

    def issue(document: Document) -> None:
        invoice_issuer().issue(document)

    return {"inv": Shelf(invoices().get, issue), "cn": Shelf(credit_notes().get, issue)}


@cache
def mailer() -> SesMailer:
    from paylink.adapters.aws import client
    from paylink.adapters.ses import SesMailer

    return SesMailer(client("sesv2"), settings().receipt_sender)


@cache
def mail_ports() -> MailPorts:
    from paylink.presentation.mails import document_mail
    from paylink.services.send_document import MailPorts

    return MailPorts(
        invoices=invoices(),
        credit_notes=credit_notes(),
        organizations=organizations(),
        shelves=shelves(),
        store=invoice_store(),
        credentials=credentials(),
        mailer=mailer(),
        compose=document_mail,
        clock=clock,
    )


@cache
def notice_ports() -> NoticePorts:
    from paylink.presentation.mails import endpoint_mail
    from paylink.services.notify_owner import NoticePorts

    return NoticePorts(
        organizations=organizations(),
        webhooks=webhooks(),
        mailer=mailer(),
        compose=endpoint_mail,
        clock=clock,
    )


@cache
def credentials() -> SsmCredentials:
    from paylink.adapters.aws import client
    from paylink.adapters.ssm import SsmCredentials

    return SsmCredentials(client("ssm"), settings().secrets_prefix)


@cache
def event_bus() -> EventBridgeBus:
    from paylink.adapters.aws import client
    from paylink.adapters.eventbridge import EventBridgeBus

    return EventBridgeBus(client("events"), settings().event_bus_name)


@cache
def providers() -> StripeAccounts:
    from paylink.adapters.stripe.accounts import StripeAccounts

    return StripeAccounts(
        credentials(),
        settings().deployment_id,
        settings().stripe_api_base,
        settings().stripe_calls_per_second,
        metrics(),
    )


@cache
def customer_ports() -> CustomerPorts:
    from paylink.http.schemas.customers import present_customer
    from paylink.services.customers import CustomerPorts

    return CustomerPorts(customers(), providers(), present_customer, clock)


@cache
def webhooks() -> DynamoWebhooks:
    from paylink.adapters.dynamodb.webhooks import DynamoWebhooks

    return DynamoWebhooks(table())


@cache
def delivery_queue() -> SqsDeliveries:
    from paylink.adapters.aws import client
    from paylink.adapters.sqs import SqsDeliveries

    urls: dict[Lane, str] = {
        "prompt": settings().prompt_queue_url,
        "slow": settings().slow_queue_url,
        "failing": settings().failing_queue_url,
    }
    return SqsDeliveries(client("sqs"), urls)


@cache
def webhook_sender() -> HttpWebhooks:
    from paylink.adapters.webhook_http import HttpWebhooks

    return HttpWebhooks(local=settings().local_webhooks)


def endpoint_ports() -> EndpointPorts:
    from paylink.services.webhook_endpoints import EndpointPorts

    return EndpointPorts(webhooks(), credentials(), webhook_sender(), clock)


def delivery_ports() -> DeliveryPorts:
    from paylink.services.deliver_webhook import DeliveryPorts

    return DeliveryPorts(
        webhooks=webhooks(),
        credentials=credentials(),
        sender=webhook_sender(),
        queue=delivery_queue(),
        metrics=metrics(),
        clock=clock,
        waits=settings().webhook_waits,
    )
