"""Results in long form: one row per task, method, seed and measure, empty ones with a reason."""

from pathlib import Path

import pandas as pd

from benchmarks.common.long_form import Measured, kept_measures, measured_row, of_run
from benchmarks.common.runner import Runner
from benchmarks.integration import measures, neighbours, scib
from benchmarks.integration.catalogue import Method
from benchmarks.integration.measures import measure, metric_names
from benchmarks.integration.methods.exchange import Embedding
from benchmarks.integration.tasks import TaskData

COLUMNS = ("task", "method", "seed", "metric", "value", "status", "reason")


def result_rows(
    runner: Runner, task: str, method: Method, seed: int, data: TaskData
) -> pd.DataFrame:
    """Run a method if it has not been, measure its embedding, and give one row per measure."""
    record = runner.record(task, method, seed, data.cells)
    path = runner.path(task, method.name, seed)
    measured: dict[str, Measured] = {}
    if "seconds" in record:
        measured = {one.metric: one for one in _measured(path, data)} | of_run(record)
    rows = [
        measured_row(measured.get(metric), metric, record)
        | {"task": task, "method": method.title, "seed": seed}
        for metric in metric_names(data)
    ]
    return pd.DataFrame(rows)[list(COLUMNS)]


def _measured(path: Path, data: TaskData) -> list[Measured]:
    return kept_measures(
        path,
        (measures, neighbours, scib),
        lambda: measure(Embedding.load(path.with_suffix(".npz")), data),
    )
