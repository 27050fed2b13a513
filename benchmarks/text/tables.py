"""Tables of the text benchmark: means over wordings, types and seeds."""

from collections.abc import Sequence
from typing import Any

import pandas as pd


def queries_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return how well queries find their cells; mean over wordings and types, and the worst type.

    Of rounds of held-out types only these types count.
    """
    rows = [
        {key: r[key] for key in ("dataset", "encoder", "variant", "seed")} | row
        for r in results
        for row in r["queries"]
        if row["held_out"] or r["round"] < 0
    ]
    keys = ["dataset", "encoder", "variant", "method", "kind", "held_out"]
    figures = ["auroc", *(f"hit@{k}" for k in (1, 5, 10)), *(f"precision@{k}" for k in (1, 5, 10))]
    # Types count alike, however many wordings they have.
    types = pd.DataFrame(rows).groupby([*keys, "type"], sort=False)[figures].mean()
    groups = types.groupby(keys, sort=False)
    table = groups.mean().assign(types=groups.size(), worst_auroc=groups["auroc"].min())
    return table.reset_index()


def types_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the mean AUROC of each type's wordings, by kind of wording."""
    rows = [
        {key: r[key] for key in ("dataset", "encoder", "variant", "seed", "round")} | row
        for r in results
        for row in r["queries"]
        if row["held_out"] or r["round"] < 0
    ]
    keys = ["dataset", "encoder", "variant", "method", "held_out", "type", "kind"]
    return (
        pd.DataFrame(rows).groupby(keys, sort=False)["auroc"].mean().unstack("kind").reset_index()
    )


def annotation_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return how well texts annotate cells; of held-out types the mean of their rounds."""
    rows = [
        {key: r[key] for key in ("dataset", "encoder", "variant")} | row
        for r in results
        for row in r.get("annotation", [])
        if (row["types"] != "all") == (r["round"] >= 0)
    ]
    keys = ["dataset", "encoder", "variant", "method", "kind", "types"]
    return pd.DataFrame(rows).groupby(keys, sort=False).mean().reset_index()


def figures_table(results: Sequence[dict[str, Any]], key: str) -> pd.DataFrame:
    """Return the figures of a test that gives one row for each model, mean over seeds."""
    keys = ["dataset", "encoder", "variant"]
    rows = [{k: r[k] for k in keys} | r[key] for r in results if key in r]
    return pd.DataFrame(rows).groupby(keys, sort=False).mean().reset_index() if rows else EMPTY


EMPTY = pd.DataFrame()
