"""HZAU-VAE head to head with other methods, as their authors ship them, on six integrations.

``python -m benchmarks.integration`` makes an environment for each method that needs one, runs every
method on every task as a process of its own with a time limit, measures the embeddings, and writes
one table in long form and a short one. What has been run is kept and not repeated, unless its code
or its data changed.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.common.command import OUT, run_command
from benchmarks.common.environments import FOLDER
from benchmarks.common.report import environment, run_name, set_threads, write_run
from benchmarks.common.runner import Runner
from benchmarks.integration.catalogue import METHODS, WORKER, methods_named
from benchmarks.integration.figures import umap_picture
from benchmarks.integration.measures import scored_cells
from benchmarks.integration.methods.exchange import Embedding
from benchmarks.integration.results import result_rows
from benchmarks.integration.table import short_table
from benchmarks.integration.tasks import TASKS, TaskData


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.integration", description=__doc__)
    tasks = "; ".join(f"{task.name}: {task.what}" for task in TASKS.values())
    p.add_argument("--task", action="append", choices=TASKS, help=f"may be repeated (all). {tasks}")
    p.add_argument("--method", action="append", choices=METHODS, help="may be repeated (all)")
    p.add_argument("--seeds", type=int, default=1, help="number of seeds")
    p.add_argument("--minutes", type=float, default=60, help="time limit of a run")
    p.add_argument("--threads", type=int, default=1, help="threads of a run")
    p.add_argument("--retry", action="store_true", help="repeat runs that were cut or failed")
    p.add_argument("--pictures", action="store_true", help="draw a UMAP of each embedding")
    p.add_argument("--parts", type=Path, default=OUT / "integration", help="to resume from")
    p.add_argument("--environments", type=Path, default=FOLDER, help="where peers are installed")
    p.add_argument("--out", type=Path, default=OUT, help="folder for tables and pictures")
    return p


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    set_threads(args.threads)
    runner = Runner(
        folder=args.parts,
        worker=WORKER,
        environments=args.environments,
        minutes=args.minutes,
        threads=args.threads,
        retry=args.retry,
    )
    methods = methods_named(args.method)
    name = run_name("integration", *(args.task or []))
    tables, texts, pictures = [], [], []
    for task in args.task or TASKS:
        for seed in range(args.seeds):
            data = TASKS[task].read(seed)
            tables += [result_rows(runner, task, method, seed, data) for method in methods]
            if args.pictures and seed == 0:
                pictures += _picture(runner, task, data, args.out / f"{name}.{task}.png")
        found = pd.concat(tables, ignore_index=True)
        texts.append(f"**{task}: {TASKS[task].what}**\n\n{short_table(found[found.task == task])}")
        print(f"\n{texts[-1]}", flush=True)
    record = {"benchmark": "integration", **environment(command=command, threads=args.threads)}
    paths = write_run(args.out, name, {"": found}, record)
    short = args.out / f"{name}.md"
    short.write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return [*paths, short, *pictures]


def _picture(runner: Runner, task: str, data: TaskData, path: Path) -> list[Path]:
    """Draw the embeddings of cells of known type that there are."""
    rows = scored_cells(data.labels)
    found = {}
    for method in METHODS.values():
        file = runner.path(task, method.name, 0).with_suffix(".npz")
        joint = Embedding.load(file).joint if file.is_file() else None
        if joint is not None:
            found[method.title] = joint[rows]
    if not found:
        return []
    obs = pd.DataFrame({"type": data.labels[rows], "batch": data.cells.batch[rows]}).astype(str)
    obs.index = obs.index.astype(str)
    return [umap_picture(found, obs, path=path)]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where a file, a name or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
