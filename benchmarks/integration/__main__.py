"""Label conservation and batch mixing of HZAU-VAE beside uncorrected PCA, with a UMAP.

``python -m benchmarks.integration multiome_snareseq_mouse_cortex.h5mu`` trains on all cells (RNA
with a negative binomial, chromatin as 0/1 with a Bernoulli likelihood, batch given), drops cells
whose label is unknown, and computes scib-metrics (extra ``metrics``) on both embeddings. The labels
must not be made from one of the modalities, as PBMC protein gates are: such a score would say
nothing.
"""

import argparse
import logging
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mudata
import numpy as np
import pandas as pd

from benchmarks.common.command import run_command
from benchmarks.common.data import find_file
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.integration.embeddings import embed_ours, embed_pca
from benchmarks.integration.figures import umap_picture
from benchmarks.integration.scib import integration_metrics
from hzau_omics.errors import ConfigError, DataContractError

_logger = logging.getLogger("benchmarks")
_CHROMATIN = ("atac", "peaks")
OURS, PCA = "X_hzau", "PCA"


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.integration", description=__doc__)
    p.add_argument("file", help="h5mu: a path, or a name in HZAU_OMICS_DATA or the registry")
    p.add_argument("--modality", action="append", default=[], help="MODALITY=LIKELIHOOD")
    p.add_argument("--pca-modality", default="rna", help="modality of the PCA")
    p.add_argument("--batch-key", default="batch")
    p.add_argument("--label-key", default="cell_type")
    p.add_argument("--drop-label", action="append", default=None, help="default: Mis, unknown")
    p.add_argument("--max-cells", type=int, default=5000, help="cells for the metrics; 0: all")
    p.add_argument("--max-epochs", type=int, help="cut training short (not for quoted figures)")
    p.add_argument("--only-pca", action="store_true", help="leave HZAU-VAE out")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument("--out", type=Path, default=Path("benchmarks/out"), help="folder of results")
    return p


def choose_likelihoods(given: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Read MODALITY=LIKELIHOOD, or by name: chromatin Bernoulli, everything else negative binomial.

    Raises
    ------
    ConfigError
        If an entry is malformed or names an unknown modality.
    """
    if not given:
        return {n: "bernoulli" if n.lower() in _CHROMATIN else "nb" for n in names}
    chosen = {}
    for entry in given:
        modality, sign, likelihood = entry.partition("=")
        if modality not in names or not sign or not likelihood:
            message = (
                f"--modality takes MODALITY=LIKELIHOOD with a modality of the file "
                f"({', '.join(names)}), for example rna=nb; it got {entry!r}."
            )
            raise ConfigError(message)
        chosen[modality] = likelihood
    return chosen


def scored_cells(labels: pd.Series, drop: Sequence[str], max_cells: int, seed: int) -> np.ndarray:
    """Row numbers of cells with a known label, at most ``max_cells`` (0: all) of them at random.

    Raises
    ------
    DataContractError
        If no cell is left.
    """
    known = np.flatnonzero(labels.notna() & ~labels.astype(str).isin(list(drop)))
    if len(known) == 0:
        existing = sorted(labels.dropna().astype(str).unique())
        message = (
            f"No cell is left after dropping the labels {', '.join(drop)} and missing ones; "
            f"obs.{labels.name} has {', '.join(existing[:10])}. Choose another --drop-label."
        )
        raise DataContractError(message)
    if max_cells and len(known) > max_cells:
        known = np.random.default_rng(seed).choice(known, max_cells, replace=False)
    return np.sort(known)


def check_keys(mdata: mudata.MuData, args: argparse.Namespace) -> None:
    """Refuse unknown obs columns and modalities before anything is trained.

    Raises
    ------
    ConfigError
        If one is not there.
    """
    for kind, name, existing in (
        ("obs column", args.batch_key, mdata.obs.columns),
        ("obs column", args.label_key, mdata.obs.columns),
        ("modality", args.pca_modality, mdata.mod),
    ):
        if name not in existing:
            message = f"There is no {kind} {name!r}; the file has {', '.join(existing)}."
            raise ConfigError(message)


def embeddings(
    mdata: mudata.MuData, args: argparse.Namespace, *, cls: Any = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Embed all cells with each method; also the seconds and epochs."""
    found: dict[str, np.ndarray] = {}
    record: dict[str, Any] = {}
    if not args.only_pca:
        likelihoods = choose_likelihoods(args.modality, list(mdata.mod))
        train_kwargs = {} if args.max_epochs is None else {"max_epochs": args.max_epochs}
        start = time.perf_counter()
        found[OURS], model = embed_ours(
            mdata,
            modalities=likelihoods,
            batch_key=args.batch_key,
            seed=args.seed,
            train_kwargs=train_kwargs,
            cls=cls,
        )
        record[OURS] = {
            "seconds": time.perf_counter() - start,
            "likelihoods": likelihoods,
            "epochs": len(model.history["elbo_train"]),
            "train_kwargs": train_kwargs,
        }
        _logger.info("HZAU-VAE: %.0f s", record[OURS]["seconds"])
    start = time.perf_counter()
    found[PCA] = embed_pca(mdata, modality=args.pca_modality, seed=args.seed)
    record[PCA] = {"seconds": time.perf_counter() - start, "modality": args.pca_modality}
    return found, record


def metric_table(
    found: Mapping[str, np.ndarray], labels: np.ndarray, batch: np.ndarray, *, seed: int
) -> pd.DataFrame:
    """Compute the metrics of every embedding in one long table with a column ``embedding``."""
    tables = []
    for name, x in found.items():
        start = time.perf_counter()
        tables.append(integration_metrics(x, labels, batch, seed=seed).assign(embedding=name))
        _logger.info("metrics of %s: %.0f s", name, time.perf_counter() - start)
    return pd.concat(tables, ignore_index=True)


def benchmark(args: argparse.Namespace, command: Sequence[str], *, cls: Any = None) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    set_threads(args.threads)
    path = find_file(args.file)
    mdata = mudata.read_h5mu(path)
    check_keys(mdata, args)
    drop = args.drop_label if args.drop_label is not None else ["Mis", "unknown"]
    rows = scored_cells(mdata.obs[args.label_key], drop, args.max_cells, args.seed)
    found, methods = embeddings(mdata, args, cls=cls)
    found = {name: x[rows] for name, x in found.items()}
    obs = mdata.obs.iloc[rows][[args.label_key, args.batch_key]].astype(str)
    table = metric_table(
        found, obs[args.label_key].to_numpy(), obs[args.batch_key].to_numpy(), seed=args.seed
    )
    record = {
        "benchmark": "integration",
        "file": path.name,
        "n_cells": mdata.n_obs,
        "n_scored": len(rows),
        "dropped_labels": drop,
        "seed": args.seed,
        **environment(command=command, threads=args.threads),
        "methods": methods,
    }
    print(f"{path.name}: {mdata.n_obs} cells, metrics on {len(rows)} with a known label\n")
    wide = table.pivot_table(
        index=["kind", "metric"], columns="embedding", values="value", sort=False
    )
    print(markdown(wide.reset_index()))
    name = run_name("integration", path.stem, f"seed{args.seed}")
    picture = umap_picture(found, obs, path=args.out / f"{name}.png", seed=args.seed)
    return [*write_run(args.out, name, {"": table}, record), picture]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where the file, a name or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
