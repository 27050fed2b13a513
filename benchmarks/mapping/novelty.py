"""Whether the model notices a cell type that its reference lacks.

``python -m benchmarks.mapping.novelty`` leaves each of the largest types of a data set out of the
reference in turn, trains with defaults, and asks for the novelty of cells that were not trained on:
all cells of the type, and a fifth of the others. Cells of unknown type are trained on, and not
asked about.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import mudata
import numpy as np
import pandas as pd

from benchmarks.common.command import add_output_options, run_command
from benchmarks.common.data import find_file, held_out
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.resume import Found, Run, results_of
from benchmarks.common.runner import digest_of_files, package_sources
from benchmarks.common.scores import auroc
from benchmarks.integration.methods.ours import as_mudata, trained
from benchmarks.integration.tasks import SNARE_SEQ, TaskData, as_task
from benchmarks.mapping.methods.ours import LABELS, labelled
from benchmarks.mapping.tasks import BMMC

FILES: Mapping[str, str] = {
    "pbmc10k": "citeseq_pbmc10k_totalvi.h5mu",
    "bmmc": BMMC,
    "snare": SNARE_SEQ,
}
N_TYPES, FEWEST = 5, 30
"""Largest types that are left out, each of at least so many cells."""
LEVELS = (0.05, 0.1)
SHARE, N_DRAWS = 0.1, 50
"""Share of cells of the missing type in each of so many mixtures."""
SCORES = ["AUROC", "AUROC, nearest type", "false, 5 %", "found, 5 %", "false, 10 %", "found, 10 %"]


@dataclass(frozen=True, kw_only=True)
class NoveltyRun(Run):
    """One type left out of one data set.

    Attributes
    ----------
    dataset, rank, seed
        What is trained, without the type that is the largest but `rank`.
    code
        Digest of the package.
    """

    dataset: str
    rank: int
    seed: int
    code: str


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.mapping.novelty", description=__doc__)
    p.add_argument("--dataset", action="append", choices=FILES, help="may be repeated (all)")
    p.add_argument("--types", type=int, default=N_TYPES, help="largest types to leave out")
    p.add_argument("--seeds", type=int, default=1, help="number of seeds")
    p.add_argument("--parts", type=Path, default=Path("benchmarks/out/novelty"), help="to resume")
    add_output_options(p)
    return p


def largest_types(labels: np.ndarray, n: int = N_TYPES) -> list[str]:
    """Return the largest types of at least 30 cells, the largest first."""
    types, sizes = np.unique(labels[labels != ""], return_counts=True)
    order = np.lexsort((types, -sizes))[:n]
    return [str(types[i]) for i in order if sizes[i] >= FEWEST]


def split(labels: np.ndarray, missing: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which cells are trained on, and which are asked about.

    Parameters
    ----------
    labels
        Type of each cell; "" where it is not known.
    missing
        The type that the reference lacks.
    seed
        Seed of the fifth of other cells that is held out.
    """
    train, test = held_out(len(labels), seed)
    novel = labels == missing
    asked = novel.copy()
    asked[test] |= labels[test] != ""
    learned = np.zeros(len(labels), dtype=bool)
    learned[train] = True
    return learned & ~novel, asked


def measure(run: NoveltyRun) -> Found:
    """Train without the type, and give its figures."""
    data = as_task(mudata.read_h5mu(find_file(FILES[run.dataset])))
    missing = largest_types(data.labels, run.rank + 1)[run.rank]
    learned, asked = split(data.labels, missing, run.seed)
    start = time.perf_counter()
    model = _trained(data, learned, run.seed)
    seconds = time.perf_counter() - start
    query = data.cells.subset(asked)
    novel = data.labels[asked] == missing
    mdata = as_mudata(query)
    names = list(query.names)
    table = model.get_novelty(mdata).loc[names]
    given = model.predict_labels(mdata, soft=False).loc[names, "label"].astype(str).to_numpy()
    nearest = pd.Series(given[novel]).mode()[0]

    def q_values(rows: np.ndarray) -> np.ndarray:
        part = as_mudata(query.subset(rows))
        found = model.get_novelty(part).loc[query.names[rows], "q_value"]
        return np.asarray(found, dtype=np.float64)

    found: dict[str, Any] = {
        **asdict(run),
        "type": missing,
        "nearest": nearest,
        "cells": int(novel.sum()),
        "others": int((~novel).sum()),
        "train_s": seconds,
        **separation(table["score"].to_numpy(), novel, data.labels[asked] == nearest),
        **summary(list(discoveries(novel, q_values, run.seed))),
    }
    return found, {"score": table["score"].to_numpy(), "novel": novel}


