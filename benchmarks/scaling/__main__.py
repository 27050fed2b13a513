"""How the cost of training grows with cells, features, modalities and experts.

``python -m benchmarks.scaling`` trains on simulated data, one size changed at a time, and writes a
table and a picture. Times are those of ``train()`` with default arguments except few epochs. Each
axis has a process of its own, in which another model is trained before, for what is compiled.
Compare values along one axis: a flat line of cells per second means a cost in proportion.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.common.command import add_output_options, run_command
from benchmarks.common.report import environment, markdown, run_name, write_run
from benchmarks.scaling.figures import picture
from benchmarks.scaling.run import ScalingRun, axes, run_axis

_logger = logging.getLogger("benchmarks")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    p.add_argument("--epochs", type=int, default=2, help="epochs that are timed (2)")
    p.add_argument("--batch-size", type=int, default=128)
    p.add_argument("--quick", action="store_true", help="small sizes, to try it")
    add_output_options(p)
    return p


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    rows = []
    for axis in axes(quick=args.quick):
        run = ScalingRun(
            axis=axis,
            quick=args.quick,
            epochs=args.epochs,
            batch_size=args.batch_size,
            threads=args.threads,
        )
        rows += run_axis(run)
        rates = ", ".join(
            f"{r['value']}: {r['cells_per_s']:.0f}" for r in rows if r["axis"] == axis
        )
        _logger.info("cells/s by %s: %s", axis, rates)
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
