"""Simulated problems, one size changed at a time: ``python -m benchmarks.scaling.run '{...}'``.

Each axis has a process of its own.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.common.process import answer, in_process
from benchmarks.common.report import set_threads
from benchmarks.common.simulated import thin

WARM_UP_CELLS = 256

Experts = tuple[tuple[str, ...], ...] | None


@dataclass(frozen=True, kw_only=True)
class Size:
    """One simulated problem.

    Attributes
    ----------
    axis, value
        What is varied, and how far.
    n_obs
        Cells.
    n_features
        Features of the first modality.
    n_modalities
        Modalities; all but the first have 50 features.
    experts
        Subsets with an expert; None for the default family.
    """

    axis: str
    value: int
    n_obs: int = 2_000
    n_features: int = 2_000
    n_modalities: int = 2
    experts: Experts = None


@dataclass(frozen=True, kw_only=True)
class ScalingRun:
    """Which problems are trained, and how.

    Attributes
    ----------
    axis
        What is varied.
    quick
        Whether sizes are few and small.
    epochs, batch_size
        Of the timed calls of ``train``.
    threads
        Threads of torch and BLAS; None leaves them alone.
    """

    axis: str
    epochs: int
    batch_size: int
    quick: bool = False
    threads: int | None = None


def sizes(*, quick: bool = False) -> Iterator[Size]:
    """Give the problems of the benchmark, or few small ones."""
    cells = (200,) if quick else (2_000, 8_000, 32_000)
    features = (300,) if quick else (500, 2_000, 8_000, 24_000)
    modalities = (2,) if quick else (2, 3, 5, 10, 20)
    # Few steps tell what a step costs; with many modalities it costs seconds.
    n_obs, n_few = (200, 200) if quick else (2_000, 300)
    for n in cells:
        yield Size(axis="cells", value=n, n_obs=n)
    for n in features:
        yield Size(axis="features", value=n, n_features=n, n_obs=n_obs)
    for n in modalities:
        yield Size(axis="modalities", value=n, n_modalities=n, n_obs=n_few)
    n_modalities = 4 if quick else 8
    for experts in expert_families(n_modalities):
        yield Size(
            axis="experts",
            value=len(experts),
            n_modalities=n_modalities,
            n_obs=n_few,
            experts=experts,
        )


def axes(*, quick: bool = False) -> tuple[str, ...]:
    """Give what is varied, in order."""
    return tuple(dict.fromkeys(size.axis for size in sizes(quick=quick)))


def names(n: int) -> tuple[str, ...]:
    """Names of n modalities."""
    return tuple(f"m{i}" for i in range(n))


def expert_families(n: int) -> Iterator[tuple[tuple[str, ...], ...]]:
    """Give families of growing size: singles and all; and pairs; and triples."""
    of = names(n)
    family: list[tuple[str, ...]] = [(name,) for name in of]
    yield (*family, of)
    for order in (2, 3):
        family += itertools.combinations(of, order)
        yield (*family, of)


def run_axis(run: ScalingRun) -> list[dict[str, Any]]:
    """Run in a process of its own.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    rows: list[dict[str, Any]] = in_process("benchmarks.scaling.run", run, f"by {run.axis}")["rows"]
    return rows


def measure(run: ScalingRun) -> dict[str, Any]:
    """Train the problems of an axis, the smallest first; give a row for each.

    Before, a model is trained on few cells and thrown away: what is compiled is there from then on,
    and does not depend on sizes.
    """
    set_threads(run.threads)
    mine = [size for size in sizes(quick=run.quick) if size.axis == run.axis]
    time_one(replace(mine[0], n_obs=min(mine[0].n_obs, WARM_UP_CELLS)), 1, run.batch_size)
    return {"rows": [time_one(size, run.epochs, run.batch_size) for size in mine]}


def time_one(size: Size, epochs: int, batch_size: int) -> dict[str, Any]:
    """Train a new model on one problem; give seconds and cells per second."""
    # Late: a list of sizes should not cost the import of scvi-tools.
    from hzau_omics.data import simulate
    from hzau_omics.model import HZAUVAE

    modalities = names(size.n_modalities)
    mdata = simulate(
        size.n_obs,
        n_features={m: size.n_features if i == 0 else 50 for i, m in enumerate(modalities)},
        missing=0.2,
    )
    for i, modality in enumerate(modalities):
        thin(mdata[modality], seed=i)
    start = time.perf_counter()
    HZAUVAE.setup_mudata(mdata, dict.fromkeys(modalities, "nb"))
    model = HZAUVAE(mdata, experts=size.experts)
    ready = time.perf_counter()
    model.train(
        epochs, batch_size=batch_size, enable_progress_bar=False, seed=0, early_stopping=False
    )
    seconds = time.perf_counter() - ready
    return {
        "axis": size.axis,
        "value": size.value,
        "cells": size.n_obs,
        "features": size.n_features,
        "modalities": size.n_modalities,
        "experts": len(model.module.family),
        "setup_s": ready - start,
        "train_s": seconds,
        "cells_per_s": size.n_obs * epochs / seconds,
    }


if __name__ == "__main__":
    answer(ScalingRun, measure)
