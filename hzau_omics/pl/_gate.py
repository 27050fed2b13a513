"""Bars and boxes of gate weights, suspicious measurements, and counts of modality patterns."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from mudata import MuData

from hzau_omics.checks import check_number
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.pl.groups import split_by_group
from hzau_omics.pl.sources import groups_of, presence_of, table_of
from hzau_omics.pl.style import TEXT, TITLE, legend_beside, new_axes, palette, text_colour
from hzau_omics.pl.ternary import draw_triangle


def gate(
    weights: pd.DataFrame | AnnData | MuData,
    groups: Any = None,
    *,
    kind: Literal["bar", "box", "ternary"] = "bar",
    ax: Axes | None = None,
) -> Axes:
    """Draw gate weights per group of cells.

    Parameters
    ----------
    weights
        Gate weights, cells x modalities in [0, 1], rows summing to 1; or cells (AnnData or MuData)
        that have them in ``obsm["hzau_gate"]``, where ``annotate`` writes them. A weight
        of exactly 0 means that the cell lacks the modality: pass cells that have all modalities to
        see what the gate chooses rather than what was measured.
    groups
        Label per cell, such as the cell type; a Series is matched to ``weights`` by cell name,
        anything else by position. Of AnnData and MuData also the name of a column of ``obs``. None
        draws all cells as one group.
    kind
        ``"bar"``: the mean weights, stacked to 1. ``"box"``: the spread over cells, without the
        zeros of absent modalities. ``"ternary"``: each cell in a triangle of three modalities, the
        closer to a corner the larger that modality's weight.
    ax
        Axes to draw into; a new figure by default.

    Returns
    -------
    Axes with one row per group, labelled with its number of cells; or the triangle.

    Raises
    ------
    ConfigError
        If ``kind`` is unknown, or ternary of other than three modalities.
    DataContractError
        If ``weights`` are outside [0, 1] or empty, or ``groups`` does not cover the cells.

    Examples
    --------
    >>> weights = pd.DataFrame({"rna": [0.4, 0.8], "adt": [0.6, 0.2]}, index=["c1", "c2"])
    >>> ax = gate(weights, pd.Series(["B", "T"], index=["c1", "c2"]))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['B  (n = 1)', 'T  (n = 1)']
    """
    draw = {"bar": _draw_bars, "box": _draw_boxes, "ternary": draw_triangle}.get(kind)
    if draw is None:
        msg = f"kind must be 'bar', 'box' or 'ternary'. Received {kind!r}."
        raise ConfigError(msg)
    groups = groups_of(weights, groups)
    weights = table_of(weights, "hzau_gate", method="get_gate_weights")
    _check_shares(weights, what="weights", source="get_gate_weights", absent=False)
    parts = split_by_group(weights, groups)
    if kind == "ternary":
        axes = new_axes(ax, size=(6.0, 4.2))
        draw_triangle(axes, parts, list(map(str, weights.columns)))
        return axes
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


def reliability(
    values: pd.DataFrame | AnnData | MuData,
    groups: Any = None,
    *,
    threshold: float = 0.5,
    ax: Axes | None = None,
) -> Axes:
    """Draw which share of the measurements of each group of cells is suspicious.

    Parameters
    ----------
    values
        Reliability, cells x modalities in [0, 1], 1 = to be trusted, NaN where absent; or cells
        that have it in ``obsm["hzau_reliability"]``.
    groups
        As in :func:`gate`.
    threshold
        A measurement is suspicious below this reliability: at 0.5 it is more likely failed than
        not.
    ax
        Axes to draw into; a new figure by default.

    Returns
    -------
    Axes with one row per group and a bar per modality, labelled with the number of suspicious
    measurements. A type all of whose cells look odd to the model is suspicious without having
    failed: look at large shares of small groups with care.

    Raises
    ------
    DataContractError
        If ``values`` are outside [0, 1] or empty, or ``groups`` does not cover the cells.

    Examples
    --------
    >>> values = pd.DataFrame({"rna": [0.1, 0.9], "adt": [float("nan"), 0.8]}, index=["c1", "c2"])
    >>> ax = reliability(values)
    >>> ax.get_xlabel()
    'share of measurements with reliability below 0.5'
    """
    groups = groups_of(values, groups)
    values = table_of(values, "hzau_reliability", method="get_reliability")
    threshold = check_number("threshold", threshold)
    _check_shares(values, what="values", source="get_reliability", absent=True)
    parts = split_by_group(values, groups)
    names = list(map(str, values.columns))
    axes = new_axes(ax, size=(7.5, 1.1 + (0.16 * len(names) + 0.2) * len(parts)))
    height = 0.8 / len(names)
    for j, colour in enumerate(palette(len(names))):
        columns = [part.iloc[:, j].dropna() for part in parts.values()]
        low = [int((column < threshold).sum()) for column in columns]
        shares = [n / max(len(column), 1) for n, column in zip(low, columns, strict=True)]
        places = np.arange(len(parts)) - 0.4 + height * (j + 0.5)
        bars = axes.barh(places, shares, color=colour, height=0.9 * height, label=names[j])
        axes.bar_label(bars, [f"{n:,}" if n else "" for n in low], padding=3, fontsize=TEXT - 1)
    axes.set_yticks(range(len(parts)), [f"{k}  (n = {len(v):,})" for k, v in parts.items()])
    axes.set_ylim(len(parts) - 0.4, -0.6)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"share of measurements with reliability below {threshold:g}", fontsize=TEXT)
    legend_beside(axes, title="modality")
    return axes


def pattern_names(present: Any) -> pd.Series:
    """Name the set of modalities that each cell has.

    Parameters
    ----------
    present
        MuData, or store of cells; AnnData of all cells, as from ``to_anndata``; or a boolean table
        of cells x modalities.

    Returns
    -------
    Categorical Series such as "rna + adt", the names in order of decreasing frequency; "none" for
    a cell without any modality.

    Raises
    ------
    DataContractError
        If it does not say which cell has which modality.

    Examples
    --------
    >>> pattern_names(pd.DataFrame({"rna": [True, False], "adt": [True, True]})).tolist()
    ['rna + adt', 'adt']
    """
    present = presence_of(present)
    columns = np.array(list(map(str, present.columns)))
    matrix, inverse = np.unique(present.to_numpy(bool), axis=0, return_inverse=True)
    names = [" + ".join(columns[row]) or "none" for row in matrix]
    codes = np.ravel(inverse)
    by_count = np.argsort(-np.bincount(codes, minlength=len(names)), kind="stable")
    cells = pd.Categorical([names[c] for c in codes], categories=[names[i] for i in by_count])
    return pd.Series(cells, index=present.index, name="modalities")


def pattern_counts(present: Any, *, ax: Axes | None = None) -> Axes:
    """Draw how many cells have which modalities.

    Parameters
    ----------
    present
        MuData, or store of cells; AnnData of all cells, as from ``to_anndata``; or a boolean table
        of cells x modalities.
    ax
        Axes to draw into; a new figure by default.

    Returns
    -------
    Axes with one bar per set of modalities that occurs, the most frequent on top.

    Raises
    ------
    DataContractError
        If it does not say which cell has which modality.

    Examples
    --------
    >>> ax = pattern_counts(pd.DataFrame({"rna": [True, False, True], "adt": [True] * 3}))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['rna + adt', 'adt']
    """
    patterns = pattern_names(present)
    counts = patterns.value_counts(sort=False)
    axes = new_axes(ax, size=(6.5, 0.9 + 0.4 * len(counts)))
    bars = axes.barh(range(len(counts)), counts.to_numpy(float), color=palette(1)[0], height=0.7)
    total = max(len(patterns), 1)
    labels = [f"{n:,} ({n / total:.0%})" for n in counts]
    axes.bar_label(bars, labels, padding=4, fontsize=TEXT)
    axes.set_yticks(range(len(counts)), list(counts.index))
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.margins(x=0.2)
    axes.set_xlabel("cells", fontsize=TEXT)
    axes.set_title("Measured modalities", fontsize=TITLE)
    return axes


def _check_shares(values: pd.DataFrame, *, what: str, source: str, absent: bool) -> None:
    x = values.to_numpy(np.float64)
    inside = ((x >= 0) & (x <= 1 + 1e-6)) | (np.isnan(x) & absent)
    if x.size == 0 or not inside.all():
        msg = (
            f"{what} must be a table of cells x modalities with values in [0, 1]. Received shape "
            f"{x.shape}. Pass the output of {source}."
        )
        raise DataContractError(msg)


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
