"""The page for users of other tools: its code runs, and its table knows all of their methods."""

import inspect
import re
from pathlib import Path

import pytest

from hzau_omics.model import HZAUVAE

PAGE = Path(__file__).parents[2] / "docs" / "coming_from.md"


def table() -> dict[str, str]:
    """Return what the table of methods says of each."""
    part = PAGE.read_text(encoding="utf-8").split("## Every public method")[1]
    return dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", part, flags=re.MULTILINE))


def public_methods(cls: type) -> set[str]:
    kinds = (staticmethod, classmethod)
    return {
        name
        for name in dir(cls)
        if not name.startswith("_")
        and (
            inspect.isfunction(found := inspect.getattr_static(cls, name))
            or isinstance(found, kinds)
        )
    }


@pytest.mark.parametrize("name", ["TOTALVI", "MULTIVI"])
def test_the_table_names_every_public_method(name):
    import scvi

    assert public_methods(getattr(scvi.model, name)) - table().keys() == set()


def test_the_table_names_nothing_else():
    import scvi

    theirs = public_methods(scvi.model.TOTALVI) | public_methods(scvi.model.MULTIVI)
    assert table().keys() - theirs == set()


def test_what_the_table_says_of_ours_is_so():
    for name, ours in table().items():
        known = hasattr(HZAUVAE, name)
        if ours.startswith(("the same name", "refused")):
            assert known, name
        elif ours.startswith(("none", "not needed")):
            assert not known, name
        else:
            called = re.match(r"`(\w+)", ours)
            assert called is not None, ours
            assert hasattr(HZAUVAE, called[1]), ours


@pytest.mark.timeout(300)
def test_the_blocks_run_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.finditer(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block[1], str(PAGE), "exec"), names)
    assert names["draws"].shape == (200, 20, 10)
    assert names["adata"].n_vars == 120
    assert names["new"].shape == (200, 20)
