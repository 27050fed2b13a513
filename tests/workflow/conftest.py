"""Small files, and a small configuration."""

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hzau_omics as ho

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Write 60 cells with RNA and protein as two files."""
    mdata = ho.data.simulate(60, seed=0, n_features={"rna": 12, "adt": 6})
    for name in ("rna", "adt"):
        adata = mdata[name].copy()
        adata.obs["batch"] = mdata.obs["batch"].astype(str).reindex(adata.obs_names)
        adata.obs["kind"] = np.where(np.arange(60) % 2, "odd", "even")
        adata.write_h5ad(tmp_path / f"{name}.h5ad")
    return [tmp_path / "rna.h5ad", tmp_path / "adt.h5ad"]


@pytest.fixture
def config() -> dict[str, Any]:
    """Return the configuration of a short run, without clusters."""
    return {
        "modalities": {"rna": "nb", "adt": "nb"},
        "model": {"n_latent": 4, "n_hidden": 16},
        "train": {"max_epochs": 2, "batch_size": 32, "accelerator": "cpu"},
        "results": {"cluster": False},
    }


@pytest.fixture
def lines() -> list[str]:
    """Return a list for the lines that a run tells."""
    return []
