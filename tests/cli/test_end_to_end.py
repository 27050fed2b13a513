"""`train` and `impute` with the real model, on a few real cells."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import mudata
import numpy as np
import pytest

import hzau_omics as ho

RESULT_OF = Callable[..., dict[str, Any]]


@pytest.fixture
def result_of(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> RESULT_OF:
    """Run the program, which succeeds, and read its result."""

    def program(*words: object) -> dict[str, Any]:
        capsys.readouterr()
        assert run(*words) == 0
        captured = capsys.readouterr()
        assert "litlogger" not in captured.err
        return json.loads(captured.out)

    return program


def test_after_a_failed_write_the_saved_model_gives_the_annotations(
    run: Callable[..., int], tmp_path: Path
) -> None:
    mdata = ho.data.simulate(60, seed=0, n_features={"rna": 12, "adt": 6})
    mdata.obs["ratio"] = 1.0
    source, out = tmp_path / "cells.h5mu", tmp_path / "run"
    mdata.write(source)
    with h5py.File(source, "r+") as file:
        obs = file["obs"]
        obs.create_group("CD4")
        obs.move("ratio", "CD4/CD8")
        order = [name.replace("ratio", "CD4/CD8") for name in obs.attrs["column-order"]]
        obs.attrs["column-order"] = order
    options = ["--modality", "rna=nb", "--modality", "adt=nb", "--max-epochs", 1, "--n-latent", 4]
    assert run("train", source, *options, "--out", out) == 1
    # What the message advises.
    cells = mudata.read_h5mu(source)
    cells.obs = cells.obs.rename(columns={"CD4/CD8": "CD4_CD8"})
    model = ho.model.HZAUVAE.load(out / "model", cells)
    model.annotate(cells)
    cells.write(tmp_path / "annotated.h5mu")
    assert mudata.read_h5mu(tmp_path / "annotated.h5mu").obsm["X_hzau"].shape == (60, 4)


@pytest.fixture
def few_cells(tmp_path: Path) -> Path:
    """Write 80 cells of each batch of the bundled data, with few features."""
    mdata = ho.data.load("pbmc_mosaic")
    rows = np.concatenate([np.arange(80) + 400 * batch for batch in range(4)])
    part = mdata[rows]
    cut = {name: part[name][:, :30].copy() for name in ("rna", "adt")}
    few = mudata.MuData(cut)
    few.obs = mdata.obs.loc[few.obs_names]
    few.write(tmp_path / "few.h5mu")
    return tmp_path / "few.h5mu"


def test_a_trained_model_imputes_from_the_file_it_annotated(
    result_of: RESULT_OF, few_cells: Path, tmp_path: Path
) -> None:
    words = ["--modality", "rna=nb", "--modality", "adt=nb", "--batch-key", "batch"]
    options = [*words, "--text-column", "description", "--max-epochs", 1, "--n-latent", 4]
    trained = result_of("train", few_cells, *options, "--out", tmp_path / "run")
    again = result_of("train", few_cells, *options, "--out", tmp_path / "again")
    assert trained["cells"] == 320
    assert np.isfinite(trained["elbo_validation"])
    assert trained["elbo_train"] == again["elbo_train"]

    annotated = mudata.read_h5mu(trained["data"])
    assert annotated.obsm["X_hzau"].shape == (320, 4)
    np.testing.assert_allclose(annotated.obsm["hzau_gate"].sum(axis=1), 1, atol=1e-5)

    out = tmp_path / "adt.h5mu"
    words = ["impute", tmp_path / "run", trained["data"], "--modality", "adt", "--given", "rna"]
    result = result_of(*words, "--n-samples", 3, "--out", out)
    imputed = mudata.read_h5mu(out)
    assert list(imputed.obs_names) == list(annotated.obs_names)
    assert result["observed"] == annotated["adt"].n_obs
    assert (imputed["adt"].layers["q05"] <= imputed["adt"].layers["q95"]).all()
