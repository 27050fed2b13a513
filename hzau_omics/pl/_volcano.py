"""Volcano plot: how large a change is, and how certain."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from hzau_omics.checks import as_list, check_integer
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed
from hzau_omics.pl.output import finish
from hzau_omics.pl.style import MISSING_COLOUR, TEXT, TITLE, new_axes, palette

type Array = NDArray[np.float64]

SMALLEST = 1e-300
LARGEST_SCORE = 300.0
LABEL = (0.16, 0.04)
"""Width and height of a name, as shares of the axes."""


def volcano(
    result: pd.DataFrame,
    *,
    comparison: str | None = None,
    n_names: int = 10,
    names: str | Sequence[str] | None = None,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw the changes of one comparison: log2 fold change against minus log10 of the p-value.

    Parameters
    ----------
    result
        Data frame of ``model.differential_expression`` or ``differential_accessibility``.
    comparison
        Which comparison, as in its column; None if there is one only.
    n_names
        Number of called features that are named, on each side, at most: the most certain ones
        whose names do not cover each other.
    names
        Features that are named besides.
    ax
        Axes to draw into; None for a new figure.
    show, save
        As in :func:`umap`.

    Returns
    -------
    The axes. Called features are coloured: higher in group 1 to the right, in group 2 to the left.
    P-values below 1e-300 are drawn at 1e-300.

    Raises
    ------
    DataContractError
        The table is another one, or has several comparisons of which none is chosen.

    Examples
    --------
    >>> rows = {"lfc_mean": [2.0, 0.1], "p_value": [1e-8, 0.5], "is_de_fdr_0.05": [True, False]}
    >>> table = pd.DataFrame({**rows, "comparison": "a vs b"}, index=["CD3E", "LYZ"])
    >>> volcano(table).get_xlabel()
    'log2 fold change'
    """
    n_names = check_integer("n_names", n_names, least=0)
    own = _one_comparison(result, comparison)
    calls = next(column for column in own if str(column).startswith(("is_de_fdr", "is_da_fdr")))
    x = own["lfc_mean"].to_numpy(np.float64)
    y = np.minimum(-np.log10(np.clip(own["p_value"].to_numpy(), SMALLEST, 1.0)), LARGEST_SCORE)
    called = own[calls].to_numpy(bool)
    axes = new_axes(ax, size=(4.6, 4.0))
    lower, higher = palette(6)[0], palette(6)[5]
    for chosen, colour in (
        (~called, MISSING_COLOUR), (called & (x < 0), lower), (called & (x >= 0), higher)
    ):  # fmt: skip
        axes.scatter(x[chosen], y[chosen], s=8, color=colour, linewidths=0, rasterized=True)
    axes.axvline(0, color=MISSING_COLOUR, linewidth=0.8, zorder=0)
    order = np.lexsort((-np.abs(x), -y))
    wanted = set(as_list(names)) if names is not None else set()
    first = [i for i in order if own.index[i] in wanted]
    for i in [*first, *_named(x, y, [i for i in order if called[i]], n_names, first)]:
        axes.annotate(
            str(own.index[i]),
            (x[i], y[i]),
            xytext=(3 if x[i] >= 0 else -3, 2),
            textcoords="offset points",
            ha="left" if x[i] >= 0 else "right",
            fontsize=TEXT - 1,
        )
    # Room for names at the outermost points.
    axes.margins(x=LABEL[0] + 0.04, y=LABEL[1] + 0.04)
    axes.set_xlabel("log2 fold change", fontsize=TEXT)
    axes.set_ylabel("\N{MINUS SIGN}log10 p-value", fontsize=TEXT)
    title = f"{own['comparison'].iloc[0]}\n{int(called.sum()):,} of {len(own):,} called"
    axes.set_title(title, fontsize=TITLE)
    return finish(axes, show=show, save=save)


def _named(
    x: Array, y: Array, candidates: Sequence[int], n_names: int, taken: Sequence[int]
) -> list[int]:
    """Return which points get a name: on each side the first ones whose names cover no other."""
    width, height = (LABEL[0] * np.ptp(x), LABEL[1] * np.ptp(y))
    named: list[int] = []
    for up in (True, False):
        side = [i for i in taken if (x[i] >= 0) == up]
        n_taken = len(side)
        for i in candidates:
            apart = all(abs(x[i] - x[j]) > width or abs(y[i] - y[j]) > height for j in side)
            if (x[i] >= 0) == up and apart and len(side) - n_taken < n_names:
                side.append(i)
        named += side[n_taken:]
    return named


def _one_comparison(result: pd.DataFrame, comparison: str | None) -> pd.DataFrame:
    needed = ("lfc_mean", "p_value", "comparison")
    calls = [c for c in result if str(c).startswith(("is_de_fdr", "is_da_fdr"))]
    if any(name not in result for name in needed) or not calls:
        msg = (
            "result must be a table of model.differential_expression. Received one with the "
            f"columns {listed(result.columns)}. Pass the table as it is returned."
        )
        raise DataContractError(msg)
    found = pd.unique(result["comparison"]).tolist()
    if comparison is None and len(found) != 1:
        msg = (
            f"A volcano plot shows one comparison. Received {len(found)}: "
            f"{listed(found, limit=20)}. Choose one (comparison=...)."
        )
        raise DataContractError(msg)
    if comparison is not None and comparison not in found:
        msg = (
            f"There must be such a comparison. Received {comparison!r}; there are "
            f"{listed(found, limit=20)}."
        )
        raise DataContractError(msg)
    return result if comparison is None else result[result["comparison"] == comparison]
