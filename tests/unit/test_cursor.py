"""A cursor opens the list that it was made for, and nothing else."""

from __future__ import annotations

import base64
import hmac
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paylink.domain.cursor import seal, unseal

SCOPE = ("org_1", "live", "payments", "succeeded")
KEY = "signing_1"
PLACE = "2026-11-25T10:30:00.000000+00:00#pay_1"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=90))
def test_what_was_sealed_is_read_again(position: str) -> None:
    assert unseal(seal(position, SCOPE, KEY), SCOPE, KEY) == position


def test_whatever_it_ends_in_it_is_read_again() -> None:
    ends = set()
    for last in string.printable:
        cursor = seal(f"pay_{last}", SCOPE, KEY)
        assert unseal(cursor, SCOPE, KEY) == f"pay_{last}"
        ends.add(cursor[-1])
    assert ends == set(string.ascii_letters + string.digits + "-_")


def test_it_can_stand_in_a_query_as_it_is() -> None:
    for length in range(20):
        cursor = seal("ÿ?>" + "x" * length, SCOPE, KEY)
        assert set(cursor) <= set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        )


def test_it_is_the_same_whenever_and_wherever_it_is_made() -> None:
    # Cursors that callers hold outlive a deployment.
    message = b"cursor\0org_1\0live\0payments\0succeeded\0" + PLACE.encode()
    mac = hmac.digest(b"signing_1", message, "sha256")[:16]
    expected = base64.urlsafe_b64encode(mac + PLACE.encode()).decode().rstrip("=")
    assert seal(PLACE, SCOPE, KEY) == expected


@pytest.mark.parametrize("position", range(len(SCOPE)))
def test_it_is_no_cursor_of_another_owner_mode_list_or_filter(position: int) -> None:
    other = (*SCOPE[:position], "other", *SCOPE[position + 1 :])
    assert unseal(seal(PLACE, SCOPE, KEY), other, KEY) is None


def test_a_scope_is_told_from_one_that_is_cut_elsewhere() -> None:
    assert unseal(seal(PLACE, ("a", "bc"), KEY), ("ab", "c"), KEY) is None


def test_another_organizations_key_opens_nothing() -> None:
    assert unseal(seal(PLACE, SCOPE, KEY), SCOPE, "signing_2") is None


def test_every_changed_character_is_noticed() -> None:
    cursor = seal(PLACE, SCOPE, KEY)
    for at in range(len(cursor)):
        for other in "Aa0_":
            if other != cursor[at]:
                changed = cursor[:at] + other + cursor[at + 1 :]
                assert unseal(changed, SCOPE, KEY) is None, at


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "0",
        "%%%",
        "A",
        "A" * 21,
        "A" * 401,
        "=",
        "ä",
        "a b",
        "\n",
        seal(PLACE, SCOPE, KEY) + "=",
    ],
)
def test_whatever_else_is_sent_is_no_cursor(cursor: str) -> None:
    assert unseal(cursor, SCOPE, KEY) is None


def test_bytes_that_are_no_text_are_no_place() -> None:
    mac = hmac.digest(KEY.encode(), b"cursor\0", "sha256")[:16]
    assert unseal(base64.urlsafe_b64encode(mac + b"\xff\xfe").decode().rstrip("="), (), KEY) is None


def test_the_longest_text_that_is_looked_at_is_still_read() -> None:
    longest = "x" * (400 * 3 // 4 - 16)
    assert len(seal(longest, SCOPE, KEY)) == 400
    assert unseal(seal(longest, SCOPE, KEY), SCOPE, KEY) == longest
    assert unseal(seal(longest + "x", SCOPE, KEY), SCOPE, KEY) is None
