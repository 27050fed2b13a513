"""Columns that results need or replace are checked before training."""

import functools
from pathlib import Path
from typing import Any

import anndata as ad
import mudata
import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE


def refuse_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a training fail the test."""

    @functools.wraps(HZAUVAE.train)
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("it was trained")

    monkeypatch.setattr(HZAUVAE, "train", refuse)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groupby": "knd"}, r"results\.de\[0\]: The groupby 'knd' is not a column of obs"),
        ({"sample_key": "donor"}, r"results\.de\[0\]: The sample_key 'donor' is not a column"),
        ({"group1": "eve"}, r"group1 must be a group of the column 'kind'.*Did you mean 'even'\?$"),
        ({"group1": "odd", "group2": "odd"}, "cannot be compared with itself"),
        ({"modality": "score"}, "Fold changes are of counts and of shares"),
        ({"delta": -1.0}, "delta must be"),
        ({"groupby": "hzau_cluster"}, "The groupby 'hzau_cluster' is not a column"),
    ],
)
def test_comparisons_that_are_not_possible_are_refused_before_training(
    files: list[Path],
    config: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, Any],
    message: str,
) -> None:
    refuse_training(monkeypatch)
    modalities = {**config["modalities"]}
    if change.get("modality") == "score":
        modalities["score"] = "normal"
    one = {"modality": "rna", "groupby": "kind", **change}
    config = {**config, "modalities": modalities, "results": {"cluster": False, "de": [one]}}
    with pytest.raises(ConfigError, match=message):
        ho.run(files, config, tmp_path / "out", tell=lambda _: None)


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ("setup", {"labels_key": "hzau_cluster"}),
        ("setup", {"batch_key": "hzau_cluster"}),
        ("setup", {"categorical_covariate_keys": ["kind", "hzau_cluster"]}),
        ("input", {"sample_key": "hzau_cluster"}),
    ],
)
def test_a_column_that_the_clusters_would_replace_is_no_key(
    files: list[Path], config: dict[str, Any], tmp_path: Path, section: str, options: dict[str, Any]
) -> None:
    config = {**config, section: options, "results": {"cluster": True}}
    with pytest.raises(
        ConfigError, match=rf"writes its clusters to .*{section}\.{next(iter(options))}"
    ):
        ho.run(files, config, tmp_path / "out", tell=lambda _: None)


@pytest.mark.slow
def test_clusters_and_maps_of_the_user_stay_and_those_of_an_earlier_run_do_not(
    config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mdata = ho.data.simulate(60, seed=0, n_features={"rna": 12, "adt": 6})
    own = np.arange(120.0).reshape(60, 2)
    mdata.obs["leiden"] = np.where(np.arange(60) % 2, "odd", "even")
    mdata.obs["hzau_cluster"] = "former"
    mdata.obsm["X_umap"] = mdata.obsm["X_hzau_umap"] = own
    mdata.write(tmp_path / "cells.h5mu")
    asked: dict[str, Any] = {}

    def report(_: HZAUVAE, target: Path, cells: mudata.MuData, **options: Any) -> None:
        asked.update(options)
        target.write_text("", encoding="utf-8")

    monkeypatch.setattr(HZAUVAE, "report", report)
    results: dict[str, Any] = {
        "h5ad": "rna",
        "de": [{"modality": "rna", "groupby": "hzau_cluster"}],
    }
    results |= {"cluster": True, "n_neighbors": 5, "resolution": 2.0}
    config = {**config, "setup": {"labels_key": "leiden"}, "results": results}
    out = tmp_path / "out"
    ho.run([tmp_path / "cells.h5mu"], config, out, tell=lambda _: None)
    cells = mudata.read_h5mu(out / "cells.h5mu")
    assert cells.obs["leiden"].tolist() == mdata.obs["leiden"].tolist()
    np.testing.assert_array_equal(cells.obsm["X_umap"], own)
    assert "former" not in set(cells.obs["hzau_cluster"])
    assert not np.array_equal(cells.obsm["X_hzau_umap"], own)
    exported = ad.read_h5ad(out / "rna.h5ad")
    assert exported.obs["hzau_cluster"].tolist() == cells.obs["hzau_cluster"].tolist()
    assert {"X_umap", "X_hzau_umap"} <= set(exported.obsm)
    assert asked["labels_key"] == "leiden"
    assert (asked["cluster_key"], asked["basis"]) == ("hzau_cluster", "X_hzau_umap")
