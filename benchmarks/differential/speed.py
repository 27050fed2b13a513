"""Seconds and memory of one table: each type against the rest, RNA, with as many draws."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.common.process import answer, in_process
from benchmarks.common.report import peak_memory_gb, set_threads
from benchmarks.common.resume import Found
from benchmarks.differential.data import RNA, pbmc10k
from benchmarks.differential.models import ours, totalvi
from benchmarks.differential.null import CELLS
from benchmarks.differential.parts import Part, Settings, Task

NAME = "speed"
N_SAMPLES = 1000
FAMILIES = {"ours": ours, "totalvi": totalvi}
REPEATS = 3


@dataclass(frozen=True, kw_only=True)
class SpeedRun:
    """One table.

    Attributes
    ----------
    method
        Whose.
    kept
        Folder of its model.
    epochs, quick, threads
        As in the settings.
    """

    method: str
    kept: str
    epochs: int
    quick: bool
    threads: int


def parts(settings: Settings) -> list[Part]:
    """Return the methods in turn, several times."""
    design = f"threads: {settings.threads}"
    return [settings.part(NAME, design, method, i) for i in range(REPEATS) for method in FAMILIES]


def measure(part: Part, settings: Settings) -> Found:
    """Make the table in a process of its own; the model is trained before if there is none."""
    kept = settings.model_path(f"{CELLS}_{part.method}")
    fit = FAMILIES[part.method]
    fit(pbmc10k(quick=part.quick), epochs=part.epochs, seed=0, kept=kept)
    run = SpeedRun(
        method=part.method,
        kept=str(kept),
        epochs=part.epochs,
        quick=part.quick,
        threads=settings.threads,
    )
    found = in_process("benchmarks.differential.speed", run, part.name)
    return {**found, "train_s": found["seconds"]}, {}


def timed(run: SpeedRun) -> dict[str, Any]:
    """Return seconds and memory of a table."""
    set_threads(run.threads)
    data = pbmc10k(quick=run.quick)
    model = FAMILIES[run.method](data, epochs=run.epochs, seed=0, kept=Path(run.kept))
    before, busy, start = peak_memory_gb(), time.process_time(), time.perf_counter()
    if run.method == "ours":
        table = model.differential_expression(RNA, "cell_type", n_samples=N_SAMPLES, seed=0)
    else:
        table = model.differential_expression(
            groupby="cell_type",
            mode="change",
            use_field=["rna"],
            n_samples_overall=N_SAMPLES,
            silent=True,
        )
    return {
        "seconds": time.perf_counter() - start,
        "processor seconds": time.process_time() - busy,
        "peak memory, GB": peak_memory_gb(),
        "before, GB": before,
        "rows": float(len(table)),
    }


TASKS = (
    Task(
        name=NAME,
        what="each type against the rest, RNA",
        parts=parts,
        measure=measure,
        titles={"ours": "HZAU-VAE", "totalvi": "totalVI"},
    ),
)

if __name__ == "__main__":
    answer(SpeedRun, timed)
