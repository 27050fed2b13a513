"""Histogram of the probability integral transform."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from hzau_omics.arrays import dense
from hzau_omics.checks import check_integer
from hzau_omics.metrics import interval_coverage, pit_uniformity
from hzau_omics.pl.output import finish
from hzau_omics.pl.style import TEXT, TITLE, legend_beside, new_axes, palette


def pit(
    values: Any,
    *,
    bins: int = 20,
    level: float = 0.9,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw the histogram of randomised probability integral transforms.

    Parameters
    ----------
    values
        Output of ``get_pit``: array or DataFrame of shape (cells, features) in [0, 1], NaN where
        nothing was observed.
    bins
        Number of bars.
    level
        Nominal level of the interval whose coverage is given in the title.
    ax
        Axes to draw into; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes with the histogram as density. A calibrated model is flat at 1; a hollow middle means that
    intervals are too narrow, a hump that they are too wide, a slope that predictions are biased.
    The band covers 95 % of the bars of a calibrated model. Its width is estimated from the
    variation between cells, since the values of one cell are correlated.

    Raises
    ------
    ConfigError
        If ``level`` is not between 0 and 1.
    DataContractError
        If there are no values, or some lie outside [0, 1].

    Examples
    --------
    >>> pit(np.linspace(0, 1, 1000)).get_title()
    '90 % intervals cover 90 %   (KS distance 0.001)'
    """
    covered = interval_coverage(values, level).overall
    bins = check_integer("bins", bins)
    distance = pit_uniformity(values)
    matrix = dense(values, np.float64)
    axes = new_axes(ax, size=(6.5, 3.2))
    margin = _bar_margin(matrix.reshape(len(matrix), -1), bins)
    axes.hist(
        matrix[~np.isnan(matrix)],
        bins=bins,
        range=(0, 1),
        density=True,
        color=palette(1)[0],
        edgecolor="white",
        linewidth=0.6,
        label="observed values",
    )
    band: dict[str, Any] = {"color": palette(2)[1], "alpha": 0.45, "linewidth": 0}
    axes.axhspan(max(1 - margin, 0), 1 + margin, label="calibrated: 95 % of bars", **band)
    axes.axhline(1.0, color="#333333", linewidth=1, linestyle="--", label="calibrated: mean")
    axes.set_xlim(0, 1)
    axes.set_xlabel("position of the observed value within its prediction (PIT)", fontsize=TEXT)
    axes.set_ylabel("density", fontsize=TEXT)
    title = f"{100 * level:g} % intervals cover {100 * covered:.0f} %"
    axes.set_title(f"{title}   (KS distance {distance:.3f})", fontsize=TITLE)
    legend_beside(axes)
    return finish(axes, show=show, save=save)


def _bar_margin(values: np.ndarray, bins: int) -> float:
    """Return 1.96 standard errors of the density of a bar, with cells as independent units."""
    cell, feature = np.nonzero(~np.isnan(values))
    column = np.minimum((values[cell, feature] * bins).astype(int), bins - 1)
    table = np.zeros((len(values), bins))
    np.add.at(table, (cell, column), 1.0)
    excess = (table - table.sum(axis=1, keepdims=True) / bins)[table.any(axis=1)]
    variance = excess.var(axis=0).mean() * len(excess)
    return float(1.96 * np.sqrt(variance) * bins / len(cell))
