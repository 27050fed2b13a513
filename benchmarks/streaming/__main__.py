"""Training from disk: throughput beside training in memory, and peak memory by number of cells.

``python -m benchmarks.streaming`` simulates cells (2,000 genes, 100 proteins, 20 % of the cells
without protein), writes them into stores on disk, and trains from each in a process of its own;
the smallest number of cells is trained in memory too. Answers are timed as well: embedding,
annotation, reliability, and imputation with five draws per cell (from disk, written back to it).
"""

import argparse
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.common.command import add_output_options, run_command
from benchmarks.common.process import in_process
from benchmarks.common.report import environment, markdown, run_name, write_run
from benchmarks.streaming.data import write
from benchmarks.streaming.run import StreamRun

_logger = logging.getLogger("benchmarks")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.streaming", description=__doc__)
    p.add_argument(
        "--cells", type=int, action="append", help="may be repeated (200,000 and 1,000,000)"
    )
    p.add_argument("--batch-size", type=int, default=512)
    p.add_argument("--epochs", type=int, default=1, help="epochs that are timed")
    p.add_argument("--work", type=Path, help="folder for the stores; kept, and used again")
    add_output_options(p)
    return p


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.work or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        for i, n_cells in enumerate(sorted(args.cells or [200_000, 1_000_000])):
            path = folder / f"cells_{n_cells}.zarr"
            written = write(path, n_cells)
            size = sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
            for source in ("memory", "disk") if i == 0 else ("disk",):
                run = StreamRun(
                    path=str(path),
                    source=source,
                    batch_size=args.batch_size,
                    epochs=args.epochs,
                    threads=args.threads,
                )
                facts = {"cells": n_cells, "store_gb": size / 1024**3, "write_s": written}
                rows.append({**facts, **in_process("benchmarks.streaming.run", run, run.path)})
                _logger.info("%s: %s", path.name, rows[-1])
    table = pd.DataFrame(rows)
    memory = float(table.loc[table["source"] == "memory", "train_cells_per_s"].iloc[0])
    table["times_memory"] = table["train_cells_per_s"] / memory
    print(markdown(table, digits=2))
    record = {"benchmark": "streaming", **environment(command=command, threads=args.threads)}
    return write_run(args.out, run_name("streaming"), {"": table}, record)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
