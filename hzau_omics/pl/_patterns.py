"""Names and frequencies of modality patterns."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hzau_omics.pl.output import finish
from hzau_omics.pl.sources import presence_of
from hzau_omics.pl.style import TEXT, TITLE, new_axes, palette


def pattern_names(present: Any) -> pd.Series:
    """Name the set of modalities measured in each cell.

    Parameters
    ----------
    present
        MuData or store of cells; AnnData of all cells, as from ``to_anndata``; or a boolean table
        of cells x modalities.

    Returns
    -------
    Categorical Series such as "rna + adt", the names in order of decreasing frequency; "none" for
    a cell without any modality.

    Raises
    ------
    DataContractError
        If it does not say which modalities were measured.

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


def pattern_counts(
    present: Any,
    *,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw the number of cells with each set of modalities.

    Parameters
    ----------
    present
        MuData or store of cells; AnnData of all cells, as from ``to_anndata``; or a boolean table
        of cells x modalities.
    ax
        Axes to draw into; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes with one bar per set of modalities that occurs, the most frequent on top.

    Raises
    ------
    DataContractError
        If it does not say which modalities were measured.

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
    return finish(axes, show=show, save=save)
