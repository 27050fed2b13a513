"""What is this new sample? Labels with probabilities, protein and place of cells that are mapped.

``python -m benchmarks.mapping`` trains each method on a labelled reference, gives it cells of other
batches as the query, in several forms, and measures its answers. Each method is a process of its
own with a time limit; what has been run is kept and not repeated, unless its code or its data
changed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.common.command import OUT, run_command
from benchmarks.common.report import environment, run_name, set_threads, write_run
from benchmarks.common.runner import Runner
from benchmarks.common.short_table import short_table
from benchmarks.mapping.catalogue import METHODS, WORKER, methods_named
from benchmarks.mapping.results import PROTEIN, result_rows
from benchmarks.mapping.tasks import TASKS

SHORT = {
    "accuracy": "accuracy",
    "macro F1": "macro F1",
    "calibration error": "calibration error",
    "log score": "log score",
    "coverage of 99 % sets": "99 % sets cover",
    "size of 99 % sets": "types in them",
    "reference neighbours": "reference neighbours",
    "reference neighbours, even": "even",
    "iLISI": "iLISI",
    PROTEIN: "protein",
    "training seconds": "training, s",
    "mapping seconds": "mapping, s",
    "memory, GB": "GB",
}
"""Measures of the short table, and what they are called there."""
DIGITS = {"training seconds": 0, "mapping seconds": 0, "memory, GB": 1, "size of 99 % sets": 2}


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.mapping", description=__doc__)
    tasks = "; ".join(f"{task.name}: {task.what}" for task in TASKS.values())
    p.add_argument("--task", action="append", choices=TASKS, help=f"may be repeated (all). {tasks}")
    p.add_argument("--method", action="append", choices=METHODS, help="may be repeated (all)")
    p.add_argument("--seeds", type=int, default=1, help="number of seeds")
    p.add_argument("--minutes", type=float, default=15, help="time limit of each training")
    p.add_argument("--threads", type=int, default=1, help="threads of a run")
    p.add_argument("--retry", action="store_true", help="repeat runs that were cut or failed")
    p.add_argument("--parts", type=Path, default=OUT / "mapping", help="to resume from")
    p.add_argument("--out", type=Path, default=OUT, help="folder for tables")
    return p


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    set_threads(args.threads)
    runner = Runner(
        folder=args.parts,
        worker=WORKER,
        minutes=args.minutes,
        threads=args.threads,
        retry=args.retry,
    )
    tables, texts = [], []
    for name in args.task or TASKS:
        data = TASKS[name].read()
        rows = [
            result_rows(runner, name, method, seed, data)
            for method in methods_named(args.method)
            for seed in range(args.seeds)
        ]
        tables.append(pd.concat(rows, ignore_index=True))
        texts.append(_text(tables[-1], f"{name}: {TASKS[name].what}"))
        print(f"\n{texts[-1]}", flush=True)
    record = {"benchmark": "mapping", **environment(command=command, threads=args.threads)}
    name = run_name("mapping", *(args.task or []))
    paths = write_run(args.out, name, {"": pd.concat(tables, ignore_index=True)}, record)
    short = args.out / f"{name}.md"
    short.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return [*paths, short]


def _text(rows: pd.DataFrame, title: str) -> str:
    """Write the short tables of one task, form by form."""
    parts = [f"**{title}**"]
    for form in pd.unique(rows["form"]):
        own = rows[rows["form"] == form]
        shown = {metric: name for metric, name in SHORT.items() if metric in set(own["metric"])}
        parts.append(f"{form}:\n\n{short_table(own, 'method', shown, DIGITS)}")
    return "\n\n".join(parts)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where a file, a name or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
