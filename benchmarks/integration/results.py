"""Results in long form: one row per task, method, seed and measure, empty ones with a reason."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd

from benchmarks.common.resume import write_whole
from benchmarks.integration.catalogue import Method
from benchmarks.integration.measures import Measured, measure, metric_names
from benchmarks.integration.methods.exchange import Embedding
from benchmarks.integration.run import Runner
from benchmarks.integration.tasks import TaskData

COLUMNS = ("task", "method", "seed", "metric", "value", "status", "reason")
OF_RUN = {
    "seconds": "seconds",
    "processor seconds": "processor_seconds",
    "memory, GB": "peak_memory_gb",
}
"""Measures that are read off the record of a run, and what they are called there."""


def result_rows(
    runner: Runner, task: str, method: Method, seed: int, data: TaskData
) -> pd.DataFrame:
    """Run a method if it has not been, measure its embedding, and give one row per measure."""
    record = runner.record(task, method, seed, data.cells)
    path = runner.path(task, method.name, seed)
    measured: dict[str, Measured] = {}
    if "seconds" in record:
        kept = path.with_suffix(".measures.json")
        if not kept.is_file():
            found = measure(Embedding.load(path.with_suffix(".npz")), data)
            write_whole(kept, json.dumps([vars(one) for one in found]))
        listed = [Measured(**one) for one in json.loads(kept.read_text(encoding="utf-8"))]
        measured = {one.metric: one for one in listed} | _of_run(record)
    rows = [
        _row(measured.get(metric), metric, record)
        | {"task": task, "method": method.title, "seed": seed}
        for metric in metric_names(data)
    ]
    return pd.DataFrame(rows)[list(COLUMNS)]


def _of_run(record: Mapping[str, Any]) -> dict[str, Measured]:
    return {
        metric: Measured(metric=metric, value=float(record[key])) for metric, key in OF_RUN.items()
    }


def _row(one: Measured | None, metric: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row; a measure without a value has its own reason or that of its run."""
    status, reason = record["status"], record["reason"]
    if one is None:
        return {"metric": metric, "value": float("nan"), "status": status, "reason": reason}
    if one.value != one.value:
        why = one.reason or "not a number"
        return {"metric": metric, "value": one.value, "status": "not measured", "reason": why}
    return {"metric": metric, "value": one.value, "status": status, "reason": reason}
