"""Notebooks in docs/tutorials are the tutorials as they are, run with the present model."""

import json
import re
from pathlib import Path

import pytest

from hzau_omics.model.version import MODEL_VERSION

ROOT = Path(__file__).parents[2]
SCRIPTS = {path.stem: path for path in (ROOT / "tutorials").glob("[0-9]*.py")}
NOTEBOOKS = {path.stem: path for path in (ROOT / "docs" / "tutorials").glob("*.ipynb")}
LARGEST = 700_000


def cells_of_script(text):
    """Return kind and source of each cell, read without jupytext."""
    cells = []
    for part in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        first, _, body = part.partition("\n")
        lines = body.strip("\n").split("\n")
        if "[markdown]" in first:
            cells.append(("markdown", "\n".join(line[2:] for line in lines)))
        else:
            cells.append(("code", "\n".join(lines)))
    return cells


def cells_of_notebook(notebook):
    """Return kind and source of each cell, without what `make tutorials` says of the making."""
    return [
        (cell["cell_type"], "".join(cell["source"]))
        for cell in notebook["cells"]
        if "head" not in cell["metadata"].get("tags", [])
    ]


@pytest.fixture(params=sorted(NOTEBOOKS))
def name(request):
    return request.param


@pytest.fixture
def notebook(name):
    return json.loads(NOTEBOOKS[name].read_text(encoding="utf-8"))


def test_the_reader_of_scripts_sees_both_kinds_of_cells():
    text = (
        "# ---\n# a: b\n# ---\n\n# %% [markdown]\n# # Title\n#\n# Text.\n\n# %%\nx = 1\n\ny = 2\n"
    )
    assert cells_of_script(text) == [("markdown", "# Title\n\nText."), ("code", "x = 1\n\ny = 2")]


def test_every_tutorial_has_a_notebook():
    assert sorted(NOTEBOOKS) == sorted(SCRIPTS), "run `make tutorials T=NAME`"


def test_a_notebook_equals_its_script(name, notebook):
    script = cells_of_script(SCRIPTS[name].read_text(encoding="utf-8"))
    assert cells_of_notebook(notebook) == script, f"run `make tutorials T={name}`"


def test_a_notebook_is_of_the_present_model(name, notebook):
    heads = [cell for cell in notebook["cells"] if "head" in cell["metadata"].get("tags", [])]
    assert len(heads) == 1
    text = "".join(heads[0]["source"])
    assert re.search(rf"(model version|模型版本) {MODEL_VERSION}\b", text), (
        f"make tutorials T={name}"
    )
    assert notebook["metadata"]["hzau_omics"]["model_version"] == MODEL_VERSION


def test_a_notebook_was_run_without_errors(notebook):
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in output.get("data", {}) for cell in code for output in cell["outputs"])
    assert not any(output["output_type"] == "error" for cell in code for output in cell["outputs"])


def test_a_notebook_is_small(name):
    assert NOTEBOOKS[name].stat().st_size < LARGEST
