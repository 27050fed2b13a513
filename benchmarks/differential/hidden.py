"""Protein of half of the cells is hidden, and compared by what the model predicts of it."""

import time
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData

from benchmarks.common.resume import Found
from benchmarks.differential.data import RNA, Data, pbmc10k
from benchmarks.differential.measures import Z, coverage, of_calls, slope
from benchmarks.differential.methods import as_evidence
from benchmarks.differential.models import ours
from benchmarks.differential.parts import Part, Settings, Task

NAME, PROTEIN, CLUSTER = "hidden", "prot", "leiden"
NONE, HALF, ONLY = "none", "half", "only"
FORMS = {
    NONE: "predictions of the cells without protein",
    HALF: "all cells, half of them measured",
    ONLY: "the measured half alone, against all cells",
}
"""Which cells are compared: without the model, the last is all there is."""
RESOLUTION = 0.8


def parts(settings: Settings) -> list[Part]:
    """Return the three forms of each seed."""
    return [
        settings.part(NAME, "protein of RNA clusters", form, seed)
        for seed in range(settings.seeds)
        for form in FORMS
    ]


def measure(part: Part, settings: Settings) -> Found:
    """Compare the table from what was left with that of the measured values."""
    full, hide = cells(part.replicate, quick=part.quick)
    start = time.perf_counter()
    model = fitted(part.replicate, settings)
    names = full.mdata.obs_names
    asked: Any = None if part.method == HALF else without_protein(full.mdata[hide])
    if part.method == ONLY:
        asked = full.mdata[~hide].copy()
    compared = full.mdata[names[hide]].copy() if part.method == NONE else full.mdata
    found = _table(model, asked)
    return {
        **against(found, _table(model, compared), disjoint=part.method == NONE),
        "train_s": time.perf_counter() - start,
    }, {}


def against(found: pd.DataFrame, reference: pd.DataFrame, *, disjoint: bool) -> dict[str, float]:
    """Measure a table against that of the measured values.

    Parameters
    ----------
    found, reference
        Tables of the model, one row per cluster and protein.
    disjoint
        Whether the two have no values in common. If so, a second coverage adds the reference's
        own standard error.
    """
    rows = found.set_index("group1", append=True).index
    reference = reference.set_index("group1", append=True).loc[rows]
    evidence = as_evidence(found)
    truth = reference["lfc"].to_numpy()
    every = np.ones(len(truth), dtype=bool)
    values = of_calls(evidence, reference["is_de_fdr_0.05"].to_numpy())
    values |= {
        "slope of lfc_mean": slope(truth, evidence["lfc_mean"].to_numpy()),
        "coverage, all": coverage(evidence, truth, every),
        "width, log2": float((evidence["high"] - evidence["low"]).median()),
    }
    if disjoint:
        error = (reference["lfc_q95"] - reference["lfc_q05"]).to_numpy() / (2 * Z)
        both = np.hypot(found["lfc_std"].to_numpy(), error)
        gap = np.abs(found["lfc_mean"].to_numpy() - truth)
        values["coverage, with the reference's error"] = float((gap <= Z * both).mean())
    return values


def _table(model: Any, mdata: MuData | None) -> pd.DataFrame:
    found: pd.DataFrame = model.differential_expression(PROTEIN, CLUSTER, mdata=mdata, seed=0)
    return found


@lru_cache(maxsize=1)
def cells(seed: int, *, quick: bool) -> tuple[Data, np.ndarray]:
    """Return all cells with their clusters of RNA, and whose protein is hidden."""
    import scanpy as sc

    data = pbmc10k(quick=quick)
    rna = data.mdata[RNA].copy()
    sc.pp.normalize_total(rna)
    sc.pp.log1p(rna)
    sc.pp.pca(rna)
    sc.pp.neighbors(rna)
    sc.tl.leiden(rna, resolution=RESOLUTION, flavor="igraph", n_iterations=2)
    mdata = data.mdata.copy()
    mdata.obs[CLUSTER] = rna.obs[CLUSTER].reindex(mdata.obs_names).astype(str)
    hide = np.random.default_rng(seed).random(mdata.n_obs) < 0.5
    return replace(data, mdata=mdata), hide


def training_cells(full: MuData, hide: np.ndarray) -> MuData:
    """Return all cells, of which some lack the protein."""
    names = full.obs_names
    found = MuData({RNA: full[RNA].copy(), PROTEIN: full[PROTEIN][names[~hide]].copy()})
    found.obs[CLUSTER] = full.obs[CLUSTER].reindex(found.obs_names)
    return found


def without_protein(mdata: MuData) -> MuData:
    """Return the RNA of cells, with their clusters."""
    found = MuData({RNA: mdata[RNA].copy()})
    found.obs[CLUSTER] = mdata.obs[CLUSTER].reindex(found.obs_names)
    return found


@lru_cache(maxsize=1)
def fitted(seed: int, settings: Settings) -> Any:
    """Return the model of one seed."""
    full, hide = cells(seed, quick=settings.quick)
    data = replace(full, mdata=training_cells(full.mdata, hide))
    kept = settings.model_path(f"{NAME}{seed}")
    return ours(data, epochs=settings.epochs, seed=seed, kept=kept)


TASKS = (
    Task(
        name=NAME,
        what="protein of half of the cells is hidden",
        parts=parts,
        measure=measure,
        titles=FORMS,
    ),
)
