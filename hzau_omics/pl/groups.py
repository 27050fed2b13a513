"""Cells of a table by group, such as cell type."""

from typing import Any

import pandas as pd

from hzau_omics.errors import DataContractError
from hzau_omics.pl.style import levels


def split_by_group(table: pd.DataFrame, groups: Any) -> dict[str, pd.DataFrame]:
    """Return the rows of each group, by its name; what has no label comes last.

    Parameters
    ----------
    table
        A row per cell.
    groups
        Label per cell: a Series is matched by cell name, anything else by position. None makes all
        cells one group.

    Raises
    ------
    DataContractError
        `groups` does not cover the cells.

    Examples
    --------
    >>> table = pd.DataFrame({"rna": [0.4, 0.8]}, index=["c1", "c2"])
    >>> list(split_by_group(table, ["T", "B"]))
    ['B', 'T']
    """
    if groups is None:
        return {"all cells": table}
    if isinstance(groups, pd.Series):
        unknown = table.index.difference(groups.index)
        if len(unknown) or not groups.index.is_unique:
            msg = (
                "groups must give one label for each cell of the table. Got a Series that lacks "
                f"{len(unknown)} of {len(table)} cells (first: {list(unknown[:3])}) or repeats "
                "some. Use the obs column of the same object."
            )
            raise DataContractError(msg)
        groups = groups.loc[table.index]
    elif len(groups) != len(table):
        msg = (
            f"groups must give one label for each cell of the table. Got {len(groups)} labels for "
            f"{len(table)} cells. Select the same cells in both."
        )
        raise DataContractError(msg)
    found = levels(groups)
    parts = {name: table[found.codes == i] for i, name in enumerate(found.names)}
    missing = table[found.codes < 0]
    return {**parts, "no label": missing} if len(missing) else parts
