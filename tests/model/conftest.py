"""Small trained models that the tests share, and how to train another."""

import hashlib
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mudata import MuData

import hzau_omics as ho
from hzau_omics.model import HZAUVAE

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

PAIR = {"rna": "nb", "adt": "nb"}
WITH_TOTALS = {name: ho.data.ModalitySpec(likelihood="nb", library="observed") for name in PAIR}
DESIGN = {
    "n_features": {"rna": 16, "adt": 7},
    "n_batches": 3,
    # No cell of batch_1 has protein; some cells of the other batches lack RNA.
    "missing": {"adt": ["batch_1"], "rna": 0.2},
}


def fit_model(
    mdata: MuData,
    modalities: dict[str, Any] | None = None,
    *,
    setup: dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    **train: Any,
) -> HZAUVAE:
    """Set up, build and train a tiny model on the CPU."""
    HZAUVAE.setup_mudata(mdata, modalities or PAIR, **(setup or {}))
    model = HZAUVAE(mdata, **{"n_latent": 4, "n_hidden": 16, **(options or {})})
    model.train(**{**QUICK, **train})
    return model


QUICK = {
    "max_epochs": 2,
    "batch_size": 32,
    "accelerator": "cpu",
    "enable_progress_bar": False,
    "seed": 0,
}


def fingerprint_of(mdata: MuData) -> dict[str, str]:
    """Return a digest of everything that a MuData holds, by its place."""
    parts: dict[str, Any] = {"mods": list(mdata.mod)}
    for key, value in mdata.obsmap.items():
        parts[f"obsmap {key}"] = np.asarray(value)
    for name, part in {"": mdata, **mdata.mod}.items():
        parts[f"{name} obs"], parts[f"{name} var"] = part.obs, part.var
        parts[f"{name} uns"] = sorted(part.uns)
        parts |= {f"{name} obsm {key}": value for key, value in part.obsm.items()}
        if name:
            parts[f"{name} X"] = part.to_df()
            parts[f"{name} stored"] = type(part.X).__name__
            parts |= {f"{name} layer {key}": part.to_df(key) for key in part.layers}
    return {place: _digest(value) for place, value in parts.items()}


def _digest(value: Any) -> str:
    if isinstance(value, pd.DataFrame):
        value = (value.to_csv(), value.dtypes.to_string())
    elif isinstance(value, np.ndarray):
        value = (value.dtype.str, value.shape, value.tobytes())
    return hashlib.sha256(repr(value).encode()).hexdigest()


@pytest.fixture(scope="session")
def quick() -> dict[str, Any]:
    return dict(QUICK)


@pytest.fixture(scope="session")
def fit() -> Callable[..., HZAUVAE]:
    return fit_model


@pytest.fixture(scope="session")
def fingerprint() -> Callable[[MuData], dict[str, str]]:
    return fingerprint_of


@pytest.fixture(scope="session")
def shared_model() -> HZAUVAE:
    """A trained model; no test may train it or change its data."""
    mdata = ho.data.simulate(n_obs=90, seed=0, **DESIGN)
    return fit_model(mdata, WITH_TOTALS, setup={"batch_key": "batch"}, max_epochs=3)


@pytest.fixture
def model(shared_model, monkeypatch) -> HZAUVAE:
    """The shared model, which refuses to be trained."""
    monkeypatch.setattr(shared_model, "train", None, raising=False)
    return shared_model


@pytest.fixture(scope="session", params=["nb", "multinomial"])
def panel_model(request) -> HZAUVAE:
    """A model of protein of which batch_1 measured the first 6 features only."""
    design = {"n_features": {"rna": 12, "adt": 20}, "n_batches": 2}
    mdata = ho.data.simulate(n_obs=120, seed=1, **design)
    adt = mdata["adt"]
    adt.var["measured_batch_0"] = True
    adt.var["measured_batch_1"] = np.arange(20) < 6
    values = adt.X.toarray()
    values[np.ix_(mdata.obs["batch"] == "batch_1", np.arange(6, 20))] = 0
    adt.X = values
    setup = {"batch_key": "batch", "panel_key": "measured"}
    adt_spec = ho.data.ModalitySpec(likelihood=request.param, library="observed")
    return fit_model(mdata, {**WITH_TOTALS, "adt": adt_spec}, setup=setup, max_epochs=5)


@pytest.fixture
def mdata() -> MuData:
    """Small paired data of one batch, for tests that train or spoil them."""
    return ho.data.simulate(n_obs=80, n_features={"rna": 12, "adt": 6}, seed=2)


@pytest.fixture
def query() -> MuData:
    """Held-out cells of the shared model's design."""
    return ho.data.simulate(n_obs=30, seed=7, **DESIGN)
