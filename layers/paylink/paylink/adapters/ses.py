"""Sends mail by SES, as messages of our own making, whose headers and parts we decide."""

from __future__ import annotations

import logging
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from paylink.domain.errors import EmailNotSendableError, MailUnavailableError
from paylink.domain.mail import Mail, is_address, one_line

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

# What is wrong with the message itself, so that sending it again is pointless.
_REFUSED = frozenset({"BadRequestException"})

logger = logging.getLogger(__name__)


class SesMailer:
    """Fulfils `paylink.ports.Mailer`. Without a sender nothing can be sent."""

    def __init__(self, client: SESV2Client, sender: str) -> None:
        self._client = client
        self._sender = sender

    @property
    def configured(self) -> bool:
        return bool(self._sender)

    def send(self, mail: Mail) -> None:
        message = message_of(mail, self._sender)
        try:
            self._client.send_email(
                FromEmailAddress=self._sender,
                # The envelope's own: no header can add to it.
                Destination={"ToAddresses": [mail.to]},
                Content={"Raw": {"Data": message.as_bytes()}},
            )
        except ClientError as error:
            code = error.response["Error"]["Code"]
            # Its message names the address, so only the code is logged.
            logger.warning("SES did not take a mail", extra={"code": code})
            if code in _REFUSED:
                raise EmailNotSendableError("The buyer's e-mail address was refused.") from None
            raise MailUnavailableError() from None
        except BotoCoreError as error:
            raise MailUnavailableError() from error


def message_of(mail: Mail, sender: str) -> EmailMessage:
    """Text, HTML and attachments, as RFC 5322 and MIME have it."""
    message = EmailMessage(policy=SMTP)
    message["From"] = Address(one_line(mail.from_name), addr_spec=sender)
    message["To"] = mail.to
    if mail.reply_to and is_address(mail.reply_to):
        message["Reply-To"] = mail.reply_to
    message["Subject"] = one_line(mail.subject, 200)
    # No out-of-office notes in return (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.text, cte="base64")
    message.add_alternative(mail.html, subtype="html", cte="base64")
    for attachment in mail.attachments:
        message.add_attachment(
            attachment.content,
            maintype="application",
            subtype="pdf",
            filename=attachment.file_name,
        )
    return message
