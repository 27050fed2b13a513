"""Simulated problems, one size changed at a time: ``python -m benchmarks.scaling.run '{...}'``.

Each is trained in a process of its own.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.common.process import answer, in_process
from benchmarks.common.report import peak_memory_gb, set_threads
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
class ScalingRun(Size):
    """One simulated problem, and how it is trained.

    Attributes
    ----------
    epochs, batch_size
        Of the timed call of ``train``.
    threads
        Threads of torch and BLAS; None leaves them alone.
    """

    epochs: int
    batch_size: int
    threads: int | None = None


def sizes(*, quick: bool = False) -> Iterator[Size]:
    """Give the problems of the benchmark, or few small ones."""
    cells = (200,) if quick else (2_000, 8_000, 32_000)
    features = (300,) if quick else (500, 2_000, 8_000, 24_000)
    modalities = (2,) if quick else (2, 3, 5, 10, 20)
    # Few steps tell what a step costs; with many modalities it costs seconds.
    n_obs, n_few = (200, 200) if quick else (2_000, 500)
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


def run_once(run: ScalingRun) -> dict[str, Any]:
    """Run in a process of its own.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    return in_process("benchmarks.scaling.run", run, f"{run.axis} {run.value}")


def measure(run: ScalingRun) -> dict[str, Any]:
    """Train on few cells and throw the model away, then time another; give the figures.

    What is compiled is there after the first model: it does not depend on the number of cells.
    """
    set_threads(run.threads)
    options: dict[str, Any] = {
        "batch_size": run.batch_size, "enable_progress_bar": False, "seed": 0,
        "early_stopping": False,
    }  # fmt: skip
    _model(run, min(run.n_obs, WARM_UP_CELLS))[0].train(1, **options)
    model, setup = _model(run, run.n_obs)
    start = time.perf_counter()
    model.train(run.epochs, **options)
    seconds = time.perf_counter() - start
    return {
        "axis": run.axis,
        "value": run.value,
        "cells": run.n_obs,
        "features": run.n_features,
        "modalities": run.n_modalities,
        "experts": len(model.module.family),
        "setup_s": setup,
        "train_s": seconds,
        "cells_per_s": run.n_obs * run.epochs / seconds,
        "peak_memory_gb": peak_memory_gb(),
    }


def _model(size: Size, n_obs: int) -> tuple[Any, float]:
    """Return a model of simulated cells that is not trained, and the seconds to set it up."""
    # Late: a list of sizes should not cost the import of scvi-tools.
    from hzau_omics.data import simulate
    from hzau_omics.model import HZAUVAE

    modalities = names(size.n_modalities)
    mdata = simulate(
        n_obs,
        n_features={m: size.n_features if i == 0 else 50 for i, m in enumerate(modalities)},
        missing=0.2,
    )
    for i, modality in enumerate(modalities):
        thin(mdata[modality], seed=i)
    start = time.perf_counter()
    HZAUVAE.setup_mudata(mdata, dict.fromkeys(modalities, "nb"))
    model = HZAUVAE(mdata, experts=size.experts)
    return model, time.perf_counter() - start


if __name__ == "__main__":
    answer(ScalingRun, measure)
