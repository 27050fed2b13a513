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
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from benchmarks.common.command import add_resume_options, run_command, silence_lightning
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.resume import arrays_of, results_of
from benchmarks.reliability.data import READERS
from benchmarks.reliability.figures import draw_curves, draw_depth
from benchmarks.reliability.run import PEERS, SYSTEMS, ReliabilityRun, measure
from benchmarks.reliability.tables import (
    calibration_table,
    clean_table,
    failures_table,
    goals_table,
    stability_table,
)

QUICK = {"epochs": 2, "n_cells": 400}


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
    p.add_argument("--cells", type=int, default=100_000, help="most cells")
    p.add_argument("--clean-only", action="store_true", help="let nothing fail")
    add_resume_options(p, "reliability")
    return p


def runs_of(args: argparse.Namespace) -> list[ReliabilityRun]:
    """Give the systems to train."""
    sizes = QUICK if args.quick else {"epochs": args.epochs, "n_cells": args.cells}
    return [
        ReliabilityRun(
            dataset=dataset, system=system, seed=seed, failures=not args.clean_only, **sizes
        )
        for dataset in args.dataset or ["pbmc10k"]
        for system in args.system or SYSTEMS
        for seed in range(args.seeds)
    ]


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    silence_lightning()
    set_threads(args.threads)
    runs = runs_of(args)
    results = results_of(runs, args.parts, measure)
    tables = {
        "": failures_table(results),
        "clean": clean_table(results),
        "calibration": calibration_table(results),
        "stability": stability_table(runs, args.parts),
    }
    for table in (goals_table(tables[""]), *list(tables.values())[1:]):
        print(markdown(table), end="\n\n")
    record = {
        "benchmark": "reliability",
        **environment(command=command, threads=args.threads),
        "runs": results,
    }
    name = run_name("reliability", *(args.dataset or ["pbmc10k"]))
    pictures = _pictures(tables, runs, args.parts, args.out / name)
    return [*write_run(args.out, name, tables, record), *pictures]


def _pictures(
    tables: Mapping[str, pd.DataFrame], runs: Sequence[ReliabilityRun], folder: Path, stem: Path
) -> list[Path]:
    """Draw AUROC over strength, and gate weights over depth in a run of HZAU-VAE per data set."""
    failures = tables[""]
    found = draw_curves(failures, stem.with_suffix(".png"))
    ours = {run.dataset: run for run in reversed(runs) if run.system == "HZAUVAE"}
    for dataset, run in ours.items():
        rows = failures[failures["dataset"] == dataset]
        path = stem.with_name(f"{stem.name}.{dataset}.depth.png")
        found += draw_depth(arrays_of(run, folder), list(rows["modality"].unique()), path)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
