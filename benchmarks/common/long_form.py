"""Results in long form: one row per measure, with its value or the reason why there is none."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmarks.common.resume import write_whole
from benchmarks.common.runner import digest_of_files

OF_RUN = {
    "seconds": "seconds",
    "processor seconds": "processor_seconds",
    "memory, GB": "peak_memory_gb",
}
"""Measures that are read off the record of a run, and what they are called there."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One measure: a value, or why there is none."""

    metric: str
    value: float = float("nan")
    reason: str = ""


def of_run(record: Mapping[str, Any]) -> dict[str, Measured]:
    """Return the measures of a run that ended, by name."""
    return {
        metric: Measured(metric=metric, value=float(record[key])) for metric, key in OF_RUN.items()
    }


def measured_row(one: Measured | None, metric: str, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row; a measure without a value has its own reason or that of its run."""
    status, reason = record["status"], record["reason"]
    if one is None:
        return {"metric": metric, "value": float("nan"), "status": status, "reason": reason}
    if one.value != one.value:
        why = one.reason or "not a number"
        return {"metric": metric, "value": one.value, "status": "not measured", "reason": why}
    return {"metric": metric, "value": one.value, "status": status, "reason": reason}


def kept_measures(
    path: Path, modules: Iterable[ModuleType], measure: Callable[[], list[Measured]]
) -> list[Measured]:
    """Measure, or read what the code of the same modules found before.

    Parameters
    ----------
    path
        Of a run's files, without suffix.
    modules
        What the measures depend on.
    measure
        Measures the result of the run.
    """
    kept = path.with_suffix(".measures.json")
    code = digest_of_files([Path(str(one.__file__)) for one in modules])
    if kept.is_file():
        found = json.loads(kept.read_text(encoding="utf-8"))
        if found["code"] == code:
            return [Measured(**one) for one in found["measures"]]
    listed = measure()
    write_whole(kept, json.dumps({"code": code, "measures": [vars(one) for one in listed]}))
    return listed
