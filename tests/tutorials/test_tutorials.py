"""Every tutorial runs from top to bottom."""

import os
import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

TUTORIALS = sorted((Path(__file__).parents[2] / "tutorials").glob("[0-9]*.py"))
TRANSLATIONS = {path for path in TUTORIALS if path.suffixes == [".zh", ".py"]}
"""Their code is that of the originals (test_translations.py)."""


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


def two_batches(names):
    assert (names["panels"]["found_InHouse"] == names["panels"]["measured_InHouse"]).sum() == 15
    assert names["mixed"].loc["neighbours of the other batch", "model"] > 0.1
    assert names["protein"].shape == (600, 16)
    assert 0 < names["covered"] < 1
    assert names["agreement"] > 0.5


def snareseq(names):
    assert names["accuracy"]["rna"] > names["accuracy"]["most frequent type"]
    assert set(names["found"]) == {(m, d) for m in ("rna", "atac") for d in ("lost", "ambient")}
    assert names["imputed"].n_vars == 1500
    assert names["is_linked"].sum() == 60


def which_measurement_to_trust(names):
    suspicious, disagreeing = names["suspicious"], names["disagreeing"]
    assert (suspicious.loc["as measured"] < 0.1).all()
    assert suspicious.loc["RNA 60 % ambient", "rna"] > 0.9
    assert suspicious.loc["RNA 1 in 20 left", "rna"] > 0.9
    assert suspicious.loc["protein 1 in 20 left", "adt"] > 0.9
    assert suspicious.loc["RNA half left", "rna"] < 0.4
    assert disagreeing["swapped, of another type"] > 0.6
    assert max(disagreeing["as measured"], disagreeing["swapped, of the same type"]) < 0.2
    assert names["difference"] < 1e-4
    covered, error = names["covered"], names["error"]
    assert covered["another cell's"].mean() < covered["60 % ambient"].mean() - 0.1
    assert error["another cell's"] > error["60 % ambient"] > error["as measured"]
    assert names["covered_agreeing"] > covered["another cell's"].mean() + 0.1


def more_cells_than_memory(names):
    assert names["large"].n_cells == 3 * names["store"].n_cells
    assert (names["memory"]["peak"] > names["memory"]["libraries"]).all()
    assert names["imputed"].n_obs == names["store"].n_cells
    assert names["correlation"].median() > 0.2
    assert not names["folder"].exists()


def overconfident_products(names):
    coverage, density = names["correlated"]["coverage"], names["correlated"]["log density"]
    assert (abs(coverage["true posterior"] - 0.9) < 0.01).all()
    assert abs(coverage.loc[0, "product over priors"] - 0.9) < 0.01
    assert abs(coverage.loc[1, "uniform pool"] - 0.9) < 0.01
    assert (coverage["product"] < 0.8).all()
    assert (density.max(axis=1) - density["true posterior"] < 1e-9).all()
    assert (names["copies"][["mixture", "uniform pool"]] > 0.88).all(axis=None)
    assert names["copies"].loc[6, "product"] < 0.55
    failed = names["spoiled"]["log density"]["one failed"]
    assert failed.idxmax() == "gate by values and sign"
    measured, ambient = (names["trained"].loc[name] for name in ("as measured", "RNA ambient"))
    assert (measured["coverage"] < 0.85).all()
    assert np.ptp(measured["error"]) < 0.1
    assert ambient["error"].idxmin() == "gate (HZAUVAE)"
    assert ambient["error"].idxmax() == "product (MVAE)"


CLAIMS = {
    "01_first_steps": first_steps,
    "02_cells_in_words": cells_in_words,
    "03_a_new_sample": a_new_sample,
    "04_what_differs": what_differs,
    "05_two_batches": two_batches,
    "06_snareseq": snareseq,
    "07_which_measurement_to_trust": which_measurement_to_trust,
    "08_more_cells_than_memory": more_cells_than_memory,
    "09_overconfident_products": overconfident_products,
}
SMALL = {
    "05_two_batches": {"N_CELLS": 300, "N_GENES": 300, "N_EPOCHS": 10},
    "06_snareseq": {"N_CELLS": 60, "N_PEAKS": 1500, "N_EPOCHS": 12},
    "08_more_cells_than_memory": {"N_CELLS": 1000},
}
"""Sizes for the tests, of tutorials that would take long."""

FILES = {
    "05_two_batches": "citeseq_pbmc_2batch_labelled.h5mu",
    "06_snareseq": "multiome_snareseq_mouse_cortex.h5mu",
}
"""Data that a tutorial needs, where they do not come with the package."""


def with_sizes(script, sizes):
    """Return a script with other values of the constants at its beginning."""
    for name, value in sizes.items():
        script, n = re.subn(rf"^{name} = \d+", f"{name} = {value}", script, flags=re.MULTILINE)
        assert n == 1, name
    return script


@pytest.mark.tutorial
@pytest.mark.timeout(900)  # One starts four processes, which a busy machine makes wait.
@pytest.mark.parametrize(
    "path",
    [
        # The fast tier runs the first one only: each takes a minute or two.
        pytest.param(path, id=path.stem, marks=[pytest.mark.slow] if number else [])
        for number, path in enumerate(TUTORIALS)
        if path not in TRANSLATIONS
    ],
)
def test_tutorial_runs(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    file = FILES.get(path.stem)
    if file and not (Path(os.environ.get("HZAU_OMICS_DATA", "")) / file).is_file():
        pytest.skip(f"needs {file} in the folder that HZAU_OMICS_DATA names")
    script = tmp_path / path.name
    script.write_text(with_sizes(path.read_text("utf-8"), SMALL.get(path.stem, {})), "utf-8")
    CLAIMS[path.stem](runpy.run_path(str(script)))
    plt.close("all")
