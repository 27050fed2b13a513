"""Simulated problems, one size changed at a time, and the time that training takes on one."""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.common.simulated import thin

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
    n_obs: int = 4_000
    n_features: int = 2_000
    n_modalities: int = 2
    experts: Experts = None


def sizes(*, quick: bool = False) -> Iterator[Size]:
    """Give the problems of the benchmark, or few small ones."""
    cells = (200,) if quick else (2_000, 8_000, 32_000)
    features = (300,) if quick else (500, 2_000, 8_000, 24_000)
    modalities = (2,) if quick else (2, 4, 8, 14, 20)
    n_obs = 200 if quick else 4_000
    n_few = 200 if quick else 1_000
    for n in cells:
        yield Size(axis="cells", value=n, n_obs=n)
    for n in features:
        yield Size(axis="features", value=n, n_features=n, n_obs=n_obs)
    for n in modalities:
        yield Size(axis="modalities", value=n, n_modalities=n, n_obs=n_few)
    for experts in expert_families(4 if quick else 8):
        yield Size(
            axis="experts",
            value=len(experts),
            n_modalities=4 if quick else 8,
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


def measure(size: Size, *, epochs: int, batch_size: int) -> dict[str, Any]:
    """Train on one problem; give seconds and cells per second."""
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
    options: dict[str, Any] = {"batch_size": batch_size, "enable_progress_bar": False, "seed": 0}
    model.train(1, **options)
    warm = time.perf_counter()
    model.train(epochs, **options, early_stopping=False)
    seconds = time.perf_counter() - warm
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
