"""What `make bench` counts where the emulator doesn't."""

from __future__ import annotations

from typing import Any

from benchmarks.capacity import batch_read_units, size
from benchmarks.upstream import _resource


def batch(keys: int, *, consistent: bool) -> dict[str, Any]:
    asked = {"Keys": [{"pk": {"S": str(n)}} for n in range(keys)], "ConsistentRead": consistent}
    return {"RequestItems": {"table": asked}}


def item(length: int) -> dict[str, Any]:
    """Of so many bytes."""
    return {"pk": {"S": "x" * (length - 2)}}


def test_an_item_weighs_its_names_and_its_values() -> None:
    assert size({"pk": {"S": "é"}, "n": {"N": "-1200"}, "b": {"BOOL": True}}) == 4 + 3 + 2
    assert size({"l": {"L": [{"S": "ab"}]}, "m": {"M": {"k": {"SS": ["a", "b"]}}}}) == 7 + 8


def test_each_item_of_a_batch_costs_a_unit_for_every_started_four_kilobytes() -> None:
    answer = {"Responses": {"table": [item(4096), item(4097)]}}
    assert batch_read_units(batch(2, consistent=True), answer) == 3
    assert batch_read_units(batch(2, consistent=False), answer) == 1.5


def test_what_is_not_there_costs_as_the_smallest_item_and_what_was_not_read_nothing() -> None:
    left = {"table": {"Keys": [{"pk": {"S": "2"}}]}}
    answer = {"Responses": {"table": [item(10)]}, "UnprocessedKeys": left}
    assert batch_read_units(batch(3, consistent=True), answer) == 2


def test_calls_of_one_kind_have_one_name_whatever_their_ids() -> None:
    for name in ("inv_lESnyySjUFYsnNdGCCivxscQuY.pdf", "inv_7ESnyySjUFYsnNdGCCivxscQuY.pdf"):
        assert _resource(f"/bucket/org_42/sandbox/{name}?x=1") == "/bucket/…/sandbox/…"
    assert _resource("/v1/checkout/sessions/cs_test_a1") == "/v1/checkout/sessions/…"
