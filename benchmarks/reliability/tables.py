"""Tables of the reliability benchmark: over seeds, one row per system and what was asked of it."""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import spearmanr

from benchmarks.common.resume import arrays_of
from benchmarks.reliability.run import ReliabilityRun

WHOLE, OF_ALL = ("swapped", "another_category"), ("calibration error", "Brier score")
MEASURES = ("reliability", "gate", "precision")


def failures_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return what every system says of every failure, mean over seeds."""
    keys = ["dataset", "system", "modality", "kind", "strength"]
    rows = [
        {"dataset": r["dataset"], "system": r["system"]} | row for r in results for row in r["rows"]
    ]
    if not rows:
        return pd.DataFrame(columns=keys)
    groups = pd.DataFrame(rows).groupby(keys, sort=False)
    table = groups.mean()
    if "auroc reliability" in table:
        table["sd auroc reliability"] = groups["auroc reliability"].std(ddof=1)
    return table.reset_index()


def clean_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return how good systems are on clean held-out cells; mean over seeds, and their spread."""
    rows = [
        {
            "dataset": r["dataset"],
            "system": r["system"],
            "seeds": r["seed"],
            "seconds": r["train_s"],
        }
        | r["clean"]
        | r["agreement"]
        for r in results
    ]
    groups = pd.DataFrame(rows).groupby(["dataset", "system"], sort=False)
    table = groups.mean().assign(seeds=groups.size())
    spread = groups.std(ddof=1)
    for column in [c for c in table if str(c).startswith("pearson_")]:
        table[f"sd_{column}"] = spread[column]
    return table.reset_index()


def calibration_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return what intervals cover of imputed values and of latents, mean over seeds."""
    keys = ["dataset", "system", "target", "given", "of"]
    rows = [
        {"dataset": r["dataset"], "system": r["system"]} | row
        for r in results
        for row in r.get("calibration", [])
    ]
    if not rows:
        return pd.DataFrame(columns=keys)
    return pd.DataFrame(rows).groupby(keys, sort=False).mean().reset_index()


def stability_table(runs: Sequence[ReliabilityRun], folder: Path) -> pd.DataFrame:
    """Return the rank correlation between seeds over cells, mean over pairs of seeds."""
    rows = []
    for dataset, system in dict.fromkeys((run.dataset, run.system) for run in runs):
        seeds = [
            arrays_of(run, folder) for run in runs if (run.dataset, run.system) == (dataset, system)
        ]
        for measure in MEASURES:
            found = [
                spearmanr(a[measure][:, m], b[measure][:, m]).statistic
                for a, b in combinations(seeds, 2)
                if measure in a and measure in b
                for m in range(a[measure].shape[1])
            ]
            if found:
                mean = float(pd.Series(found).mean())
                rows.append(
                    {"dataset": dataset, "system": system, "measure": measure, "rank r": mean}
                )
    return pd.DataFrame(rows)


def goals_table(failures: pd.DataFrame) -> pd.DataFrame:
    """Return what fits on a screen: the failures whose strengths the goals name."""
    strength = failures["kind"].map(
        {"thinned": 0.9, **dict.fromkeys(WHOLE, 1.0), **dict.fromkeys(OF_ALL, 0.0)}
    )
    return failures[failures["strength"] == strength.fillna(0.5)]
