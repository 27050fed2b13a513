"""Training speed of HZAU-VAE beside totalVI or MultiVI, on the same cells in the same run.

``python -m benchmarks.speed citeseq_pbmc10k_totalvi.h5mu`` times ``train()`` as a user calls it,
with default arguments except ten epochs: ours with everything that it does besides, both with
validation after every epoch. Each training has a process and a new model of its own, after another
model that was trained for one epoch and thrown away. Repeats alternate between methods, and figures
are medians of them.

Cells per second count all cells of the training (its validation and calibration cells too) per
epoch; higher is better. The likelihood of 512 cells that no training sees is measured every 20
optimiser steps, and the time of measuring does not count. From it follow the seconds until a method
is as good as the peer is in the end.

``--default-run`` adds one ``train()`` of ours and of totalVI that takes no option at all.
"""

import argparse
import logging
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.command import add_output_options, run_command
from benchmarks.common.data import choose_modalities, find_file
from benchmarks.common.report import environment, markdown, run_name, write_run
from benchmarks.speed.default_run import DefaultRun, choose_default_runs, run_default
from benchmarks.speed.figures import picture
from benchmarks.speed.methods import OURS, choose_methods
from benchmarks.speed.run import SpeedRun, run_once
from benchmarks.speed.tables import default_table, summary

_logger = logging.getLogger("benchmarks")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks.speed",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("file", help="h5mu file: a path, a name in HZAU_OMICS_DATA or in the registry")
    p.add_argument(
        "--against", help="totalvi or multivi (default: by modality); 'none' for ours alone"
    )
    p.add_argument("--batch-size", type=int, action="append", help="may be repeated (128, 512)")
    p.add_argument("--epochs", type=int, default=10, help="epochs that are timed (10)")
    p.add_argument("--repeats", type=int, default=3, help="runs of each, with seeds 0, 1, ... (3)")
    p.add_argument("--accelerator", default="auto", choices=["auto", "cpu", "gpu"])
    p.add_argument("--default-run", action="store_true", help="also train() without any option")
    p.add_argument("--peer-epochs", type=int, help="epochs of totalVI in it at most (its default)")
    add_output_options(p)
    return p


def timed(args: argparse.Namespace, path: Path, methods: Sequence[str]) -> list[dict[str, Any]]:
    """Run all repeats, methods in turn, so that a slow minute of the machine meets all of them."""
    runs = []
    for seed in range(args.repeats):
        for size in args.batch_size or [128, 512]:
            for method in methods:
                run = SpeedRun(
                    method=method,
                    path=str(path),
                    batch_size=size,
                    epochs=args.epochs,
                    seed=seed,
                    accelerator=args.accelerator,
                    threads=args.threads,
                )
                runs.append(run_once(run))
                rate = runs[-1]["cells_per_s"]
                _logger.info("%s, batch size %d: %.0f cells/s", method, size, rate)
    return runs


def by_default(
    args: argparse.Namespace, path: Path, methods: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Run each method as a user starts it."""
    for method in methods:
        run = DefaultRun(
            method=method,
            path=str(path),
            max_epochs=None if method in OURS else args.peer_epochs,
            accelerator=args.accelerator,
            threads=args.threads,
        )
        found = run_default(run)
        _logger.info("%s, default run: %.0f s", method, found["seconds"])
        yield found


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    import mudata

    path = find_file(args.file)
    modalities = list(mudata.read_h5mu(path, backed=True).mod)
    methods = choose_methods(args.against, modalities)
    default: list[dict[str, Any]] = []
    if args.default_run:
        # Said before hours of training, not after.
        choose_modalities(modalities)
        names = choose_default_runs(methods)
    runs = timed(args, path, methods)
    tables = {"": summary(runs)}
    if args.default_run:
        default = list(by_default(args, path, names))
        tables["default"] = default_table(default)
    print("\n\n".join(markdown(table, digits=2) for table in tables.values()))
    record = {
        "benchmark": "speed",
        "file": path.name,
        **environment(command=command, threads=args.threads),
        "runs": runs,
        "default_runs": default,
    }
    name = run_name("speed", path.stem)
    paths = write_run(args.out, name, tables, record)
    return [*paths, picture(tables[""], runs, args.out / f"{name}.png")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where the file or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
