"""Ours beside the paper's, and whether the paper's finding is reproduced."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.table1.paper import n_printed, printed
from benchmarks.table1.run import SYSTEMS, TARGETS

CLOSE = 0.15
"""Largest relative distance from the printed value at which a value counts as reproduced."""


def table_of(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Put variances beside the paper's; one row per target, data set and system.

    `variance` has draws from q(z|x1), `variance_all` from q(z|x1,x2); `reproduced` says for both
    whether a system has the paper's rank among the systems that it lists (if all were run), and the
    paper's value within 15 %.
    """
    rows = []
    for target in TARGETS:
        for dataset in dict.fromkeys(r["dataset"] for r in results):
            for system in SYSTEMS:
                own = [
                    r for r in results
                    if (r["dataset"], r["system"]) == (dataset, system)
                    and f"{target}_variance" in r
                ]  # fmt: skip
                if own:
                    rows.append(_row(target, dataset, system, own))
    table = pd.DataFrame(rows)
    if table.empty:
        return table
    return _marked(table)


def quality_of(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Give what the variances do not tell; one row per data set and system, mean over seeds."""
    columns = ["coherence", "coherence_of_real", "x2_from_x1", "gate_weight_x1", "train_s"]
    frame = pd.DataFrame(results).reindex(columns=["dataset", "system", "epochs", *columns])
    order = {system: i for i, system in enumerate(SYSTEMS)}
    means = frame.groupby(["dataset", "system"], sort=False).mean().reset_index()
    return means.sort_values(
        ["dataset", "system"], key=lambda c: c.map(order) if c.name == "system" else c
    ).reset_index(drop=True)


def _row(target: str, dataset: str, system: str, own: list[dict[str, Any]]) -> dict[str, Any]:
    values = [r[f"{target}_variance"] for r in own]
    key = "marginal" if target == "marginal" else f"{target}_all"
    from_all = [r.get(f"{key}_variance", np.nan) for r in own]
    return {
        "target": target,
        "dataset": dataset,
        "system": system,
        "variance": float(np.mean(values)),
        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else np.nan,
        "variance_all": float(np.mean(from_all)),
        "paper": printed(target, dataset, system),
        "bound": float(np.mean([r[f"{target}_bound"] for r in own])),
        "epochs": own[0]["epochs"],
        "seeds": len(own),
    }


def _marked(table: pd.DataFrame) -> pd.DataFrame:
    """Say which cells reproduce the paper's order, and which its value."""
    marks = pd.Series("", index=table.index)
    in_paper = table[table["paper"].notna()]
    for (target, dataset), rows in in_paper.groupby(["target", "dataset"], sort=False):
        variants = rows["system"].str.endswith("-all")
        with_variant = rows["system"].isin(rows["system"][variants].str.removesuffix("-all"))
        # A variant is ranked in the place of its system.
        for ranked, marked in ((~variants, ~variants), (~with_variant, variants)):
            part = rows[ranked]
            complete = len(part) == n_printed(str(target), str(dataset))
            rank = part["paper"].rank()
            for column, word in (("variance", "given"), ("variance_all", "all")):
                same = part[column].rank() == rank
                close = (part[column] / part["paper"] - 1).abs() <= CLOSE
                for i in part.index[marked[ranked]]:
                    kinds = (("rank", complete and same[i]), ("value", close[i]))
                    found = [name for name, yes in kinds if yes]
                    marks[i] += f"{word}: {'+'.join(found) or 'no'}; "
    return table.assign(reproduced=marks.str.removesuffix("; "))
