"""Results in long form: one row per task, method, seed and measure, empty ones with a reason."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.resume import write_whole
from benchmarks.integration import measures, neighbours, scib
from benchmarks.integration.catalogue import Method
from benchmarks.integration.measures import Measured, measure, metric_names
from benchmarks.integration.methods.exchange import Embedding
from benchmarks.integration.run import Runner, digest_of_files
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
        measured = {one.metric: one for one in _measured(path, data)} | _of_run(record)
    rows = [
        _row(measured.get(metric), metric, record)
        | {"task": task, "method": method.title, "seed": seed}
        for metric in metric_names(data)
    ]
    return pd.DataFrame(rows)[list(COLUMNS)]


def _measured(path: Path, data: TaskData) -> list[Measured]:
    """Measure an embedding, or read what the same code found before."""
    kept = path.with_suffix(".measures.json")
    code = digest_of_files([Path(str(one.__file__)) for one in (measures, neighbours, scib)])
    if kept.is_file():
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found["code"] == code:
            return [Measured(**one) for one in found["measures"]]
    listed = measure(Embedding.load(path.with_suffix(".npz")), data)
    write_whole(kept, json.dumps({"code": code, "measures": [vars(one) for one in listed]}))
    return listed


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
