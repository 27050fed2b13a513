"""Which features differ between groups of cells: error rates, power, effect sizes, speed.

``python -m benchmarks.differential`` asks HZAU-VAE, totalVI and Wilcoxon's test the same questions.
What has been measured is kept and not repeated, unless the code of the package changed.
"""

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks.common.command import OUT, add_output_options, run_command
from benchmarks.common.report import environment, run_name, set_threads, write_run
from benchmarks.common.resume import Found, results_of
from benchmarks.differential import hidden, null, seeds, size, speed, truth
from benchmarks.differential.parts import Part, Settings, Task
from benchmarks.differential.tables import long_form, short_text
from hzau_omics.errors import ConfigError

TASKS = {
    task.name: task for module in (null, truth, hidden, speed, seeds, size) for task in module.TASKS
}
QUICK = {"splits": 2, "peer_splits": 1, "replicates": 1, "seeds": 1, "epochs": 2}


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.differential", description=__doc__)
    tasks = "; ".join(f"{task.name}: {task.what}" for task in TASKS.values())
    p.add_argument("--task", action="append", choices=TASKS, help=f"may be repeated (all). {tasks}")
    p.add_argument("--method", action="append", help="only these methods of each task")
    p.add_argument("--splits", type=int, default=100, help="splits without a difference")
    p.add_argument("--peer-splits", type=int, default=20, help="of these, for totalVI")
    p.add_argument("--replicates", type=int, default=5, help="replicates with known changes")
    p.add_argument("--seeds", type=int, default=3, help="seeds of hidden protein")
    p.add_argument("--epochs", type=int, default=20, help="epochs of each training")
    p.add_argument("--quick", action="store_true", help="few cells, genes, epochs and splits")
    p.add_argument("--parts", type=Path, default=OUT / "differential", help="to resume from")
    add_output_options(p)
    return p


def settings_of(args: argparse.Namespace) -> Settings:
    """Return what a command line asks for."""
    numbers = QUICK if args.quick else {name: getattr(args, name) for name in QUICK}
    threads = args.threads or 1
    return Settings(folder=args.parts, quick=args.quick, threads=threads, **numbers)


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    set_threads(args.threads)
    settings = settings_of(args)
    tables, texts = [], []
    for name in args.task or TASKS:
        task = TASKS[name]
        parts = [p for p in task.parts(settings) if p.method in (args.method or [p.method])]
        if not parts:
            message = (
                f"Task {name} has none of the methods {', '.join(args.method)}; it has "
                f"{', '.join(task.titles)}. Name one of these."
            )
            raise ConfigError(message)
        found = results_of(parts, args.parts, partial(_measured, task, settings))
        tables.append(long_form(task, parts, found))
        texts.append(f"**{name}: {task.what}**\n\n{short_text(tables[-1])}")
        print(f"\n{texts[-1]}", flush=True)
    record = {"benchmark": "differential", **environment(command=command, threads=args.threads)}
    name = run_name("differential", *(args.task or []))
    paths = write_run(args.out, name, {"": pd.concat(tables, ignore_index=True)}, record)
    short = args.out / f"{name}.md"
    short.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return [*paths, short]


def _measured(task: Task, settings: Settings, part: Part) -> Found:
    return task.measure(part, settings)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where a file, a name or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
