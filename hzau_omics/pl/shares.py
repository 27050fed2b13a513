"""Bars and boxes of gate weights, and counts of modality patterns."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.pl.style import TEXT, TITLE, legend_beside, levels, new_axes, palette, text_colour


def gate(
    weights: pd.DataFrame,
    groups: Any = None,
    *,
    kind: Literal["bar", "box"] = "bar",
    ax: Axes | None = None,
) -> Axes:
    """Draw gate weights per group of cells.

    Parameters
    ----------
    weights
        Gate weights, cells x modalities in [0, 1], rows summing to 1. A weight of exactly 0 means
        that the cell lacks the modality: pass cells that have all modalities to see what the gate
        chooses rather than what was measured.
    groups
        Label per cell, such as the cell type; a Series is matched to ``weights`` by cell name,
        anything else by position. None draws all cells as one group.
    kind
        ``"bar"``: the mean weights, stacked to 1. ``"box"``: the spread over cells, without the
        zeros of absent modalities.
    ax
        Axes to draw into; a new figure by default.

    Returns
    -------
    Axes with one row per group, labelled with its number of cells.

    Raises
    ------
    ConfigError
        If ``kind`` is unknown.
    DataContractError
        If ``weights`` are outside [0, 1] or empty, or ``groups`` does not cover the cells.

    Examples
    --------
    >>> weights = pd.DataFrame({"rna": [0.4, 0.8], "adt": [0.6, 0.2]}, index=["c1", "c2"])
    >>> ax = gate(weights, pd.Series(["B", "T"], index=["c1", "c2"]))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['B  (n = 1)', 'T  (n = 1)']
    """
    draw = {"bar": _draw_bars, "box": _draw_boxes}.get(kind)
    if draw is None:
        msg = f"kind must be 'bar' or 'box'. Got {kind!r}."
        raise ConfigError(msg)
    parts = _split(weights, groups)
    row_height = 0.32 if kind == "bar" else 0.16 * weights.shape[1] + 0.2
    axes = new_axes(ax, size=(7.5, 1.1 + row_height * len(parts)))
    draw(axes, parts, list(map(str, weights.columns)))
    axes.set_yticks(range(len(parts)), [f"{k}  (n = {len(v):,})" for k, v in parts.items()])
    axes.set_ylim(len(parts) - 0.4, -0.6)
    axes.set_xlim(0, 1)
    axes.set_xlabel("mean gate weight" if kind == "bar" else "gate weight", fontsize=TEXT)
    colours = palette(weights.shape[1])
    patches = [Patch(color=c, label=str(m)) for m, c in zip(weights.columns, colours, strict=True)]
    legend_beside(axes, patches, title="modality")
    return axes


def pattern_names(present: pd.DataFrame) -> pd.Series:
    """Name the set of modalities that each cell has.

    Parameters
    ----------
    present
        Boolean table, cells x modalities.

    Returns
    -------
    Categorical Series such as "rna + adt", the names in order of decreasing frequency; "none" for
    a cell without any modality.

    Raises
    ------
    DataContractError
        If the table is not boolean or has no column.

    Examples
    --------
    >>> pattern_names(pd.DataFrame({"rna": [True, False], "adt": [True, True]})).tolist()
    ['rna + adt', 'adt']
    """
    if present.shape[1] == 0 or not all(map(pd.api.types.is_bool_dtype, present.dtypes)):
        msg = (
            "present must be a boolean table of cells x modalities. Got "
            f"{dict(present.dtypes.astype(str))}. Use `weights > 0` or the store's presence."
        )
        raise DataContractError(msg)
    columns = np.array(list(map(str, present.columns)))
    matrix, inverse = np.unique(present.to_numpy(bool), axis=0, return_inverse=True)
    names = [" + ".join(columns[row]) or "none" for row in matrix]
    codes = np.ravel(inverse)
    by_count = np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable")
    cells = pd.Categorical([names[c] for c in codes], categories=[names[i] for i in by_count])
    return pd.Series(cells, index=present.index, name="modalities")


def pattern_counts(present: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how many cells have which modalities.

    Parameters
    ----------
    present
        Boolean table, cells x modalities.
    ax
        Axes to draw into; a new figure by default.

    Returns
    -------
    Axes with one bar per set of modalities that occurs, the most frequent on top.

    Raises
    ------
    DataContractError
        If the table is not boolean or has no column.

    Examples
    --------
    >>> ax = pattern_counts(pd.DataFrame({"rna": [True, False, True], "adt": [True] * 3}))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['rna + adt', 'adt']
    """
    counts = pattern_names(present).value_counts(sort=False)
    axes = new_axes(ax, size=(6.5, 0.9 + 0.4 * len(counts)))
    bars = axes.barh(range(len(counts)), counts.to_numpy(float), color=palette(1)[0], height=0.7)
    total = max(len(present), 1)
    labels = [f"{n:,} ({n / total:.0%})" for n in counts]
    axes.bar_label(bars, labels, padding=4, fontsize=TEXT)
    axes.set_yticks(range(len(counts)), list(counts.index))
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.margins(x=0.2)
    axes.set_xlabel("cells", fontsize=TEXT)
    axes.set_title("Measured modalities", fontsize=TITLE)
    return axes