def _trained(data: TaskData, learned: np.ndarray, seed: int) -> Any:
    cells = data.cells.subset(learned)
    several = {"batch_key": "batch"} if len(cells.batches) > 1 else {}
    mdata = labelled(cells, data.labels[learned])
    return trained(mdata, cells, seed, labels_key=LABELS, **several)


def separation(score: np.ndarray, novel: np.ndarray, near: np.ndarray) -> dict[str, float]:
    """Return the AUROC of the missing type against all other cells, and against the nearest type.

    Parameters
    ----------
    score
        Novelty of each cell; higher is more novel.
    novel
        Which cells are of the missing type.
    near
        Which cells are of the type that those get most often.
    """
    found = {"AUROC": auroc(score[novel], score[~novel]), "AUROC, nearest type": float("nan")}
    if near.any():
        found["AUROC, nearest type"] = auroc(score[novel], score[near])
    return found


def discoveries(
    novel: np.ndarray, q_values: Callable[[np.ndarray], np.ndarray], seed: int
) -> Iterator[dict[str, float]]:
    """Yield false and true discoveries of mixtures in which a tenth of the cells is novel.

    Parameters
    ----------
    novel
        Which cells are of the missing type.
    q_values
        Gives the q-values of some cells (positions).
    seed
        Seed of the mixtures.

    Yields
    ------
    For each level, the share of cells called novel that are not (``false``; 0 if none is called),
    and the share of novel cells that are called so (``found``).
    """
    rng = np.random.default_rng(seed)
    ours, others = np.flatnonzero(novel), np.flatnonzero(~novel)
    n = int(min(len(ours), SHARE / (1 - SHARE) * len(others)))
    n_others = round(n * (1 - SHARE) / SHARE)
    for _ in range(N_DRAWS):
        rows = np.append(
            rng.choice(ours, n, replace=False), rng.choice(others, n_others, replace=False)
        )
        q, true = q_values(rows), np.arange(len(rows)) < n
        found = {}
        for level in LEVELS:
            called = q <= level
            found[f"false, {level:.0%}"] = float((called & ~true).sum()) / max(int(called.sum()), 1)
            found[f"found, {level:.0%}"] = float(called[true].mean())
        yield {name.replace("%", " %"): value for name, value in found.items()}


def summary(draws: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return means over mixtures, and standard errors of the means (``±``)."""
    table = pd.DataFrame(draws)
    errors = table.std() / np.sqrt(len(table))
    return {
        **{str(name): float(value) for name, value in table.mean().items()},
        **{f"± {name}": float(value) for name, value in errors.items()},
    }


def runs_of(args: argparse.Namespace) -> list[NoveltyRun]:
    """Give the runs of a command line."""
    code = digest_of_files(package_sources())
    found = []
    for dataset in args.dataset or FILES:
        data = as_task(mudata.read_h5mu(find_file(FILES[dataset])))
        found += [
            NoveltyRun(dataset=dataset, rank=rank, seed=seed, code=code)
            for rank in range(len(largest_types(data.labels, args.types)))
            for seed in range(args.seeds)
        ]
    return found


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the means over types, and give the files written."""
    set_threads(args.threads)
    table = pd.DataFrame(results_of(runs_of(args), args.parts, measure))
    print(markdown(table[["dataset", "type", "nearest", "cells", *SCORES]]), end="\n\n")
    print(markdown(table.groupby("dataset", sort=False)[SCORES].mean().reset_index()))
    record = {"benchmark": "novelty", **environment(command=command, threads=args.threads)}
    name = run_name("mapping", "novelty", *(args.dataset or []))
    return write_run(args.out, name, {"": table}, record)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where a file, a name or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
