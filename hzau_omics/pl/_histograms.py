"""Histograms of shares and p-values, one per column."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hzau_omics.pl.style import TEXT, TITLE, new_grid, palette

_BINS = 40


def histograms(
    values: pd.DataFrame,
    *,
    label: str,
    limit: float | None = None,
    even: bool = False,
    log: bool = False,
    titles: Sequence[str] | None = None,
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
    titles
        Title of each panel; names of the columns by default.

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
    named = list(map(str, values.columns)) if titles is None else titles
    for ax, name, title in zip(axes, values.columns, named, strict=True):
        known = values[name].dropna().to_numpy(np.float64)
        counts, _, bars = ax.hist(known, bins=_BINS, range=(0, 1), color=blue)
        for i, bar in enumerate(bars):
            if limit is not None and (i + 0.5) / _BINS < limit:
                bar.set_facecolor(orange)
        if even:
            ax.axhline(len(known) / _BINS, color="#333333", lw=1, ls="--", label="even")
            ax.legend(fontsize=TEXT, frameon=False)
        if log and counts.any():
            ax.set_yscale("log", nonpositive="clip")
            ax.set_ylim(bottom=0.7)
        ax.set_xlabel(label, fontsize=TEXT)
        ax.set_ylabel("cells", fontsize=TEXT)
        ax.set_title(title, fontsize=TITLE)
        ax.tick_params(labelsize=TEXT)
        ax.spines[["top", "right"]].set_visible(False)
    return figure
