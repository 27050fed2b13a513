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
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.command import run_command
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.resume import arrays_of, result_of
from benchmarks.table1.paper import DATASETS
from benchmarks.table1.run import OPTIMISERS, SYSTEMS, Part, run
from benchmarks.table1.tables import quality_of, table_of

_logger = logging.getLogger("benchmarks")

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
    p.add_argument("--seeds", type=int, default=1, help="number of seeds")
    p.add_argument("--train", type=int, help="most observations to train on")
    p.add_argument("--test", type=int, help="most observations to test on")
    p.add_argument("--samples", type=int, default=1_000, help="draws per observation")
    p.add_argument("--optimiser", choices=OPTIMISERS, default="ours", help="whose optimisation")
    p.add_argument("--quick", action="store_true", help="2 epochs of 500, to try it")
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument("--parts", type=Path, default=Path("benchmarks/out") / name, help="to resume")
    p.add_argument("--out", type=Path, default=Path("benchmarks/out"), help="for CSV and JSON")
    p.set_defaults(name=name, datasets=datasets)
    return p


def parts_of(args: argparse.Namespace) -> list[Part]:
    """Give the systems to train."""
    full = {
        "epochs": args.epochs,
        "n_train": args.train,
        "n_test": args.test,
        "n_samples": args.samples,
    }
    return [
        Part(
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
    for noisy in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    set_threads(args.threads)
    parts = parts_of(args)
    results = [result_of(part, args.parts, run) for part in parts]
    tables = {"": table_of(results), "quality": quality_of(results)}
    for table in tables.values():
        print(markdown(table, digits=2), end="\n\n")
    record = {
        "benchmark": args.name,
        **environment(command=command, threads=args.threads),
        "runs": results,
    }
    name = run_name(args.name, *(args.dataset or []))
    return [*write_run(args.out, name, tables, record), *_draw(parts, args, name)]


def _draw(parts: Sequence[Part], args: argparse.Namespace, name: str) -> list[Path]:
    """Draw prior and conditional samples of every system, one picture per data set."""
    import matplotlib.pyplot as plt

    from hzau_omics import pl

    paths = []
    for dataset in dict.fromkeys(part.dataset for part in parts):
        sets = {}
        for part in parts:
            if (part.dataset, part.seed) == (dataset, 0):
                images = arrays_of(part, args.parts)
                sets |= {f"{part.system}: {kind}": x.astype(float) for kind, x in images.items()}
        if sets:
            figure = pl.samples(sets, ncols=4)
            path = args.out / f"{name}.{dataset}.png"
            figure.savefig(path, dpi=70)
            plt.close(figure)
            paths.append(path)
    return paths


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
