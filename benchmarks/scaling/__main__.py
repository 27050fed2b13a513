"""How the cost of training grows with cells, features, modalities and experts.

``python -m benchmarks.scaling`` trains on simulated data, one size changed at a time, and writes a
table and a picture. Times are those of ``train()`` with default arguments, after a first call of
one epoch for what is compiled; a flat line of cells per second means a cost in proportion.
"""

import argparse
import itertools
import logging
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.common.command import run_command
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run

_logger = logging.getLogger("benchmarks")

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
    family = [(name,) for name in of]
    yield (*family, of)
    for order in (2, 3):
        family += list(itertools.combinations(of, order))
        yield (*family, of)


def thin(adata: Any, *, seed: int) -> None:
    """Keep about a tenth of the counts: real cells are sparser than simulated ones."""
    adata.X.data = np.random.default_rng(seed).binomial(adata.X.data.astype(int), 0.1)
    adata.X.data = adata.X.data.astype(np.float32)
    adata.X.eliminate_zeros()


def measure(size: Size, *, epochs: int, batch_size: int) -> dict[str, Any]:
    """Train on one problem; give seconds and cells per second."""
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


def picture(table: pd.DataFrame, path: Path) -> Path:
    """Draw cells per second against each size, and write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    axes_of = list(dict.fromkeys(table["axis"]))
    figure, axes = plt.subplots(
        1, len(axes_of), figsize=(3.2 * len(axes_of), 3), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, name in zip(axes[0], axes_of, strict=True):
        part = table[table["axis"] == name]
        ax.plot(part["value"], part["cells_per_s"], "o-", color="#0072B2")
        ax.set(xscale="log", yscale="log", xlabel=name, title=f"by {name}")
        ax.set_xticks(part["value"], [f"{v:,}" for v in part["value"]])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    axes[0][0].set_ylabel("cells / s in train()")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    p.add_argument("--epochs", type=int, default=3, help="epochs that are timed")
    p.add_argument("--batch-size", type=int, default=128)
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument("--quick", action="store_true", help="small sizes, to try it")
    p.add_argument("--out", type=Path, default=Path("benchmarks/out"), help="for files")
    return p


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    for noisy in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    set_threads(args.threads)
    rows = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for size in sizes(quick=args.quick):
            rows.append(measure(size, epochs=args.epochs, batch_size=args.batch_size))
            _logger.info("%s %d: %.0f cells/s", size.axis, size.value, rows[-1]["cells_per_s"])
    table = pd.DataFrame(rows)
    print(markdown(table, digits=1))
    record = {"benchmark": "scaling", **environment(command=command, threads=args.threads)}
    name = run_name("scaling")
    paths = write_run(args.out, name, {"": table}, record)
    return [*paths, picture(table, args.out / f"{name}.png")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
