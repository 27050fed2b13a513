"""Models of the benchmark: trained, or read from an earlier run."""

import shutil
import time
from pathlib import Path
from typing import Any

import pandas as pd
from anndata import AnnData

from benchmarks.common.command import silence_lightning
from benchmarks.common.model import model_class
from benchmarks.common.resume import write_whole
from benchmarks.differential.data import RNA, Data

SECONDS = "seconds"
"""File with the seconds of a training, written last: where it lies, the model is whole."""


def ours(data: Data, *, epochs: int, seed: int, kept: Path | None = None) -> Any:
    """Return HZAU-VAE, trained for some epochs; `kept` is where it is kept."""
    silence_lightning()
    model_type: Any = model_class()
    options = {"batch_key": data.batch_key} if data.batch_key else {}
    model_type.setup_mudata(data.mdata, dict(data.likelihoods), **options)
    if is_kept(kept):
        return model_type.load(kept, data.mdata)
    model = model_type(data.mdata)
    start = time.perf_counter()
    model.train(max_epochs=epochs, seed=seed, enable_progress_bar=False)
    _keep(model, kept, start)
    return model


def totalvi(data: Data, *, epochs: int, seed: int, kept: Path | None = None) -> Any:
    """Return totalVI, trained for some epochs; `kept` is where it is kept."""
    import scvi

    silence_lightning()
    scvi.settings.seed = seed
    adata = _with_protein(data)
    scvi.model.TOTALVI.setup_anndata(
        adata, batch_key=data.batch_key, protein_expression_obsm_key="protein"
    )
    if is_kept(kept):
        return scvi.model.TOTALVI.load(kept, adata)
    model: Any = scvi.model.TOTALVI(adata)
    start = time.perf_counter()
    model.train(max_epochs=epochs, enable_progress_bar=False)
    _keep(model, kept, start)
    return model


def is_kept(kept: Path | None) -> bool:
    """Return whether a model is kept."""
    return kept is not None and (kept / SECONDS).is_file()


def _keep(model: Any, kept: Path | None, start: float) -> None:
    if kept is None:
        return
    seconds = time.perf_counter() - start
    shutil.rmtree(kept, ignore_errors=True)
    kept.parent.mkdir(parents=True, exist_ok=True)
    model.save(kept, overwrite=True)
    write_whole(kept / SECONDS, f"{seconds:.1f}")


def _with_protein(data: Data) -> AnnData:
    mdata = data.mdata
    protein = mdata["prot"][mdata.obs_names]
    adata: AnnData = mdata[RNA][mdata.obs_names].copy()
    adata.obs = mdata.obs.copy()
    adata.obsm["protein"] = pd.DataFrame(
        protein.X.toarray(), index=mdata.obs_names, columns=protein.var_names
    )
    return adata
