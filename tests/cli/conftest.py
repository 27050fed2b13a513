"""A small MuData, a model that records its calls, and the program itself."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anndata as ad
import mudata
import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.cli import main

CELLS = [f"c{index}" for index in range(6)]


class FakeModel:
    """Record the calls of the command line; noisy on stdout as a progress bar is."""

    calls: dict[str, Any]

    def __init__(self, mdata: Any, **options: Any) -> None:
        self.calls["model"] = options
        self.history = {
            "elbo_train": pd.DataFrame({"elbo_train": [9.0, 4.0]}),
            "elbo_validation": pd.DataFrame({"elbo_validation": [5.0, np.nan]}),
        }

    @classmethod
    def setup_mudata(cls, mdata: Any, **options: Any) -> None:
        cls.calls["setup"] = options

    @classmethod
    def load(cls, folder: Path) -> "FakeModel":
        cls.calls["load"] = folder
        return cls(None)

    def train(self, **options: Any) -> None:
        sys.stdout.write("epoch 1/2\n")
        self.calls["train"] = options

    def annotate(self, mdata: Any) -> None:
        self.calls["annotate"] = True
        mdata.obsm["X_hzau"] = np.ones((mdata.n_obs, 2))
        mdata.obsm["hzau_gate"] = pd.DataFrame({"rna": np.ones(mdata.n_obs)}, index=mdata.obs_names)

    def save(self, folder: Path, *, overwrite: bool) -> None:
        self.calls["save"] = {"overwrite": overwrite}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "weights").touch()

    def impute(self, modality: str, *, mdata: Any, **options: Any) -> ad.AnnData:
        self.calls["impute"] = {"modality": modality, **options}
        imputed = ad.AnnData(np.ones((mdata.n_obs, 3), dtype=np.float32))
        imputed.obs_names = mdata.obs_names
        imputed.obs["observed"] = np.arange(mdata.n_obs) < 4
        return imputed


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Put the fake model in the place of the real one."""
    FakeModel.calls = {}
    # Not setattr: it would look at the real class first, and import it.
    monkeypatch.setitem(vars(ho.model), "HZAUVAE", FakeModel)
    return FakeModel.calls


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Write a small MuData."""
    rna = ad.AnnData(np.ones((6, 4), dtype=np.float32), obs=pd.DataFrame(index=CELLS))
    rna.var_names = list("abcd")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mdata = mudata.MuData({"rna": rna})
        mdata.obs["batch"] = ["x", "y"] * 3
        mdata.write(tmp_path / "cells.h5mu")
    return tmp_path / "cells.h5mu"


@pytest.fixture
def run() -> Callable[..., int]:
    """Run the program with these words; give its exit code."""

    def program(*words: object) -> int:
        with pytest.raises(SystemExit) as stop:
            main([str(word) for word in words])
        code = stop.value.code
        assert code is None or isinstance(code, int)
        return code or 0

    return program
