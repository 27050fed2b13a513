"""A translated tutorial has the code and the formulas of the original."""

import ast
import re
from pathlib import Path

import pytest

TRANSLATIONS = sorted((Path(__file__).parents[2] / "tutorials").glob("[0-9]*.zh.py"))

pytestmark = pytest.mark.parametrize("path", TRANSLATIONS, ids=lambda path: path.stem)


def original_of(path):
    return path.with_name(path.name.replace(".zh.py", ".py"))


def code_of(path):
    """Return the code without comments and docstrings."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node):
            node.body = node.body[1:]
    return ast.unparse(tree)


def cells_of(path):
    """Return the text of each cell with words, and None for each cell with code."""
    parts = re.split(r"^# %%", path.read_text("utf-8"), flags=re.MULTILINE)[1:]
    return [part if part.startswith(" [markdown]") else None for part in parts]


def test_code_is_that_of_the_original(path):
    assert code_of(path) == code_of(original_of(path))


def test_cells_come_in_the_order_of_the_original(path):
    kinds = [[text is None for text in cells_of(one)] for one in (path, original_of(path))]
    assert kinds[0] == kinds[1]


@pytest.mark.parametrize("pattern", [r"\$[^$]+\$", r"^# #+ ", r"^# - "])
def test_cells_have_the_formulas_headings_and_items_of_the_original(path, pattern):
    pairs = zip(cells_of(path), cells_of(original_of(path)), strict=True)
    for translated, original in pairs:
        found = [
            re.findall(pattern, text or "", flags=re.MULTILINE) for text in (translated, original)
        ]
        assert found[0] == found[1]
