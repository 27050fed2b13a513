"""What the mixing of batches leaves of a condition, and of a type that one batch alone has.

``python -m benchmarks.integration.conditions`` simulates paired cells and trains with default
arguments, with each weight of the mixing in turn. *Crossed*: both of two batches have both
conditions, and one type is in the first batch only. *Unbalanced*: the same cells, but trained on a
fourth of those that are ill in the first batch or well in the second. *Confounded*: two of four
batches have one condition each, as donors do; also trained without a batch. Embeddings are compared
with the simulated latent (``truth``). Shares are of a cell's 15 nearest neighbours.
"""

import argparse
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestNeighbors

from benchmarks.common.command import add_output_options, run_command, silence_lightning
from benchmarks.common.model import model_class
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.scores import NEIGHBOURS
from hzau_omics.data import simulate
from hzau_omics.metrics import cross_validated_knn_accuracy

type Latent = NDArray[Any]

MODALITIES = {"rna": "nb", "adt": "nb"}
ALONE = "type_3"
"""The type that the first batch alone has, where conditions are crossed with batches."""

RARE = 0.25
"""Share of a batch's rarer condition that is trained on, where conditions are unbalanced."""

CROSSED = {
    "n_batches": 2,
    "conditions": ["well", "ill"],
    "absent_types": {"batch_1": ALONE},
}
DESIGNS: dict[str, dict[str, Any]] = {
    "crossed": CROSSED,
    "unbalanced": CROSSED,
    "confounded": {
        "n_batches": 4,
        "conditions": {f"batch_{i}": "well" if i < 2 else "ill" for i in range(4)},
    },
}
KEPT = ("condition_logistic", "condition_knn", "alone")
"""Measures that mixing should leave as they are without it."""

_logger = logging.getLogger("benchmarks")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.integration.conditions")
    p.description = __doc__
    p.add_argument("--design", action="append", choices=list(DESIGNS), help="default: all")
    p.add_argument("--mixing", type=float, action="append", help="weight; default: 0 and 1000")
    p.add_argument("--seeds", type=int, default=3, help="number of seeds (3)")
    p.add_argument("--cells", type=int, default=1000, help="cells (1000)")
    p.add_argument("--batch-effect", type=float, default=2, help="of logits (2)")
    p.add_argument("--condition-effect", type=float, default=1.0, help="in the latent (1)")
    p.add_argument("--max-epochs", type=int, help="cut training short (not for quoted figures)")
    add_output_options(p)
    return p


def measures(latent: Latent, obs: pd.DataFrame) -> dict[str, float]:
    """Measure how well types and conditions are told apart, and how batches lie.

    Parameters
    ----------
    latent
        Embedding (cell, dimension).
    obs
        Columns ``cell_type``, ``condition`` and ``batch`` of the cells.

    Returns
    -------
    ``condition_logistic``, ``condition_knn``: accuracy of the condition within types, from 5-fold
    cross-validation, mean over cells. ``type_purity``: neighbours of a cell's type, for types that
    several batches have; ``alone``: the same for those of one batch. ``other_batches``: neighbours
    of other batches, for types that several have; ``even``: what it would be among all cells.
    """
    kind, condition, batch = (obs[c].astype(str).to_numpy() for c in MEASURED)
    near = NearestNeighbors(n_neighbors=NEIGHBOURS).fit(latent).kneighbors(return_distance=False)
    shared = obs.groupby("cell_type", observed=True)["batch"].transform("nunique").gt(1).to_numpy()
    pure = (kind[near] == kind[:, None]).mean(axis=1)
    same = (batch[:, None] == batch).mean(axis=1)
    by_type = [np.flatnonzero(kind == name) for name in np.unique(kind)]
    sizes = [len(rows) for rows in by_type]
    line = LogisticRegression(max_iter=1000)
    logistic = [
        (cross_val_predict(line, latent[rows], condition[rows], cv=5) == condition[rows]).mean()
        for rows in by_type
    ]
    knn = [cross_validated_knn_accuracy(latent[rows], condition[rows]) for rows in by_type]
    return {
        "condition_logistic": float(np.average(logistic, weights=sizes)),
        "condition_knn": float(np.average(knn, weights=sizes)),
        "type_purity": float(pure[shared].mean()),
        "alone": float(pure[~shared].mean()) if not shared.all() else float("nan"),
        "other_batches": float((batch[near] != batch[:, None])[shared].mean()),
        "even": float(1 - same[shared].mean()),
    }


