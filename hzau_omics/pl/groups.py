"""Rows of a table by group of cells, such as cell type."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from hzau_omics.errors import DataContractError
from hzau_omics.pl.style import levels


def rows_of[T: (pd.Series, pd.DataFrame)](values: T, cells: pd.Index) -> T:
    """Return the rows of these cells, by their names.

    Raises
    ------
    DataContractError
        A cell is missing, or occurs twice.

    Examples
    --------
    >>> rows_of(pd.Series([1, 2], index=["c1", "c2"]), pd.Index(["c2"])).tolist()
    [2]
    """
    unknown = cells.difference(values.index)
    if len(unknown) or not values.index.is_unique:
        msg = (
            f"There must be one row for each cell. Received a {type(values).__name__} that lacks "
            f"{len(unknown)} of {len(cells)} cells (first: {list(unknown[:3])}) or repeats some. "
            "Pass values of the same object."
        )
        raise DataContractError(msg)
    return values.loc[cells]


def split_by_group(table: pd.DataFrame, groups: Any) -> dict[str, pd.DataFrame]:
    """Return the rows of each group by name; cells without a label come last.

    Parameters
    ----------
    table
        One row per cell.
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
        groups = rows_of(groups, table.index)
    elif len(groups) != len(table):
        msg = (
            "groups must give one label for each cell of the table. Received "
            f"{len(groups)} labels for {len(table)} cells. Select the same cells in both."
        )
        raise DataContractError(msg)
    found = levels(groups)
    parts = {name: table[found.codes == i] for i, name in enumerate(found.names)}
    rest = found.rest(missing="no label")
    return {**parts, **{why: table[cells] for why, cells in rest.items()}}


def label_groups(ax: Axes, parts: dict[str, pd.DataFrame]) -> None:
    """Label the rows of horizontal bars with groups and their numbers of cells, top to bottom."""
    ax.set_yticks(range(len(parts)), [f"{k}  (n = {len(v):,})" for k, v in parts.items()])
    ax.set_ylim(len(parts) - 0.4, -0.6)
