"""Splits of one type's cells, or of its samples, without a difference: every call is false."""

import time
from functools import lru_cache
from typing import Any

import numpy as np

from benchmarks.common.resume import Found
from benchmarks.differential.data import Data, pbmc10k, snare_seq, split_cells, split_samples
from benchmarks.differential.measures import of_null
from benchmarks.differential.methods import METHODS, Fit, Groups
from benchmarks.differential.parts import Part, Settings, Task

CELLS, SAMPLES = "null-cells", "null-samples"
HALVES, FEW = "halves", "5 % against 95 %"
SHARES = {HALVES: 0.5, FEW: 0.05}
OF_CELLS = ("ours-0", "ours", "wilcoxon", "wilcoxon-ties", "totalvi")
OF_SAMPLES = ("ours-0", "ours", "ours-samples-0", "ours-samples", "wilcoxon")
BY_SAMPLES = "six libraries against six"


def cell_parts(settings: Settings) -> list[Part]:
    """Return splits of cells, split by split, so that an interrupted run has some of all."""
    return [
        settings.part(CELLS, design, method, i)
        for i in range(settings.splits)
        for design in SHARES
        for method in OF_CELLS
        if method != "totalvi" or i < settings.peer_splits
    ]


def sample_parts(settings: Settings) -> list[Part]:
    """Return splits of samples."""
    return [
        settings.part(SAMPLES, BY_SAMPLES, method, i)
        for i in range(settings.splits)
        for method in OF_SAMPLES
    ]


def measure(part: Part, settings: Settings) -> Found:
    """Count the calls of one method on one split."""
    of_cells = part.task == CELLS
    data = pbmc10k(quick=part.quick) if of_cells else snare_seq(quick=part.quick)
    model = fitted(part.task, METHODS[part.method].fit, settings)
    start = time.perf_counter()
    found = METHODS[part.method].test(model, data, groups_of(part, data))
    return {**of_null(found), "train_s": time.perf_counter() - start}, {}


def groups_of(part: Part, data: Data) -> Groups:
    """Return the two groups of a split; the types take turns, and all methods get the same."""
    types = [name for name in data.types if len(data.positions(name))]
    positions = data.positions(types[part.replicate % len(types)])
    rng = np.random.default_rng(part.replicate)
    if part.task == CELLS:
        return split_cells(positions, SHARES[part.design], rng)
    samples = data.mdata.obs[data.batch_key].astype(str).to_numpy()
    return split_samples(positions, samples, rng)


@lru_cache(maxsize=3)
def fitted(task: str, fit: Fit | None, settings: Settings) -> Any:
    """Return the model of a method, trained on all cells."""
    if fit is None:
        return None
    data = pbmc10k(quick=settings.quick) if task == CELLS else snare_seq(quick=settings.quick)
    kept = settings.model_path(f"{task}_{fit.__name__}")
    return fit(data, epochs=settings.epochs, seed=0, kept=kept)


TASKS = (
    Task(
        name=CELLS,
        what="cells of one type, split at random",
        parts=cell_parts,
        measure=measure,
        titles={name: METHODS[name].title for name in OF_CELLS},
    ),
    Task(
        name=SAMPLES,
        what="libraries of one type, split at random",
        parts=sample_parts,
        measure=measure,
        titles={name: METHODS[name].title for name in OF_SAMPLES},
    ),
)
