"""Training throughput of HZAU-VAE beside totalVI or MultiVI, on the same cells in the same run.

``python -m benchmarks.speed citeseq_pbmc10k_totalvi.h5mu --batch-size 128 --batch-size 512`` times
``train()`` as a user calls it, with default arguments: ten epochs after one for warm-up, each with
a validation split, and everything that ``train()`` does besides. Cells per second count all cells
of the file (training and validation) per epoch; higher is better.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.command import add_output_options, run_command
from benchmarks.common.data import find_file
from benchmarks.common.report import environment, markdown, run_name, write_run
from benchmarks.speed.figures import picture
from benchmarks.speed.run import SpeedRun, choose_methods, run_once
from benchmarks.speed.tables import summary

_logger = logging.getLogger("benchmarks")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    p.add_argument("file", help="h5mu file: a path, a name in HZAU_OMICS_DATA or in the registry")
    p.add_argument(
        "--against", help="totalvi or multivi (default: by modality); 'none' for ours alone"
    )
    p.add_argument("--batch-size", type=int, action="append", help="may be repeated (128, 512)")
    p.add_argument("--epochs", type=int, default=10, help="epochs that are timed")
    p.add_argument("--repeats", type=int, default=1, help="runs of each; the fastest counts")
    p.add_argument("--accelerator", default="auto", choices=["auto", "cpu", "gpu"])
    add_output_options(p)
    return p


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    import mudata

    path = find_file(args.file)
    modalities = list(mudata.read_h5mu(path, backed=True).mod)
    methods = choose_methods(args.against, modalities)
    runs = []
    for _ in range(args.repeats):
        for size in args.batch_size or [128, 512]:
            for method in methods:
                run = SpeedRun(
                    method=method,
                    path=str(path),
                    batch_size=size,
                    epochs=args.epochs,
                    accelerator=args.accelerator,
                    threads=args.threads,
                )
                runs.append(run_once(run))
                _logger.info(
                    "%s, batch size %d: %.0f cells/s", method, size, runs[-1]["cells_per_s"]
                )
    table = summary(runs)
    print(markdown(table, digits=2))
    record = {
        "benchmark": "speed",
        "file": path.name,
        **environment(command=command, threads=args.threads),
        "runs": runs,
    }
    name = run_name("speed", path.stem)
    paths = write_run(args.out, name, {"": table}, record)
    return [*paths, picture(table, args.out / f"{name}.png")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where the file or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
