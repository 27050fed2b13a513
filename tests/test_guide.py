"""The user guide: its blocks run from top to bottom."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "guide.md"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_blocks_run_from_top_to_bottom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    names: dict[str, object] = {}
    for block in re.finditer(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        line = text[: block.start(1)].count("\n")
        exec(compile("\n" * line + block[1], str(PAGE), "exec"), names)
    assert len(names["best"]) == 10
    assert names["found"]["comparison"].eq("type_0 vs type_1").all()
    assert set(names["types"].columns) >= {"label", "probability", "set"}
    assert (names["low"] <= names["high"]).all()
    assert names["clean"]["adt"].n_obs == 150
    assert names["few"].n_vars == 2
    assert (names["same"].obs_names == names["protein"].obs_names).all()
