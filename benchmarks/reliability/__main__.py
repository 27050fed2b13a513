"""Whom to trust: one modality of held-out cells fails, and every system is asked about it.

``python -m benchmarks.reliability`` trains HZAU-VAE, its pool without a gate and with one for all
cells, and products and mixtures of experts, with and without failures in training; makes held-out
measurements fail in ways that training knows and in ways that it does not; and prints how well
reliability, gate weights and trivial scores find them (AUROC), what is left of cell types and of
the likelihood of the clean counts, whether swaps and doublets are found, and what it costs on clean
cells. Each trained system leaves a file, so that a run that was interrupted goes on where it
stopped. ``--quick`` is a trial.
"""

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import spearmanr

from benchmarks.common.command import run_command
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.resume import arrays_of, result_of
from benchmarks.reliability.data import READERS
from benchmarks.reliability.figures import draw_curves, draw_depth
from benchmarks.reliability.run import PEERS, SYSTEMS, Part, run

QUICK = {"epochs": 2, "n_cells": 400}
WHOLE, OF_ALL = ("swapped", "another_category"), ("calibration error", "Brier score")
MEASURES = ("reliability", "gate", "precision")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    p.add_argument("--dataset", action="append", choices=READERS, help="may be repeated (pbmc10k)")
    p.add_argument(
        "--system",
        action="append",
        choices=[*SYSTEMS, *PEERS],
        help="may be repeated (all of ours)",
    )
    p.add_argument("--epochs", type=int, default=0, help="0 for as many as train() takes")
    p.add_argument("--seeds", type=int, default=1, help="number of seeds")
    p.add_argument("--cells", type=int, default=100_000, help="most cells")
    p.add_argument("--clean-only", action="store_true", help="let nothing fail")
    p.add_argument("--quick", action="store_true", help="2 epochs of 400 cells, to try it")
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument("--parts", type=Path, default=Path("benchmarks/out/reliability"))
    p.add_argument("--out", type=Path, default=Path("benchmarks/out"), help="for CSV and JSON")
    return p


def parts_of(args: argparse.Namespace) -> list[Part]:
    """Give the systems to train."""
    sizes = QUICK if args.quick else {"epochs": args.epochs, "n_cells": args.cells}
    return [
        Part(dataset=dataset, system=system, seed=seed, failures=not args.clean_only, **sizes)
        for dataset in args.dataset or ["pbmc10k"]
        for system in args.system or SYSTEMS
        for seed in range(args.seeds)
    ]


def failures_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return what every system says of every failure, mean over seeds."""
    keys = ["dataset", "system", "modality", "kind", "strength"]
    rows = [
        {"dataset": r["dataset"], "system": r["system"]} | row for r in results for row in r["rows"]
    ]
    if not rows:
        return pd.DataFrame(columns=keys)
    groups = pd.DataFrame(rows).groupby(keys, sort=False)
    table = groups.mean()
    if "auroc reliability" in table:
        table["sd auroc reliability"] = groups["auroc reliability"].std(ddof=1)
    return table.reset_index()


def clean_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return how good systems are on clean held-out cells; mean over seeds, and their spread."""
    rows = [
        {
            "dataset": r["dataset"],
            "system": r["system"],
            "seeds": r["seed"],
            "seconds": r["train_s"],
        }
        | r["clean"]
        | r["agreement"]
        for r in results
    ]
    groups = pd.DataFrame(rows).groupby(["dataset", "system"], sort=False)
    table = groups.mean().assign(seeds=groups.size())
    spread = groups.std(ddof=1)
    for column in [c for c in table if c.startswith("pearson_")]:
        table[f"sd_{column}"] = spread[column]
    return table.reset_index()


def calibration_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return what intervals cover of imputed values and of latents, mean over seeds."""
    keys = ["dataset", "system", "target", "given", "of"]
    rows = [
        {"dataset": r["dataset"], "system": r["system"]} | row
        for r in results
        for row in r.get("calibration", [])
    ]
    if not rows:
        return pd.DataFrame(columns=keys)
    return pd.DataFrame(rows).groupby(keys, sort=False).mean().reset_index()


def stability_table(parts: Sequence[Part], folder: Path) -> pd.DataFrame:
    """Return the rank correlation between seeds over cells, mean over pairs of seeds."""
    rows = []
    for dataset, system in dict.fromkeys((p.dataset, p.system) for p in parts):
        seeds = [arrays_of(p, folder) for p in parts if (p.dataset, p.system) == (dataset, system)]
        for measure in MEASURES:
            found = [
                spearmanr(a[measure][:, m], b[measure][:, m]).statistic
                for a, b in combinations(seeds, 2)
                if measure in a and measure in b
                for m in range(a[measure].shape[1])
            ]
            if found:
                mean = float(pd.Series(found).mean())
                rows.append(
                    {"dataset": dataset, "system": system, "measure": measure, "rank r": mean}
                )
    return pd.DataFrame(rows)


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    for noisy in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    set_threads(args.threads)
    parts = parts_of(args)
    results = [result_of(part, args.parts, run) for part in parts]
    tables = {
        "": failures_table(results),
        "clean": clean_table(results),
        "calibration": calibration_table(results),
        "stability": stability_table(parts, args.parts),
    }
    for table in (_shown(tables[""]), *list(tables.values())[1:]):
        print(markdown(table), end="\n\n")
    record = {
        "benchmark": "reliability",
        **environment(command=command, threads=args.threads),
        "runs": results,
    }
    name = run_name("reliability", *(args.dataset or ["pbmc10k"]))
    pictures = _pictures(tables, parts, args.parts, args.out / name)
    return [*write_run(args.out, name, tables, record), *pictures]


def _shown(failures: pd.DataFrame) -> pd.DataFrame:
    """Return what fits on a screen: failures of the strengths that goals are set for."""
    strength = failures["kind"].map(
        {"thinned": 0.9, **dict.fromkeys(WHOLE, 1.0), **dict.fromkeys(OF_ALL, 0.0)}
    )
    return failures[failures["strength"] == strength.fillna(0.5)]


def _pictures(
    tables: Mapping[str, pd.DataFrame], parts: Sequence[Part], folder: Path, stem: Path
) -> list[Path]:
    """Draw AUROC over strength, and gate weights over depth in a run of HZAU-VAE per data set."""
    failures = tables[""]
    found = draw_curves(failures, stem.with_suffix(".png"))
    ours = {part.dataset: part for part in reversed(parts) if part.system == "HZAUVAE"}
    for dataset, part in ours.items():
        rows = failures[failures["dataset"] == dataset]
        path = stem.with_name(f"{stem.name}.{dataset}.depth.png")
        found += draw_depth(arrays_of(part, folder), list(rows["modality"].unique()), path)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
