"""Ids: what has their form is told from what has not, and the same source has the same id."""

from __future__ import annotations

import pytest

from paylink.domain.ids import derived_id, is_id, new_id
from paylink.domain.payment import paying_transaction_id

REST = "0123456789abcdefghijKLMNOP"


def test_an_id_has_its_prefix_and_26_letters_and_digits() -> None:
    for text in (f"pay_{REST}", new_id("pay"), derived_id("pay", "a", "b")):
        assert is_id(text, "pay")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pay",
        "pay_",
        f"pay{REST}",
        f"pay_{REST[:-1]}",
        f"pay_{REST}Q",
        f"pay_{REST[:-1]}-",
        f"pay_{REST[:-1]}é",
        f"pay_{REST[:-2]}_Q",
        f"txn_{REST}",
        f"x_pay_{REST}",
        f" pay_{REST}",
    ],
)
def test_what_has_another_form_is_none(text: str) -> None:
    assert not is_id(text, "pay")


def test_the_same_money_is_the_same_transaction_and_other_money_another() -> None:
    ids = [
        paying_transaction_id("org_1", "live", "pi_1"),
        paying_transaction_id("org_2", "live", "pi_1"),
        paying_transaction_id("org_1", "sandbox", "pi_1"),
        paying_transaction_id("org_1", "live", "pi_2"),
    ]
    assert len(set(ids)) == 4
    assert all(is_id(each, "txn") for each in ids)
    assert ids[0] == paying_transaction_id("org_1", "live", "pi_1")
