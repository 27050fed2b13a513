"""The table of all commits: one row per commit, claim and seed."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.resume import write_whole
from benchmarks.scoreboard.state import CodeState
from benchmarks.scoreboard.tasks import Better, ScoreboardTask

COLUMNS = (
    "date", "commit", "model_version", "claim", "seed", "value", "mean", "sd", "n_seeds", "beside",
    "better", "seconds", "data", "device", "threads",
)  # fmt: skip


def rows_of(
    task: ScoreboardTask, results: Sequence[Mapping[str, Any]], state: CodeState
) -> pd.DataFrame:
    """Return the rows of a task: each claim and seed, with mean and spread over seeds.

    Parameters
    ----------
    task
        What was run.
    results
        What :func:`benchmarks.scoreboard.measure.measure_task` gave for each seed, in order.
    state
        The code that was run.
    """
    date = datetime.now(UTC).isoformat(timespec="seconds")
    rows = []
    for claim, better in task.claims.items():
        found = pd.Series([r["values"].get(claim, math.nan) for r in results], dtype=float).dropna()
        for seed, result in enumerate(results):
            if claim not in result["values"]:
                continue
            rows.append(
                {
                    "date": date, "commit": state.commit, "model_version": state.model_version,
                    "claim": claim, "seed": seed, "value": result["values"][claim],
                    "mean": found.mean(), "sd": found.std(ddof=1), "n_seeds": len(found),
                    "beside": result["beside"].get(claim, math.nan), "better": better,
                    "seconds": round(result["train_s"], 1), "data": task.data,
                    "device": state.device, "threads": state.threads,
                }
            )  # fmt: skip
    return pd.DataFrame(rows, columns=list(COLUMNS))


def line_of(claim: str, better: Better, rows: pd.DataFrame) -> str:
    """Return what is printed of a claim."""
    first = rows.iloc[0]
    spread = f" +- {first['sd']:.4f}" if first["n_seeds"] > 1 else ""
    beside = "" if math.isnan(first["beside"]) else f", beside {rows['beside'].mean():.4f}"
    wanted = {"higher": "higher is better", "lower": "lower is better", "near": "nearer is better"}
    seeds = f"{first['n_seeds']} seed{'s' if first['n_seeds'] > 1 else ''}"
    return f"{claim}: {first['mean']:.4f}{spread} ({seeds}{beside}; {wanted[better]})"


def read_board(path: Path) -> pd.DataFrame:
    """Read the table; an empty one if there is none."""
    if not path.is_file():
        return pd.DataFrame(columns=list(COLUMNS))
    return pd.read_csv(path, dtype={"commit": str})


def write_board(path: Path, rows: pd.DataFrame) -> None:
    """Put the rows of a commit at the end of the table, in place of any that it has of it."""
    board = read_board(path)
    kept = board[~board["commit"].isin(rows["commit"].unique())]
    whole = rows if kept.empty else pd.concat([kept, rows], ignore_index=True)
    write_whole(path, whole.to_csv(index=False, float_format="%.6g"))
