"""Predicted against given labels."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from hzau_omics.pl.style import TEXT, TITLE, new_grid, text_colour


def confusion(counts: pd.DataFrame, *, title: str = "") -> Figure:
    """Draw a table of given and predicted labels.

    Parameters
    ----------
    counts
        Number of cells (given label, predicted label).
    title
        Title of the figure.

    Returns
    -------
    Figure with one row per given label. Colours are shares of the row, numbers count cells.

    Examples
    --------
    >>> counts = pd.DataFrame([[3, 1]], index=["B"], columns=["B", "unknown"])
    >>> [text.get_text() for text in confusion(counts).axes[0].texts]
    ['3', '1']
    """
    number = counts.to_numpy(np.int64)
    share = number / np.maximum(number.sum(axis=1, keepdims=True), 1)
    longest = max(map(len, map(str, counts.columns)), default=0)
    figure, (ax,) = new_grid(
        1, ncols=1, panel=(0.42 * number.shape[1] + 3.2, 0.3 * len(number) + 1.0 + 0.06 * longest)
    )
    colours = plt.get_cmap("Blues")
    shown = ax.imshow(share, cmap=colours, vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(number), strict=True):
        back = "#{:02x}{:02x}{:02x}".format(
            *(int(255 * c) for c in colours(share[row, column])[:3])
        )
        ax.text(
            column, row, f"{number[row, column]:,}", ha="center", va="center", fontsize=TEXT - 2,
            color=text_colour(back),
        )  # fmt: skip
    names = [str(name) for name in counts.columns]
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    rows = [
        f"{name}  ({total:,})" for name, total in zip(counts.index, number.sum(axis=1), strict=True)
    ]
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(labelsize=TEXT - 1)
    ax.set_xlabel("predicted", fontsize=TEXT)
    ax.set_ylabel("given", fontsize=TEXT)
    ax.set_title(title, fontsize=TITLE)
    bar = figure.colorbar(shown, ax=ax, shrink=0.6, aspect=16, pad=0.02)
    bar.set_label("share of the row", fontsize=TEXT)
    bar.ax.tick_params(labelsize=TEXT)
    return figure
