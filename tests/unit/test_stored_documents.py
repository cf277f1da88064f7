"""Addresses of stored documents, signed as every region of AWS takes them."""

from __future__ import annotations

import pytest

from paylink import bootstrap
from paylink.settings import Settings


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", "eu-central-1"])
def test_addresses_are_signed_by_the_version_that_new_buckets_take(
    region: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    settings = Settings.from_environment({"INVOICE_BUCKET_NAME": "documents"})
    monkeypatch.setattr(bootstrap, "settings", lambda: settings)
    store = bootstrap.invoice_store.__wrapped__()
    url = store.temporary_url("org/live/inv.pdf", "INV-2026-000001.pdf")
    assert url.startswith("https://documents.s3.")
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    assert f"%2F{region}%2Fs3%2Faws4_request" in url
    assert "X-Amz-Expires=60" in url
