"""Table 1 of Wu and Goodman (2018): how much importance weights vary, system by system.

``python -m benchmarks.table1 --dataset binarymnist --epochs 500`` trains every system on images and
their labels with the paper's sizes (two layers of 512 units, 64 latents, 1e-3, batches of 100, the
KL weight rising over 40 % of the run, the label's likelihood times 50) and prints the variance of
log importance weights beside the paper's. By default the optimisation is ours: AdamW with a falling
learning rate, averaged weights, the epoch with the best validation loss of a tenth of the training
images; ``--optimiser paper`` keeps the rate, trains on all images and takes the last epoch. Each
trained system leaves a file, so that a run that was interrupted goes on where it stopped.
``--quick`` is a trial.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.command import add_resume_options, run_command, silence_lightning
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.resume import results_of
from benchmarks.table1.figures import draw_samples
from benchmarks.table1.paper import DATASETS
from benchmarks.table1.run import OPTIMISERS, SYSTEMS, Table1Run, measure
from benchmarks.table1.tables import quality_of, table_of

QUICK = {"epochs": 2, "n_train": 500, "n_test": 20, "n_samples": 20}


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = command_line("table1", __doc__, DATASETS)
    p.set_defaults(epochs=500, train=60_000, test=1_000)
    return p


def command_line(
    name: str, description: str | None, datasets: Sequence[str]
) -> argparse.ArgumentParser:
    """Build a command line for some data sets."""
    p = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    p.add_argument("--dataset", action="append", choices=datasets, help="may be repeated (all)")
    p.add_argument("--system", action="append", choices=SYSTEMS, help="may be repeated (all)")
    p.add_argument("--epochs", type=int, help="0 for as many as train() takes by default")
    p.add_argument("--train", type=int, help="most observations to train on")
    p.add_argument("--test", type=int, help="most observations to test on")
    p.add_argument("--samples", type=int, default=1_000, help="draws per observation")
    p.add_argument("--optimiser", choices=OPTIMISERS, default="ours", help="whose optimisation")
    add_resume_options(p, name)
    p.set_defaults(name=name, datasets=datasets)
    return p


def runs_of(args: argparse.Namespace) -> list[Table1Run]:
    """Give the systems to train."""
    full = {
        "epochs": args.epochs,
        "n_train": args.train,
        "n_test": args.test,
        "n_samples": args.samples,
    }
    return [
        Table1Run(
            dataset=dataset,
            system=system,
            seed=seed,
            optimiser=args.optimiser,
            **(QUICK if args.quick else full),
        )
        for dataset in args.dataset or args.datasets
        for seed in range(args.seeds)
        for system in args.system or SYSTEMS
    ]


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    silence_lightning()
    set_threads(args.threads)
    runs = runs_of(args)
    results = results_of(runs, args.parts, measure)
    tables = {"": table_of(results), "quality": quality_of(results)}
    for table in tables.values():
        print(markdown(table, digits=2), end="\n\n")
    record = {
        "benchmark": args.name,
        **environment(command=command, threads=args.threads),
        "runs": results,
    }
    name = run_name(args.name, *(args.dataset or []))
    return [
        *write_run(args.out, name, tables, record),
        *draw_samples(runs, args.parts, args.out / name),
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
