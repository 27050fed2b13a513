"""A short table per task: means over seeds, their spread, and why a cell is empty."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from benchmarks.common.short_table import short_table as shared_table

SHORT: Mapping[str, str] = {
    "total": "total",
    "label conservation": "labels",
    "batch mixing": "batches",
    "iLISI, all cells": "iLISI",
    "label accuracy": "accuracy",
    "label accuracy, other batches": "accuracy, other batches",
    "least share": "least share",
    "FOSCTTM": "FOSCTTM",
    "seconds": "s",
    "memory, GB": "GB",
}
"""Measures of the short table, and what they are called there."""
DIGITS = {"seconds": 0, "memory, GB": 1}


def short_table(results: pd.DataFrame) -> str:
    """Write the short table of one task as markdown.

    Parameters
    ----------
    results
        Rows of one task in long form.

    Returns
    -------
    A row per method in the order of its first occurrence. "(c)" marks means over runs that a time
    limit cut; numbers in brackets lead to the reasons below.
    """
    rows = pd.concat([results, least_shares(results)], ignore_index=True)
    rows["metric"] = rows["metric"].str.replace(r"^FOSCTTM .*", "FOSCTTM", regex=True)
    return shared_table(rows, "method", SHORT, DIGITS)


def least_shares(results: pd.DataFrame) -> pd.DataFrame:
    """Return the share of neighbours in other batches over the even share, least over batches.

    1 is even, 0 is a batch whose cells keep to themselves.
    """
    prefix, even = "other batches, ", "even share, "
    found = []
    for _, own in results.groupby(["task", "method", "seed"], sort=False):
        shares = own[own["metric"].str.startswith(prefix)]
        evens = own[own["metric"].str.startswith(even)].set_index("metric")["value"]
        names = even + shares["metric"].str.removeprefix(prefix)
        ratio = shares["value"].to_numpy() / evens.reindex(names).to_numpy()
        worst = shares.iloc[[int(np.nan_to_num(ratio, nan=np.inf).argmin())]]
        found.append(worst.assign(metric="least share", value=ratio.min()))
    return pd.concat(found, ignore_index=True)
