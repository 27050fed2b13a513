"""Histograms of shares and p-values, one per column."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hzau_omics.pl.style import TEXT, TITLE, new_grid, palette


def histograms(
    values: pd.DataFrame,
    *,
    label: str,
    limit: float | None = None,
    even: bool = False,
    log: bool = False,
    bins: int = 40,
) -> Figure:
    """Draw a histogram of each column of values from 0 to 1.

    Parameters
    ----------
    values
        Values (cell, column) in [0, 1]; NaN is left out.
    label
        What the values are.
    limit
        Value below which bars are orange.
    even
        Whether to draw where bars would end if values were spread evenly.
    log
        Whether numbers of cells are on a logarithmic scale.
    bins
        Number of bars.

    Returns
    -------
    Figure with one panel per column.

    Examples
    --------
    >>> figure = histograms(pd.DataFrame({"rna": [0.1, 0.9]}), label="reliability", limit=0.5)
    >>> figure.axes[0].get_xlabel()
    'reliability'
    """
    figure, axes = new_grid(values.shape[1], ncols=3, panel=(3.6, 2.6))
    blue, orange = palette(2)
    for ax, name in zip(axes, values.columns, strict=True):
        known = values[name].dropna().to_numpy(np.float64)
        counts = np.histogram(known, bins=bins, range=(0, 1))[0]
        middle = (np.arange(bins) + 0.5) / bins
        colours = [blue if limit is None or x >= limit else orange for x in middle]
        ax.bar(middle, counts, width=1 / bins, color=colours)
        if even:
            ax.axhline(len(known) / bins, color="#333333", lw=1, ls="--", label="even")
            ax.set_ylim(top=1.25 * counts.max(initial=1))
            ax.legend(fontsize=TEXT, frameon=False, loc="upper right")
        if log and counts.any():
            ax.set_yscale("log", nonpositive="clip")
            ax.set_ylim(bottom=0.7)
        ax.set_xlabel(label, fontsize=TEXT)
        ax.set_ylabel("cells", fontsize=TEXT)
        ax.set_title(str(name), fontsize=TITLE)
        ax.tick_params(labelsize=TEXT)
        ax.spines[["top", "right"]].set_visible(False)
    return figure
