"""One training from a store, in a process of its own: ``python -m benchmarks.streaming.run``."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anndata
import mudata
import numpy as np

from benchmarks.common.process import answer
from benchmarks.common.report import peak_memory_gb, set_threads

N_SAMPLES = 5
"""Predictive draws per cell."""


@dataclass(frozen=True, kw_only=True)
class StreamRun:
    """What is trained, and from where.

    Attributes
    ----------
    path
        The store.
    source
        ``disk``, or ``memory`` to read all of it into a MuData first.
    batch_size, epochs
        Of the timed call of ``train``.
    threads
        Threads of torch and BLAS; None leaves them alone.
    """

    path: str
    source: str
    batch_size: int
    epochs: int
    threads: int | None = None


def in_memory(path: str) -> mudata.MuData:
    """Read a whole store as a MuData."""
    from hzau_omics.data import open_store

    store = open_store(path)
    modalities = {}
    taken = store.values(np.arange(store.n_cells))
    for m, modality in enumerate(store.layout.modalities):
        has = store.present[:, m]
        adata = anndata.AnnData(taken[modality.name][has])
        adata.obs_names = store.obs_names[has]
        adata.var_names = list(modality.var_names)
        modalities[modality.name] = adata
    return mudata.MuData(modalities)


def build(run: StreamRun) -> Any:
    """Build the model on a store or on a MuData with the same cells."""
    from hzau_omics.data import open_store
    from hzau_omics.model import HZAUVAE

    if run.source == "disk":
        return HZAUVAE(open_store(run.path))
    mdata = in_memory(run.path)
    HZAUVAE.setup_mudata(mdata, dict.fromkeys(mdata.mod, "nb"))
    return HZAUVAE(mdata)


def measure(run: StreamRun) -> dict[str, Any]:
    """Train, and time every answer; give the figures."""
    set_threads(run.threads)
    start = time.perf_counter()
    model = build(run)
    ready = time.perf_counter()
    model.train(
        run.epochs,
        batch_size=run.batch_size,
        early_stopping=False,
        enable_progress_bar=False,
        seed=0,
    )
    trained = time.perf_counter()
    n_cells = model.n_cells
    figures = {
        "source": run.source,
        "open_s": ready - start,
        "train_cells_per_s": n_cells * run.epochs / (trained - ready),
        "peak_train_gb": peak_memory_gb(),
        "elbo": -float(model.history["elbo_validation"].iloc[-1, 0]),
    }
    for name, seconds in _answer_seconds(model, run).items():
        figures[f"{name}_cells_per_s"] = n_cells / seconds
    figures["peak_all_gb"] = peak_memory_gb()
    return figures


def _answer_seconds(model: Any, run: StreamRun) -> dict[str, float]:
    """Return the seconds that each answer takes; from disk, imputed values go back to the disk."""
    at = [time.perf_counter()]
    for answer_of in (model.get_latent_representation, model.annotate, model.get_reliability):
        answer_of()
        at.append(time.perf_counter())
    options: dict[str, Any] = {"n_samples": N_SAMPLES, "seed": 0}
    if run.source == "disk":
        with tempfile.TemporaryDirectory() as folder:
            model.write_imputed(Path(folder) / "adt.zarr", "adt", **options)
    else:
        model.impute("adt", **options)
    at.append(time.perf_counter())
    names = ("embed", "annotate", "reliability", "impute")
    return dict(zip(names, np.diff(at).tolist(), strict=True))


if __name__ == "__main__":
    answer(StreamRun, measure)
