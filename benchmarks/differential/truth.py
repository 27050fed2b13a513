"""Changes that are known, as they were made: by thinning real counts, or in simulated ones."""

import time
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.common.resume import Found
from benchmarks.differential.data import (
    CONDITIONS,
    RNA,
    Data,
    pbmc10k,
    simulated,
    snare_seq,
    split_cells,
    split_samples,
    thinned,
)
from benchmarks.differential.measures import of_truth
from benchmarks.differential.methods import METHODS, Fit, Groups
from benchmarks.differential.parts import Part, Settings, Task

CELLS, SAMPLES, SIMULATED = "truth-cells", "truth-samples", "truth-simulated"
SHARES = {"halves": 0.5, "10 % against 90 %": 0.1}
BY_SAMPLES = "six libraries against six"
OF_CELLS = ("ours-0", "ours", "wilcoxon", "wilcoxon-ties", "totalvi")
OF_SAMPLES = ("ours-0", "ours", "ours-samples-0", "ours-samples", "wilcoxon")
BY_CELLS, BY_DONORS = "cells of two conditions", "six donors against six"
OF_SIMULATED = {
    BY_CELLS: ("ours-0", "ours", "wilcoxon-ties", "totalvi"),
    BY_DONORS: ("ours-0", "ours", "ours-samples-0", "ours-samples", "wilcoxon-ties"),
}

type Made = tuple[Data, Groups, NDArray[np.float64], NDArray[np.float64]]
"""Data, two groups, log2 fold changes, and counts per cell (before thinning)."""


def cell_parts(settings: Settings) -> list[Part]:
    """Return replicates of cells, those of one model one after the other."""
    return [
        settings.part(CELLS, design, method, i)
        for i in range(settings.replicates)
        for design in SHARES
        for method in OF_CELLS
    ]


def sample_parts(settings: Settings) -> list[Part]:
    """Return replicates of samples."""
    return [
        settings.part(SAMPLES, BY_SAMPLES, method, i)
        for i in range(settings.replicates)
        for method in OF_SAMPLES
    ]


def simulated_parts(settings: Settings) -> list[Part]:
    """Return replicates of simulated cells, each with a seed of its own."""
    return [
        settings.part(SIMULATED, design, method, i)
        for i in range(settings.replicates)
        for design, methods in OF_SIMULATED.items()
        for method in methods
    ]


def measure(part: Part, settings: Settings) -> Found:
    """Measure one method on one replicate."""
    data, groups, change, mean = made(part.task, part.design, part.replicate, quick=part.quick)
    method = METHODS[part.method]
    start = time.perf_counter()
    model = fitted(part.task, part.design, part.replicate, method.fit, settings)
    found = method.test(model, data, groups).loc[data.mdata["rna"].var_names]
    return {**of_truth(found, change, mean), "train_s": time.perf_counter() - start}, {}


@lru_cache(maxsize=1)
def made(task: str, design: str, replicate: int, *, quick: bool) -> Made:
    """Return the cells of the largest type, or simulated ones, with changes in them."""
    if task == SIMULATED:
        return _simulated(design, replicate, quick=quick)
    rng = np.random.default_rng(replicate)
    data = pbmc10k(quick=quick) if task == CELLS else snare_seq(quick=quick)
    data = data.only(data.types[0])
    cells = np.arange(data.mdata.n_obs)
    if task == CELLS:
        groups = split_cells(cells, SHARES[design], rng)
    else:
        groups = split_samples(cells, data.mdata.obs["batch"].astype(str).to_numpy(), rng)
    x = data.rna
    counts, change = thinned(x, *groups, rng)
    return data.with_rna(counts), groups, change, np.asarray(x.mean(0)).ravel()


def _simulated(design: str, replicate: int, *, quick: bool) -> Made:
    data = simulated(replicate, donors=design == BY_DONORS, quick=quick)
    well, ill = (np.flatnonzero(data.mdata.obs["condition"] == name) for name in CONDITIONS)
    change = data.mdata[RNA].var[f"lfc_{CONDITIONS[1]}"].to_numpy()
    return data, (ill, well), change, np.asarray(data.rna.mean(0)).ravel()


@lru_cache(maxsize=2)
def fitted(task: str, design: str, replicate: int, fit: Fit | None, settings: Settings) -> Any:
    """Return a model of the thinned cells."""
    if fit is None:
        return None
    data, *_ = made(task, design, replicate, quick=settings.quick)
    return fit(data, epochs=settings.epochs, seed=replicate)


TASKS = (
    Task(
        name=CELLS,
        what="genes of one type, thinned in one of two groups of cells",
        parts=cell_parts,
        measure=measure,
        titles={name: METHODS[name].title for name in OF_CELLS},
    ),
    Task(
        name=SAMPLES,
        what="genes of one type, thinned in six of twelve libraries",
        parts=sample_parts,
        measure=measure,
        titles={name: METHODS[name].title for name in OF_SAMPLES},
    ),
    Task(
        name=SIMULATED,
        what="simulated genes that change between two conditions",
        parts=simulated_parts,
        measure=measure,
        titles={name: METHODS[name].title for own in OF_SIMULATED.values() for name in own},
    ),
)
