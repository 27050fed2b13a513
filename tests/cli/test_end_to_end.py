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


@pytest.mark.filterwarnings("ignore:Modality .* lacks:hzau_omics.errors.HzauWarning")
def test_a_sample_of_a_new_batch_is_mapped(
    result_of: RESULT_OF, few_cells: Path, tmp_path: Path
) -> None:
    cells = mudata.read_h5mu(few_cells)
    batch = cells.obs["batch"].astype(str)
    new = (batch == batch.iloc[-1]).to_numpy()
    cells[~new].copy().write(tmp_path / "old.h5mu")
    sample = mudata.MuData({"adt": cells["adt"][cells.obs_names[new]].copy()[:, ::2].copy()})
    sample.obs["batch"] = batch[new].reindex(sample.obs_names)
    sample.write(tmp_path / "new.h5mu")
    words = ["--modality", "rna=nb", "--modality", "adt=nb", "--batch-key", "batch"]
    options = [*words, "--labels-key", "cell_type", "--max-epochs", 2, "--n-latent", 4]
    result_of("train", tmp_path / "old.h5mu", *options, "--out", tmp_path / "run")
    command = ["map", tmp_path / "run", tmp_path / "new.h5mu", "--out", tmp_path / "mapped.h5mu"]
    mapped = result_of(*command, "--impute", "rna")
    assert mapped["cells"] == sum(mapped["labels"].values()) == sample.n_obs
    written = mudata.read_h5mu(tmp_path / "mapped.h5mu")
    assert written.obsm["X_hzau"].shape == (sample.n_obs, 4)
    assert written["rna_imputed"].shape == (sample.n_obs, 30)
    assert written.obs["hzau_novelty_q_value"].between(0, 1).all()
    model = ho.model.HZAUVAE.load(tmp_path / "run" / "model", adata=False)
    np.testing.assert_allclose(
        written.obsm["X_hzau"], model.get_latent_representation(sample), atol=1e-5
    )
