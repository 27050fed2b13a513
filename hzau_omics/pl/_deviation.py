"""A map of cells, coloured by how far a value lies from its mean."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import CenteredNorm
from matplotlib.figure import Figure

from hzau_omics.pl.style import MISSING_COLOUR, TEXT, TITLE, new_grid, point_size


def deviation(points: np.ndarray, values: pd.DataFrame, *, axis_name: str = "UMAP") -> Figure:
    """Draw a map once per column, coloured by the deviation from the column's mean.

    Parameters
    ----------
    points
        Places of the cells (cell, 2).
    values
        Values (cell, column), NaN where there is none: such cells are grey.
    axis_name
        Name of the two axes.

    Returns
    -------
    Figure with one panel per column. Red cells lie above the mean, blue ones below; the scale ends
    at the largest 2 % of the deviations.

    Examples
    --------
    >>> values = pd.DataFrame({"rna": [0.4, 0.6]})
    >>> deviation(np.zeros((2, 2)), values).axes[0].get_title()
    'rna: mean 0.50'
    """
    figure, axes = new_grid(values.shape[1], ncols=2, panel=(4.7, 3.9))
    for ax, name in zip(axes, values.columns, strict=True):
        column = values[name].to_numpy(np.float64)
        known = np.isfinite(column)
        mean = float(column[known].mean()) if known.any() else np.nan
        away = column - mean
        end = float(np.quantile(np.abs(away[known]), 0.98)) if known.any() else 1.0
        size = point_size(len(points))
        ax.scatter(
            points[~known, 0],
            points[~known, 1],
            s=size,
            c=MISSING_COLOUR,
            linewidths=0,
            rasterized=True,
        )
        order = np.random.default_rng(0).permutation(np.flatnonzero(known))
        drawn = ax.scatter(
            points[order, 0],
            points[order, 1],
            c=away[order],
            s=size,
            cmap="RdBu_r",
            norm=CenteredNorm(0, max(end, 1e-3)),
            linewidths=0,
            rasterized=True,
        )
        bar = plt.colorbar(drawn, cax=ax.inset_axes((1.03, 0.15, 0.04, 0.7)))
        bar.ax.tick_params(labelsize=TEXT)
        bar.set_label("deviation from the mean", fontsize=TEXT)
        ax.set(xticks=[], yticks=[])
        ax.set_facecolor("#fafafa")
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_xlabel(f"{axis_name} 1", fontsize=TEXT)
        ax.set_ylabel(f"{axis_name} 2", fontsize=TEXT)
        ax.set_title(f"{name}: mean {mean:.2f}", fontsize=TITLE)
    return figure
