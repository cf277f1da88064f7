"""Packed texts come back as they were, for as long as anything packed is kept."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from paylink.adapters.dynamodb.packing import packed, unpacked


@given(st.text())
def test_any_text_comes_back(text: str) -> None:
    assert unpacked(packed(text)) == text


def test_what_was_packed_by_the_first_version_is_read_by_every_other() -> None:
    kept = bytes.fromhex(
        "78f9e1679f6b432ecb0d7116e6f052192d30e0c5972146e1e35e7478cfe1f9a90a2f56773fdbd8f46cf60e602a03"
        "0010cf2997"
    )
    told = '"data":{"paymentId":"pay_1","description":"Grüße 請求書"}}'
    assert unpacked(kept) == '{"id":"whev_1","event":"payment_link.created",' + told


def test_what_was_kept_as_it_is_is_read_too() -> None:
    assert unpacked('{"id":"whev_1"}') == '{"id":"whev_1"}'
