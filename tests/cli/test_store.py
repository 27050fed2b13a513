"""The commands on a store on disk, from files to imputed values, as a user runs them."""

import json

import anndata
import mudata
import pytest

import hzau_omics as ho
from hzau_omics.cli import main


@pytest.fixture
def files(tmp_path):
    paths = []
    for i in range(2):
        mdata = ho.data.simulate(60, n_features={"rna": 12, "adt": 6}, n_batches=2, seed=i)
        for adata in mdata.mod.values():
            adata.obs_names = [f"s{i}_{name}" for name in adata.obs_names]
        named = mudata.MuData(dict(mdata.mod))
        named.obs["batch"] = mdata.obs["batch"].to_numpy()
        paths.append(tmp_path / f"s{i}.h5mu")
        named.write(paths[-1])
    return paths


def call(capsys, *words):
    """Run the command; return its exit code, its result and its messages."""
    with pytest.raises(SystemExit) as stop:
        main([str(word) for word in words])
    captured = capsys.readouterr()
    return stop.value.code or 0, captured.out, captured.err


def test_store_train_and_impute(files, tmp_path, capsys):
    store, out = tmp_path / "cells.zarr", tmp_path / "run"
    modalities = ["--modality", "rna=nb", "--modality", "adt=nb", "--batch-key", "batch"]
    code, text, _ = call(capsys, "data", "store", *files, *modalities, "--out", store)
    assert code == 0
    assert json.loads(text) == {"store": str(store), "cells": 120, "modalities": ["rna", "adt"]}
    code, _, message = call(capsys, "data", "store", *files, *modalities, "--out", store)
    assert code == 2
    assert "exists; add --overwrite to replace it" in message
    assert call(capsys, "data", "store", *files, *modalities, "--out", store, "--overwrite")[0] == 0

    options = ["--max-epochs", 2, "--n-latent", 4, "--out", out]
    code, text, _ = call(capsys, "train", store, *options)
    result = json.loads(text)
    assert code == 0
    assert result["cells"] == 120
    assert result["epochs"] == 2
    assert ho.data.open_store(store).obsm["X_hzau"].shape == (120, 4)

    imputed = tmp_path / "adt.zarr"
    words = ["impute", out, store, "--modality", "adt", "--n-samples", 5, "--out"]
    code, text, _ = call(capsys, *words, imputed)
    assert code == 0
    assert anndata.read_zarr(imputed).shape == (120, 6)
    code, _, message = call(capsys, *words, imputed)
    assert code == 2
    assert "exists; add --overwrite to replace it" in message
    assert call(capsys, *words, imputed, "--overwrite")[0] == 0
    code, _, message = call(capsys, *words, tmp_path / "adt.h5mu")
    assert code == 2
    assert "--out must end in .zarr" in message

    code, _, message = call(capsys, "train", store, *options[:-1], tmp_path / "other")
    assert code == 2
    assert (
        "has results (X_hzau, hzau_gate, hzau_novelty, hzau_reliability); add --overwrite"
        in message
    )
    assert not (tmp_path / "other").exists()
    code, _, message = call(capsys, "train", store, *modalities, *options)
    assert code == 2
    assert "--modality does not apply to a store" in message


def test_a_file_needs_modalities(files, tmp_path, capsys):
    code, _, message = call(capsys, "train", files[0], "--out", tmp_path / "run")
    assert code == 2
    assert "--modality is missing" in message


def test_a_folder_that_is_no_store_fails(tmp_path, capsys):
    code, _, message = call(capsys, "train", tmp_path, "--out", tmp_path / "run")
    assert code == 2
    assert "A store must be a folder with hzau_omics.json" in message
