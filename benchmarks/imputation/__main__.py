"""Held-out imputation of one modality from another, all methods on the same cells in the same run.

``python -m benchmarks.imputation citeseq_pbmc10k_totalvi.h5mu --against totalvi`` holds out a fifth
of the paired cells (seed 0), trains on the rest, predicts the target modality of the held-out cells
from the source, and scores the mean over features of the Pearson correlation of predicted and
measured log1p counts (higher is better).
"""

import argparse
import logging
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.command import run_command
from benchmarks.common.data import Split, find_file, make_split
from benchmarks.common.report import (
    environment,
    markdown,
    run_name,
    set_threads,
    summarise,
    write_run,
)
from benchmarks.imputation.methods import METHODS, OURS, RunOptions, choose_methods
from benchmarks.imputation.scores import score
from hzau_omics.errors import ConfigError

_logger = logging.getLogger("benchmarks")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.imputation", description=__doc__)
    p.add_argument(
        "file", help="h5mu file: a path, a name in HZAU_OMICS_DATA, or a name in the registry"
    )
    p.add_argument("--source", help="modality to predict from (default: RNA)")
    p.add_argument("--target", help="modality to predict (default: the other of two)")
    p.add_argument("--group-key", default="cell_type", help="obs column for the group mean")
    p.add_argument("--split-seed", type=int, default=0, help="seed of the held-out cells")
    p.add_argument("--seeds", type=int, default=5, help="training seeds of HZAU-VAE: 0 .. N-1")
    p.add_argument("--against-seeds", type=int, default=1, help="the same of mlp and totalvi")
    p.add_argument(
        "--against", action="append", default=[], metavar="NAMES", help="also: mlp, totalvi"
    )
    p.add_argument("--only", action="append", default=[], help="only: " + ", ".join(METHODS))
    p.add_argument(
        "--likelihood", action="append", default=[], metavar="MOD=NAME", help="default: nb"
    )
    p.add_argument("--max-epochs", type=int, help="cut training short (not for quoted figures)")
    p.add_argument("--totalvi-epochs", type=int, default=100, help="0: totalVI's own default")
    p.add_argument("--totalvi-no-adversary", action="store_true", help="without its adversary")
    p.add_argument("--accelerator", default="auto", choices=["auto", "cpu", "gpu"])
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument(
        "--out", type=Path, default=Path("benchmarks/out"), help="folder for CSV and JSON"
    )
    return p


def _names(values: Iterable[str]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _likelihoods(values: Iterable[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in _names(values)]
    for modality, sign, name in pairs:
        if not (modality and sign and name):
            message = f"--likelihood takes MODALITY=NAME, for example rna=nb; it got {modality!r}."
            raise ConfigError(message)
    return {modality: name for modality, _, name in pairs}


def run_method(
    name: str, split: Split, seeds: Sequence[int], options: RunOptions
) -> tuple[list[dict[str, Any]], list[pd.DataFrame], list[dict[str, Any]]]:
    """Run one method for each seed: rows of scores, tables per feature, and records."""
    rows, features, records = [], [], []
    for seed in seeds:
        start = time.perf_counter()
        predictions = METHODS[name](split, seed, options)
        seconds = time.perf_counter() - start
        for label, prediction in predictions.items():
            table = score(prediction, split.test_y, split.features)
            means = table.drop(columns="feature").mean()
            rows.append({"method": label, "seed": seed, **means, "seconds": seconds})
            features.append(table.assign(method=label, seed=seed))
            records.append({"method": label, "seed": seed, "seconds": seconds, **prediction.info})
            _logger.info(
                "%s, seed %d: Pearson %.4f, %.0f s", label, seed, means["pearson"], seconds
            )
    return rows, features, records


def run_all(
    split: Split, methods: Sequence[str], *, seeds: int, against_seeds: int, options: RunOptions
) -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, Any]]]:
    """Run the methods: one table per run and seed, one per feature, and the records."""
    n_seeds = {OURS: seeds, "mlp": against_seeds, "totalvi": against_seeds}
    rows: list[dict[str, Any]] = []
    features: list[pd.DataFrame] = []
    records: list[dict[str, Any]] = []
    for name in methods:
        _logger.info("running %s", name)
        parts = run_method(name, split, range(n_seeds.get(name, 1)), options)
        for whole, part in zip((rows, features, records), parts, strict=True):
            whole.extend(part)
    return pd.DataFrame(rows), pd.concat(features, ignore_index=True), records


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    import mudata

    methods = choose_methods(_names(args.against), _names(args.only))
    options = RunOptions(
        max_epochs=args.max_epochs,
        totalvi_epochs=args.totalvi_epochs or None,
        totalvi_adversarial=False if args.totalvi_no_adversary else None,
        accelerator=args.accelerator,
        likelihoods=_likelihoods(args.likelihood),
    )
    set_threads(args.threads)
    path = find_file(args.file)
    split = make_split(
        mudata.read_h5mu(path),
        source=args.source,
        target=args.target,
        seed=args.split_seed,
        group_key=args.group_key,
    )
    runs, features, records = run_all(
        split, methods, seeds=args.seeds, against_seeds=args.against_seeds, options=options
    )
    record = {
        "benchmark": "imputation",
        "file": path.name,
        "source": split.source,
        "target": split.target,
        "split_seed": args.split_seed,
        "n_train": split.train.n_obs,
        "n_test": split.test.n_obs,
        **environment(command=command, threads=args.threads),
        "methods": records,
    }
    _print_tables(path, split, runs, features)
    name = run_name(
        "imputation", path.stem, f"{split.source}-to-{split.target}", f"split{args.split_seed}"
    )
    tables = {"": _with_versions(runs, record), "features": features}
    return write_run(args.out, name, tables, record)


def _with_versions(runs: pd.DataFrame, record: dict[str, Any]) -> pd.DataFrame:
    versions = ";".join(f"{k}={v}" for k, v in record["versions"].items())
    return runs.assign(device=record["device"], threads=record["threads"], versions=versions)


def _print_tables(path: Path, split: Split, runs: pd.DataFrame, features: pd.DataFrame) -> None:
    print(
        f"{path.name}: {split.source} -> {split.target}, {split.train.n_obs} training and "
        f"{split.test.n_obs} held-out cells, {len(split.features)} features\n"
    )
    print(markdown(summarise(runs)))
    print("\nPer run\n")
    print(markdown(runs, digits=4))
    for value in ("pearson", "coverage90"):
        wide = features.pivot_table(index="feature", columns="method", values=value, sort=False)
        # A wide target (thousands of genes) has no readable table; the CSV has it.
        if len(wide) <= 40 and not wide.empty:
            print(f"\nPer feature: {value}, mean over seeds\n")
            print(markdown(wide.reset_index()))


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where the file, a name or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
