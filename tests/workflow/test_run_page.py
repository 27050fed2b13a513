"""The configurations of docs/run.md: short, valid, and run on tiny data."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import h5py
import mudata
import numpy as np
import pytest
import scipy.sparse as sp
import yaml

import hzau_omics as ho

PAGE = Path(__file__).resolve().parents[2] / "docs" / "run.md"
TITLES = (
    "CITE-seq of two batches", "A file of Cell Ranger", "RNA and chromatin",
    "A mosaic with texts", "Several samples",
)  # fmt: skip
LONGEST = 15


def block(title: str) -> str:
    """Return the configuration of a section of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n")[1].split("\n## ")[0]
    found = re.findall(r"^```yaml\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    assert len(found) == 1, title
    return found[0]


def two_files(folder: Path) -> list[str]:
    mdata = ho.data.simulate(60, seed=0, n_batches=2, n_features={"rna": 12, "prot": 6})
    mdata["prot"].var["measured_batch_0"] = True
    mdata["prot"].var["measured_batch_1"] = True
    for name, adata in mdata.mod.items():
        adata.obs["batch"] = mdata.obs["batch"].astype(str).reindex(adata.obs_names)
        adata.obs["cell_type"] = np.where(np.arange(adata.n_obs) % 2, "odd", "even")
        adata.write_h5ad(folder / f"{name}.h5ad")
    return ["rna.h5ad", "prot.h5ad"]


def cell_ranger(
    folder: Path, name: str = "filtered_feature_bc_matrix.h5", seed: int = 0
) -> list[str]:
    values = np.random.default_rng(seed).poisson(2.0, (18, 60)).astype(np.int32)
    counts = sp.csc_matrix(values)
    kinds = ["Gene Expression"] * 12 + ["Antibody Capture"] * 6
    symbols = [f"G{i}" for i in range(12)] + [f"P{i}" for i in range(6)]
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / name, "w") as file:
        matrix = file.create_group("matrix")
        for key in ("data", "indices", "indptr"):
            matrix[key] = getattr(counts, key)
        matrix["shape"] = counts.shape
        matrix["barcodes"] = np.array([f"CELL{i}-1" for i in range(60)], dtype="S")
        features = matrix.create_group("features")
        features["id"] = np.array([f"ENSG{i:011d}" for i in range(18)], dtype="S")
        features["name"] = np.array(symbols, dtype="S")
        features["feature_type"] = np.array(kinds, dtype="S")
        features["genome"] = np.array(["GRCh38"] * 18, dtype="S")
    return [name]


def multiome(folder: Path) -> list[str]:
    mdata = ho.data.simulate(60, seed=0, n_features={"rna": 12, "atac": 20})
    mdata.obs["cell_type"] = np.where(np.arange(60) % 2, "odd", "even")
    mdata.write(folder / "multiome.h5mu")
    return ["multiome.h5mu"]


def mosaic(folder: Path) -> list[str]:
    mdata = ho.data.load("pbmc_mosaic")
    rows = np.concatenate([np.arange(40) + 400 * batch for batch in range(4)])
    part = mdata[rows]
    few = mudata.MuData({name: part[name][:, :30].copy() for name in ("rna", "adt")})
    few.obs = mdata.obs.loc[few.obs_names]
    notes = few.obs[["description"]].dropna().rename(columns={"description": "note"})
    notes.to_csv(folder / "notes.csv", index_label="cell")
    few.write(folder / "cells.h5mu")
    return ["cells.h5mu", "notes.csv"]


def samples(folder: Path) -> list[str]:
    for seed, one in enumerate(("donor1", "donor2")):
        cell_ranger(folder, f"{one}/filtered_feature_bc_matrix.h5", seed)
    return []


MAKERS: dict[str, Callable[[Path], list[str]]] = dict(
    zip(TITLES, (two_files, cell_ranger, multiome, mosaic, samples), strict=True)
)


def shortened(config: dict[str, Any]) -> dict[str, Any]:
    """Return the configuration for tiny data: few epochs, a small network, few features."""
    modalities = {
        name: {**one, "n_top": 5} if isinstance(one, dict) and "n_top" in one else one
        for name, one in config["modalities"].items()
    }
    return {
        **config,
        "modalities": modalities,
        "model": {**config.get("model", {}), "n_latent": 4, "n_hidden": 16},
        "train": {**config.get("train", {}), "max_epochs": 2, "accelerator": "cpu"},
        "results": {**config.get("results", {}), "cluster": False, "report": False},
    }


def test_all_configurations_of_the_page_are_tested() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.count("```yaml") == len(TITLES)
    for title in TITLES:
        assert len(block(title).splitlines()) <= LONGEST, title


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.filterwarnings("ignore::hzau_omics.errors.HzauWarning")
def test_a_configuration_of_the_page_runs(
    title: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    inputs = MAKERS[title](tmp_path)
    config = shortened(yaml.safe_load(block(title)))
    found = ho.run(inputs, config, tmp_path / "out", tell=lambda _: None)
    cells = mudata.read_h5mu(tmp_path / "out" / "cells.h5mu")
    assert set(cells.mod) >= set(config["modalities"])
    assert cells.obsm["X_hzau"].shape == (cells.n_obs, 4)
    for path in (tmp_path / "out").glob("imputed_*.h5ad"):
        assert ad.read_h5ad(path).n_obs == cells.n_obs
    assert not found["interrupted"]


@pytest.mark.slow
def test_the_first_example_runs_as_it_is_written(tmp_path: Path) -> None:
    inputs = [tmp_path / name for name in two_files(tmp_path)]
    config = shortened(yaml.safe_load(block(TITLES[0])))
    config["results"] = {**config["results"], "cluster": True, "report": True}
    ho.run(inputs, config, tmp_path / "out", tell=lambda _: None)
    assert (tmp_path / "out" / "report.html").stat().st_size > 0
