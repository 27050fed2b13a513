"""Features of clusters: a dot plot of means and shares, and a heatmap of cells."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hzau_omics.pl.style import CONTINUOUS_MAP, MISSING_COLOUR, TEXT, TITLE, new_grid, palette

_LARGEST_DOT = 130.0
_WIDTH = 0.24
_LIMIT = 2.5


def dots(means: pd.DataFrame, shares: pd.DataFrame, *, title: str) -> Figure:
    """Draw the mean of each feature as a colour, and the share of cells that have it as a size.

    Parameters
    ----------
    means
        Mean normalised log count (group, feature); NaN where nothing was measured. Each feature is
        scaled from its lowest to its highest group.
    shares
        Share of cells with a count above 0 (group, feature).
    title
        Title of the figure.

    Returns
    -------
    Figure with one row per group and one column per feature.

    Examples
    --------
    >>> table = pd.DataFrame([[0.0, 1.0], [1.0, 0.0]], index=["0", "1"], columns=["CD3", "CD19"])
    >>> [label.get_text() for label in dots(table, table, title="rna").axes[0].get_xticklabels()]
    ['CD3', 'CD19']
    """
    low, high = means.min(), means.max()
    scaled = (means - low) / (high - low).clip(lower=1e-12)
    n_rows, n_columns = means.shape
    figure, (ax,) = new_grid(1, ncols=1, panel=(_WIDTH * n_columns + 2.6, 0.26 * n_rows + 1.7))
    row, column = np.indices(means.shape)
    size = _LARGEST_DOT * shares.to_numpy(np.float64).ravel()
    known = np.isfinite(scaled.to_numpy(np.float64).ravel())
    ax.scatter(
        column.ravel()[~known], row.ravel()[~known], s=18, marker="x", c="#999999", linewidths=0.8
    )
    points = ax.scatter(
        column.ravel()[known],
        row.ravel()[known],
        s=size[known],
        c=scaled.to_numpy(np.float64).ravel()[known],
        cmap=CONTINUOUS_MAP + "_r",
        vmin=0,
        vmax=1,
        edgecolors="#555555",
        linewidths=0.3,
    )
    ax.set_xticks(range(n_columns), [str(c) for c in means.columns], rotation=90)
    ax.set_yticks(range(n_rows), [str(i) for i in means.index])
    ax.set(xlim=(-0.7, n_columns - 0.3), ylim=(n_rows - 0.4, -0.6))
    ax.tick_params(labelsize=TEXT)
    ax.set_title(title, fontsize=TITLE)
    bar = figure.colorbar(points, ax=ax, shrink=0.6, aspect=12, pad=0.01)
    bar.set_label("mean, from lowest\nto highest group", fontsize=TEXT)
    bar.ax.tick_params(labelsize=TEXT)
    _size_legend(figure)
    return figure


def _size_legend(figure: Figure) -> None:
    handles = [
        Line2D(
            [],
            [],
            marker="o",
            linestyle="",
            color="#777777",
            markersize=np.sqrt(_LARGEST_DOT * share),
            label=f"{100 * share:.0f} %",
        )
        for share in (0.25, 0.5, 1.0)
    ]
    figure.legend(
        handles=handles,
        loc="outside lower right",
        ncols=3,
        fontsize=TEXT,
        frameon=False,
        title="share of cells above 0",
        title_fontsize=TEXT,
    )


def heatmap(values: np.ndarray, groups: pd.Series, features: list[str], *, title: str) -> Figure:
    """Draw features of cells that are sorted by group, each feature scaled to z-scores.

    Parameters
    ----------
    values
        Normalised log counts (cell, feature), sorted by group; NaN where nothing was measured.
    groups
        Group of each cell, in the same order.
    features
        Names of the features.
    title
        Title of the figure.

    Returns
    -------
    Figure with one row per feature and one column per cell.

    Examples
    --------
    >>> figure = heatmap(np.eye(2), pd.Series(["0", "1"]), ["CD3", "CD19"], title="rna")
    >>> [label.get_text() for label in figure.axes[0].get_yticklabels()]
    ['CD3', 'CD19']
    """
    mean, spread = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    z = ((values - mean) / np.maximum(spread, 1e-6)).T
    figure, (ax,) = new_grid(1, ncols=1, panel=(9.5, 0.155 * len(features) + 1.3))
    colours = plt.get_cmap("RdBu_r").with_extremes(bad=MISSING_COLOUR)
    shown = ax.imshow(
        z, aspect="auto", cmap=colours, vmin=-_LIMIT, vmax=_LIMIT, interpolation="nearest"
    )
    ax.set_yticks(range(len(features)), features)
    _mark_groups(ax, groups)
    ax.tick_params(labelsize=TEXT - 1.5)
    ax.set_title(title, fontsize=TITLE, pad=18)
    bar = figure.colorbar(shown, ax=ax, shrink=0.5, aspect=16, pad=0.01)
    bar.set_label("z-score", fontsize=TEXT)
    bar.ax.tick_params(labelsize=TEXT)
    return figure


def _mark_groups(ax: Axes, groups: pd.Series) -> None:
    """Write the name of each group above its cells, and draw lines between groups."""
    names = list(dict.fromkeys(groups.astype(str)))
    stops = np.cumsum([int((groups.astype(str) == name).sum()) for name in names])
    starts = np.concatenate([[0], stops[:-1]])
    ax.set_xticks([])
    for name, start, stop, colour in zip(names, starts, stops, palette(len(names)), strict=True):
        ax.plot(
            [start - 0.5, stop - 0.5], [1.005, 1.005], color=colour, lw=4, solid_capstyle="butt",
            transform=ax.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
        ax.text(
            (start + stop - 1) / 2, 1.015, name[:14], fontsize=TEXT - 1.5, ha="center", va="bottom",
            transform=ax.get_xaxis_transform(),
        )  # fmt: skip
        if stop < stops[-1]:
            ax.axvline(stop - 0.5, color="white", lw=0.8)
