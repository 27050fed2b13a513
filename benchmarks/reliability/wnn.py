"""Modality weights of weighted nearest neighbours (Hao et al. 2021), as muon computes them."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from mudata import MuData

from benchmarks.common.task import dense
from hzau_omics.errors import ConfigError

N_PCS = 30
N_NEIGHBOURS = 20


def _muon() -> Any:
    """Import muon, which no extra installs.

    Raises
    ------
    ConfigError
        It is not there.
    """
    try:
        import muon
    except ImportError as error:
        msg = "The weights of WNN are computed by muon, which is not installed: pip install muon."
        raise ConfigError(msg) from error
    return muon


def wnn_weights(train: MuData, test: MuData, *, seed: int = 0) -> pd.DataFrame:
    """Return the weight of each modality of the test cells, rows summing to 1.

    The method has no notion of a held-out cell: the graph is of training and test cells together.
    RNA is normalised, log1p-transformed and reduced to 30 principal components; protein is
    CLR-transformed over cells. Both are brought to unit length, as muon advises.
    """
    muon = _muon()
    joint = MuData({name: _joined(train, test, name) for name in train.mod})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, adata in joint.mod.items():
            adata.obsm["X_reduced"] = _reduced(adata, is_rna=name == "rna", seed=seed)
            sc.pp.neighbors(adata, N_NEIGHBOURS, use_rep="X_reduced", random_state=seed)
        muon.pp.neighbors(joint, random_state=seed)
    columns = [f"{name}:mod_weight" for name in joint.mod]
    weights: pd.DataFrame = joint.obs[columns].iloc[train.n_obs :]
    return weights.set_axis(list(joint.mod), axis=1)


def _joined(train: MuData, test: MuData, name: str) -> AnnData:
    x = np.concatenate([dense(part, name) for part in (train, test)])
    names = train.obs_names.append(test.obs_names)
    return AnnData(x, obs=pd.DataFrame(index=names))


def _reduced(adata: AnnData, *, is_rna: bool, seed: int) -> np.ndarray:
    x = np.log1p(np.asarray(adata.X))
    if is_rna:
        total = np.maximum(np.asarray(adata.X).sum(1, keepdims=True), 1)
        x = np.log1p(np.asarray(adata.X) / total * 1e4)
        x = sc.pp.pca(x, n_comps=min(N_PCS, x.shape[1] - 1), random_state=seed)
    else:
        x = x - x.mean(1, keepdims=True)
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
