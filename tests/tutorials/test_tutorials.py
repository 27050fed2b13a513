"""Every tutorial runs from top to bottom."""

import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

TUTORIALS = sorted((Path(__file__).parents[2] / "tutorials").glob("[0-9]*.py"))


def test_there_is_a_tutorial():
    assert TUTORIALS


# The tutorials' own claims, checked where a reader would only look.


def first_steps(names):
    assert names["protein"].shape == (1600, 224)
    assert 0.8 < names["coverage"] < 1.0
    assert (names["weights"].sum(axis=1) <= 1 + 1e-5).all()


def cells_in_words(names):
    assert (names["auroc"].drop("killer T lymphocytes with CD8") > 0.95).all()
    assert names["auroc"].min() > 0.7
    assert names["accuracy"] > 0.7
    assert names["found"] > 0.9


def a_new_sample(names):
    assert names["accuracy"]["RNA and protein"] > 0.88
    assert names["accuracy"]["half of the proteins"] > 0.75
    assert names["found_of_new"] > 0.6
    assert names["found_of_known"] < 0.1
    assert names["rna"].n_obs == 400


def what_differs(names):
    assert names["called"].groupby("group1").size().min() > 3
    assert names["n_by_sample"] < names["n_by_cell"]
    assert names["n_by_sample"] > 10
    assert names["pairs"].loc["rna:CD8A", "adt:cd8"] > 0.5
    assert names["n_wrong"] <= 1


CLAIMS = {
    "01_first_steps": first_steps,
    "02_cells_in_words": cells_in_words,
    "03_a_new_sample": a_new_sample,
    "04_what_differs": what_differs,
}


@pytest.mark.tutorial
@pytest.mark.parametrize(
    "path",
    [
        # The fast tier runs the first one only: each takes a minute or two.
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if number else [])
        for number, path in enumerate(TUTORIALS)
    ],
)
def test_tutorial_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    CLAIMS[path.stem](runpy.run_path(str(path)))
    plt.close("all")
