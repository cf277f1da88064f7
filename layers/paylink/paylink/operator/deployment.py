"""The stack that the operator works on, found by its outputs, so that nothing else is needed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

import boto3

from paylink.adapters.dead_letters import DeadLetters
from paylink.adapters.dynamodb.api_keys import DynamoApiKeys
from paylink.adapters.dynamodb.credit_notes import DynamoCreditNotes
from paylink.adapters.dynamodb.invoices import DynamoInvoices
from paylink.adapters.dynamodb.organizations import DynamoOrganizations
from paylink.adapters.dynamodb.payments import DynamoPayments
from paylink.adapters.dynamodb.table import Table
from paylink.adapters.lambda_issuer import LambdaIssuer
from paylink.adapters.s3 import S3Invoices, S3Logos
from paylink.adapters.ssm import SsmCredentials
from paylink.adapters.stripe.accounts import StripeAccounts
from paylink.domain.organization import Mode, Organization


class UsageError(Exception):
    """What was asked for can't be done; the message says why."""


@dataclass(frozen=True)
class Deployment:
    """The parts of one stack that an operator works on."""

    organizations: DynamoOrganizations
    logos: S3Logos
    keys: DynamoApiKeys
    credentials: SsmCredentials
    payments: DynamoPayments
    providers: StripeAccounts
    stripe_api_base: str
    """Empty for Stripe itself."""
    invoices: DynamoInvoices
    credit_notes: DynamoCreditNotes
    invoice_issuer: LambdaIssuer
    invoice_store: S3Invoices
    dead_letters: DeadLetters
    outputs: Mapping[str, str]
    """All of the stack's."""

    @classmethod
    def of_stack(cls, name: str) -> Deployment:
        """Finds table and secrets by the outputs of a CloudFormation stack."""
        # By itself boto3 knows AWS_DEFAULT_REGION only, and AWS's command both.
        aws = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        found = aws.client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
        outputs = {o["OutputKey"]: o["OutputValue"] for o in found.get("Outputs", [])}
        table = Table(aws.client("dynamodb"), outputs["TableName"])
        credentials = SsmCredentials(aws.client("ssm"), outputs["SecretsPrefix"])
        api_base = outputs.get("StripeApiBase", "")  # no output where it is Stripe's own
        return cls(
            DynamoOrganizations(table),
            S3Logos(aws.client("s3"), outputs["InvoiceBucketName"]),
            DynamoApiKeys(table),
            credentials,
            DynamoPayments(table),
            StripeAccounts(credentials, outputs["DeploymentId"], api_base),
            api_base,
            DynamoInvoices(table),
            DynamoCreditNotes(table),
            LambdaIssuer(aws.client("lambda"), outputs["IssueInvoiceFunction"]),
            S3Invoices(aws.client("s3"), outputs["InvoiceBucketName"]),
            DeadLetters(aws.client("sqs")),
            outputs,
        )

    def organization(self, organization_id: str) -> Organization:
        found = self.organizations.get(organization_id)
        if found is None:
            raise UsageError(f"there is no organization {organization_id}")
        return found

    def webhook_url(self, organization_id: str, mode: Mode) -> str:
        """Where the provider tells of one organization's payments."""
        template = self.outputs["StripeWebhookUrlTemplate"]
        return template.replace("{organizationId}", organization_id).replace("{mode}", mode)
