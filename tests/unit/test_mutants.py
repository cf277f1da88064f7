"""What a mutation run changes: all of the domain, its properties too."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from tools.mutants import made_from_functions

DOMAIN = sorted(Path(__file__).parents[2].glob("layers/paylink/paylink/domain/*.py"))


def test_a_property_is_made_from_a_method_and_still_is_one() -> None:
    source = '''
class Price:
    amount = 7

    @property
    def doubled(self) -> int:
        """Twice."""

        return 2 * self.amount

    def tripled(self) -> int:
        return 3 * self.amount
'''
    made = made_from_functions(source)
    assert "@property" not in made
    names: dict[str, Any] = {}
    exec(made, names)  # noqa: S102 - the text above
    price = names["Price"]()
    assert (price.doubled, price.tripled()) == (14, 21)


@pytest.mark.parametrize("module", DOMAIN, ids=lambda path: path.stem)
def test_nothing_of_the_domain_is_left_out(module: Path) -> None:
    made = ast.parse(made_from_functions(module.read_text("utf-8")))
    decorated = [
        ast.unparse(decorator)
        for node in ast.walk(made)
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
    ]
    assert set(decorated) <= {"classmethod", "staticmethod", "overload"}
