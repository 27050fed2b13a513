"""Results in long form, and a short table of each task."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.differential.parts import Part, Task

NOT_MEASURES = {"train_s", "commit"}


def long_form(
    task: Task, parts: Sequence[Part], results: Sequence[Mapping[str, Any]]
) -> pd.DataFrame:
    """Return one row per design, method and measure.

    Parameters
    ----------
    task
        The task.
    parts, results
        Its parts, and what was found.

    Returns
    -------
    Columns task, design, method, metric, mean, standard error of the mean, number of parts.
    """
    rows: dict[tuple[str, str, str], list[float]] = {}
    for part, result in zip(parts, results, strict=True):
        for metric, value in result.items():
            if metric not in NOT_MEASURES:
                key = (part.design, task.titles[part.method], metric)
                rows.setdefault(key, []).append(value)
    return pd.DataFrame(
        [
            {
                "task": task.name,
                "design": design,
                "method": method,
                "metric": metric,
                "mean": np.mean(values),
                "error": np.std(values, ddof=1) / np.sqrt(len(values))
                if len(values) > 1
                else np.nan,
                "n": len(values),
            }
            for (design, method, metric), values in rows.items()
        ]
    )


def short_text(table: pd.DataFrame) -> str:
    """Return means and their standard errors as markdown, one row per design and method."""
    metrics = list(pd.unique(table["metric"]))
    lines = [["design", "method", "n", *metrics]]
    lines.append(["---"] * len(lines[0]))
    for (design, method), own in table.groupby(["design", "method"], sort=False):
        values = own.set_index("metric")
        cells = [_cell(values.loc[m]) if m in values.index else "" for m in metrics]
        lines.append([str(design), str(method), str(values["n"].iloc[0]), *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cell(row: "pd.Series[Any]") -> str:
    mean, error = float(row["mean"]), float(row["error"])
    if np.isnan(mean):
        return ""
    digits = 3 if abs(mean) < 10 else 1
    text = f"{mean:.{digits}f}"
    return text if np.isnan(error) else f"{text} ± {error:.{digits}f}"
