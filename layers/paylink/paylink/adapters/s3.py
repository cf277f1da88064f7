"""Stored invoices, handed out by URLs of a minute, and sellers' logos; all written once."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from paylink.domain.errors import DocumentUnavailableError
from paylink.domain.logo import media_type_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

URL_SECONDS = 60
# Of what isn't there, S3 says 403 to whoever may not list the bucket, as none of our functions may.
_NOT_THERE = (403, 404)
_LOGOS_KEPT = 20  # of 200 kB at most

Answer = TypeVar("Answer")


class S3Invoices:
    """Fulfils `paylink.ports.InvoiceStore`."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def put(self, key: str, document: bytes) -> None:
        _put_once(self._client, self._bucket, key, document, "application/pdf")

    def has(self, key: str) -> bool:
        return self._ask(self._client.head_object, key) is not None

    def get(self, key: str) -> bytes | None:
        found = self._ask(self._client.get_object, key)
        return found["Body"].read() if found is not None else None

    def _ask(self, ask: Callable[..., Answer], key: str) -> Answer | None:
        try:
            return ask(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] in _NOT_THERE:
                return None
            raise DocumentUnavailableError() from error
        except BotoCoreError as error:
            raise DocumentUnavailableError() from error

    def temporary_url(self, key: str, file_name: str) -> str:
        return self._client.generate_presigned_url(
            "get_object",
            Params={
                "Bucket": self._bucket,
                "Key": key,
                "ResponseContentDisposition": f'attachment; filename="{file_name}"',
                "ResponseContentType": "application/pdf",
            },
            ExpiresIn=URL_SECONDS,
        )


class S3Logos:
    """Fulfils `paylink.ports.LogoStore`."""

    def __init__(self, client: S3Client, bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        # A key is the hash of its picture, so what was read once stays true.
        self._read = lru_cache(_LOGOS_KEPT)(self._fetch)

    def put(self, key: str, picture: bytes) -> None:
        media_type = media_type_of(key)
        if media_type is None:
            raise ValueError(f"{key} is no key of a logo")
        _put_once(self._client, self._bucket, key, picture, media_type)

    def find(self, key: str) -> bytes | None:
        try:
            return self._read(key)
        except ClientError as error:
            # That something isn't there is told only to those who may list; our functions may not.
            if error.response["Error"]["Code"] in {"NoSuchKey", "AccessDenied"}:
                return None
            raise

    def _fetch(self, key: str) -> bytes:
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()


def _put_once(client: S3Client, bucket: str, key: str, content: bytes, media_type: str) -> None:
    try:
        client.put_object(
            Bucket=bucket, Key=key, Body=content, ContentType=media_type, IfNoneMatch="*"
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "PreconditionFailed":
            raise