def _split(weights: pd.DataFrame, groups: Any) -> dict[str, pd.DataFrame]:
    values = weights.to_numpy(np.float64)
    if values.size == 0 or not ((values >= 0) & (values <= 1 + 1e-6)).all():
        msg = (
            "weights must be a table of cells x modalities with values in [0, 1]. Got shape "
            f"{values.shape}. Pass the output of get_gate_weights."
        )
        raise DataContractError(msg)
    if groups is None:
        return {"all cells": weights}
    if isinstance(groups, pd.Series):
        unknown = weights.index.difference(groups.index)
        if len(unknown) or not groups.index.is_unique:
            msg = (
                "groups must give one label for each cell of weights. Got a Series that lacks "
                f"{len(unknown)} of {len(weights)} cells (first: {list(unknown[:3])}) or repeats "
                "some. Use the obs column of the same object."
            )
            raise DataContractError(msg)
        groups = groups.loc[weights.index]
    elif len(groups) != len(weights):
        msg = (
            f"groups must give one label for each cell of weights. Got {len(groups)} labels for "
            f"{len(weights)} cells. Select the same cells in both."
        )
        raise DataContractError(msg)
    found = levels(groups)
    parts = {name: weights[found.codes == i] for i, name in enumerate(found.names)}
    missing = weights[found.codes < 0]
    return {**parts, "no label": missing} if len(missing) else parts


def _draw_bars(ax: Axes, parts: dict[str, pd.DataFrame], names: list[str]) -> None:
    means = np.stack([part.to_numpy(np.float64).mean(axis=0) for part in parts.values()])
    left = np.zeros(len(parts))
    for j, colour in enumerate(palette(len(names))):
        ax.barh(range(len(parts)), means[:, j], left=left, color=colour, height=0.78)
        for row, (start, width) in enumerate(zip(left, means[:, j], strict=True)):
            if width >= 0.07:
                ax.text(
                    start + width / 2,
                    row,
                    f"{width:.2f}",
                    ha="center",
                    va="center",
                    fontsize=TEXT - 1,
                    color=text_colour(colour),
                    fontweight="bold",
                )
        left += means[:, j]


def _draw_boxes(ax: Axes, parts: dict[str, pd.DataFrame], names: list[str]) -> None:
    height = 0.8 / len(names)
    for j, colour in enumerate(palette(len(names))):
        columns = [part.iloc[:, j].to_numpy(np.float64) for part in parts.values()]
        places = np.arange(len(parts)) - 0.4 + height * (j + 0.5)
        ax.boxplot(
            [column[column > 0] for column in columns],
            positions=places,
            widths=0.75 * height,
            orientation="horizontal",
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "edgecolor": "#333333", "linewidth": 0.6},
            medianprops={"color": "black", "linewidth": 1.4},
            whiskerprops={"linewidth": 0.7},
            capprops={"linewidth": 0.7},
            flierprops={"marker": ".", "markersize": 2, "alpha": 0.4, "markeredgewidth": 0},
        )