MEASURED = ["cell_type", "condition", "batch"]


def embeddings(
    mdata: MuData, args: argparse.Namespace, *, design: str, seed: int, cls: Any
) -> Iterator[tuple[str, float, Latent]]:
    """Yield what was embedded, the weight of the mixing, and the latent."""
    yield "truth", float("nan"), mdata.obsm["z_true"]
    chosen = trained_on(mdata, design, seed)
    weights = args.mixing or [0.0, 1000.0]
    wanted: list[tuple[str, str | None, float]] = [("model", "batch", w) for w in weights]
    if design == "confounded":
        wanted.append(("model without batch", None, float("nan")))
    for name, batch_key, weight in wanted:
        with warnings.catch_warnings():
            # Batches that differ this much have features that are silent in one of them.
            warnings.filterwarnings("ignore", message=r"[\d,]+ features? of .* 0 in all")
            cls.setup_mudata(chosen, MODALITIES, batch_key=batch_key)
        model = cls(chosen)
        model.train(
            seed=seed,
            max_epochs=args.max_epochs,
            plan_kwargs=None if batch_key is None else {"mixing": weight},
            enable_progress_bar=False,
            accelerator="cpu",
        )
        yield name, weight, np.asarray(model.get_latent_representation(mdata))


def trained_on(mdata: MuData, design: str, seed: int) -> MuData:
    """Return the cells to train on: all, or those that make conditions unbalanced."""
    if design != "unbalanced":
        return mdata
    common = (mdata.obs["batch"] == "batch_0") == (mdata.obs["condition"] == "well")
    kept = np.random.default_rng(seed).random(mdata.n_obs) < RARE
    return mdata[common.to_numpy() | kept].copy()


def measured(args: argparse.Namespace, cls: Any) -> pd.DataFrame:
    """Return a row for each design, seed and embedding."""
    rows = []
    for design in args.design or list(DESIGNS):
        for seed in range(args.seeds):
            mdata = simulate(
                args.cells,
                batch_effect=args.batch_effect,
                condition_effect=args.condition_effect,
                seed=seed,
                **DESIGNS[design],
            )
            for name, weight, latent in embeddings(mdata, args, design=design, seed=seed, cls=cls):
                found = measures(latent, mdata.obs[MEASURED])
                rows.append(
                    {"design": design, "seed": seed, "embedding": name, "mixing": weight, **found}
                )
                shown = ", ".join(f"{key} {value:.3f}" for key, value in found.items())
                _logger.info("%s, seed %d, %s %g: %s", design, seed, name, weight, shown)
    return pd.DataFrame(rows)


def kept(table: pd.DataFrame) -> pd.DataFrame:
    """Return the share of each measure that is left of that without mixing, seed by seed.

    ``above_chance`` counts what the accuracy of the condition is above 0.5.
    """
    model = table[table["embedding"] == "model"]
    index = ["design", "seed"]
    without = model[model["mixing"] == 0].set_index(index)
    if without.empty:
        return without
    rows = []
    for _, row in model[model["mixing"] != 0].iterrows():
        base = without.loc[(row["design"], row["seed"])]
        found = {name: row[name] / base[name] for name in KEPT}
        for name in ("condition_logistic", "condition_knn"):
            found[f"{name}_above_chance"] = (row[name] - 0.5) / (base[name] - 0.5)
        rows.append(
            {"design": row["design"], "mixing": row["mixing"], "seed": row["seed"], **found}
        )
    return pd.DataFrame(rows)


def benchmark(args: argparse.Namespace, command: Sequence[str], *, cls: Any = None) -> list[Path]:
    """Do what the command line says, print means over seeds, and give the files written."""
    set_threads(args.threads)
    silence_lightning()
    table = measured(args, cls or model_class())
    left = kept(table)
    by = ["design", "embedding", "mixing"]
    means = table.drop(columns="seed").groupby(by, dropna=False, sort=False).mean().reset_index()
    print(markdown(means))
    if len(left):
        print("\nshare of what it is without mixing, mean over seeds\n")
        print(markdown(left.drop(columns="seed").groupby(by[::2]).mean().reset_index()))
    record = {
        "benchmark": "integration of conditions",
        "batch_effect": args.batch_effect,
        "condition_effect": args.condition_effect,
        "cells": args.cells,
        **environment(command=command, threads=args.threads),
    }
    name = run_name("integration", "conditions")
    return write_run(args.out, name, {"": table} | ({"kept": left} if len(left) else {}), record)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
