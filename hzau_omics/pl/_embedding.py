"""Scatter plot of a two-dimensional embedding."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hzau_omics.arrays import dense
from hzau_omics.errors import DataContractError
from hzau_omics.pl.marks import marks, write_marks
from hzau_omics.pl.output import finish
from hzau_omics.pl.sources import ANNDATA_LIKE, column_of, points_of
from hzau_omics.pl.style import (
    CONTINUOUS_MAP,
    DISTINCT,
    MISSING_COLOUR,
    TEXT,
    TITLE,
    Levels,
    legend_beside,
    levels,
    new_axes,
    palette,
    point_size,
)

_LEGEND_ROWS = 20
PANEL = (3.6, 3.9)
COLOUR_BAR = 0.8
MARGIN = 0.2
_RARE = 0.05


def embedding(
    points: Any,
    values: Any = None,
    *,
    title: str | None = None,
    axis_name: str = "UMAP",
    limits: tuple[float, float] | None = None,
    sort_order: bool = False,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw one scatter plot of cells.

    Parameters
    ----------
    points
        Array of shape (cells, 2), or cells (AnnData or MuData) with ``obsm["X_umap"]``.
    values
        Series or array of shape (cells,), or, of cells, the name of a column of ``obs``. Numbers
        are drawn with a colour bar, everything else as categories. With eight or more categories,
        each has its name on the cells, or a number or letter that the legend explains, so that
        reading does not depend on colour alone. Cells without a value, and those with an empty text
        ("none"), are grey and lie below the others; categories with less than 5 % of the cells lie
        on top.
    title
        Title of the panel.
    axis_name
        Name of the two axes.
    limits
        Smallest and largest value of the colour scale for numbers.
    sort_order
        Whether large numbers lie on top; by default cells lie in random order.
    ax
        Axes to draw into; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes with the scatter.

    Raises
    ------
    DataContractError
        If ``points`` is not (cells, 2), or ``values`` has another length.

    Examples
    --------
    >>> ax = embedding(np.zeros((3, 2)), ["B", "T", "T"])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['B (1)', 'T (2)']
    """
    values = column_of(points.obs, values) if _names_column(points, values) else values
    xy = check_points(points_of(points, "X_umap"), values)
    column = None if values is None else pd.Series(values).reset_index(drop=True)
    axes = new_axes(ax, size=PANEL)
    if column is None:
        _scatter(axes, xy, palette(1)[0], n=len(xy))
    elif _is_continuous(column):
        numbers = column.to_numpy(np.float64, na_value=np.nan)
        _draw_numbers(axes, xy, numbers, limits=limits, sort_order=sort_order)
    else:
        _draw_levels(axes, xy, levels(column))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"{axis_name} 1", fontsize=TEXT)
    axes.set_ylabel(f"{axis_name} 2", fontsize=TEXT)
    axes.set_title(title or "", fontsize=TITLE)
    figure = axes.get_figure()
    if ax is None and column is not None and isinstance(figure, Figure):
        make_room(figure, [axes], [column], ncols=1)
    return finish(axes, show=show, save=save)


def _names_column(points: Any, values: Any) -> bool:
    return isinstance(points, ANNDATA_LIKE) and isinstance(values, str)


def check_points(points: Any, values: Any) -> np.ndarray:
    """Return points as an array (cells, 2).

    Raises
    ------
    DataContractError
        The shape is another, a coordinate is not finite, or there are more or fewer values.
    """
    xy = dense(points, np.float64)
    if xy.ndim != 2 or xy.shape[1] != 2:
        msg = (
            f"points must be (cells, 2). Received the shape {xy.shape}. "
            "Pass obsm['X_umap'] or another embedding of two dimensions."
        )
        raise DataContractError(msg)
    lost = int((~np.isfinite(xy)).any(axis=1).sum())
    if lost:
        msg = (
            f"Every cell must have coordinates. Received {lost} of {len(xy)} cells without them "
            "(NaN or infinite). Select the cells for which the embedding was computed."
        )
        raise DataContractError(msg)
    if values is not None and len(values) != len(xy):
        msg = (
            "points and values must describe the same cells. Received "
            f"{len(xy)} and {len(values)}. Select the same cells in both, in the same order."
        )
        raise DataContractError(msg)
    return xy


def _is_continuous(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def make_room(
    figure: Figure, axes: Sequence[Axes], values: Sequence[pd.Series], *, ncols: int
) -> None:
    """Widen the figure by the width of legends and colour bars, so that panels stay square."""
    room = []
    for ax, column in zip(axes, values, strict=True):
        legend = ax.get_legend()
        inches = COLOUR_BAR
        if not _is_continuous(column) and legend is not None:
            inches = legend.get_window_extent().width / figure.dpi
        room.append(inches + MARGIN)
    figure.set_figwidth(ncols * PANEL[0] + sum(max(room[i::ncols]) for i in range(ncols)))


def _scatter(ax: Axes, xy: np.ndarray, colours: Any, *, n: int, **options: Any) -> PathCollection:
    style: dict[str, Any] = {"linewidths": 0, "alpha": 0.85, "rasterized": True, **options}
    return ax.scatter(xy[:, 0], xy[:, 1], c=colours, s=point_size(n), **style)


def _draw_numbers(
    ax: Axes,
    xy: np.ndarray,
    values: np.ndarray,
    *,
    limits: tuple[float, float] | None,
    sort_order: bool,
) -> None:
    known = np.isfinite(values)
    _scatter(ax, xy[~known], MISSING_COLOUR, n=len(xy))
    low, high = limits or (None, None)
    # Cells are usually ordered by sample: drawn in that order, the last sample covers the others.
    order = np.random.default_rng(0).permutation(np.flatnonzero(known))
    if sort_order:
        order = order[np.argsort(values[order], kind="stable")]
    drawn = _scatter(
        ax, xy[order], values[order], n=len(xy), cmap=CONTINUOUS_MAP, vmin=low, vmax=high
    )
    # An inset stays beside its panel even if the panels above and below have wide legends.
    bar = plt.colorbar(drawn, cax=ax.inset_axes((1.03, 0.15, 0.04, 0.7)))
    bar.ax.tick_params(labelsize=TEXT)
    if not known.all():
        handle = _handle(f"no value ({(~known).sum():,})", MISSING_COLOUR)
        ax.legend(
            handles=[handle],
            loc="upper right",
            bbox_to_anchor=(1.0, 0.0),
            fontsize=TEXT,
            frameon=False,
            handletextpad=0.2,
            borderaxespad=0.1,
        )


def _draw_levels(ax: Axes, xy: np.ndarray, values: Levels) -> None:
    known = values.codes >= 0
    colours = np.array(palette(len(values.names)))
    _scatter(ax, xy[~known], MISSING_COLOUR, n=len(xy))
    order = _rare_on_top(values.codes)
    _scatter(ax, xy[order], colours[values.codes[order]], n=len(xy))
    marked = len(values.names) > DISTINCT
    texts = marks(values.names) if marked else values.names
    handles = []
    for code, (name, mark) in enumerate(zip(values.names, texts, strict=True)):
        prefix = "" if mark == name else f"{mark}  "
        count = np.count_nonzero(values.codes == code)
        handles.append(_handle(f"{prefix}{name} ({count:,})", colours[code]))
    for why, cells in values.rest().items():
        handles.append(_handle(f"{why} ({cells.sum():,})", MISSING_COLOUR))
    legend_beside(ax, handles, n_columns=ceil(len(handles) / _LEGEND_ROWS))
    if marked:
        write_marks(ax, xy, values, texts)


def _rare_on_top(codes: np.ndarray) -> np.ndarray:
    """Return the order in which to draw cells with a level: rare levels last, random otherwise.

    A fixed random order keeps a common level from covering others, but would hide rare ones: each
    halving of the share below `_RARE` moves a level further to the top.
    """
    cells = np.random.default_rng(0).permutation(np.flatnonzero(codes >= 0))
    share = np.bincount(codes[cells])[codes[cells]] / max(len(codes), 1)
    halvings = np.ceil(np.log2(_RARE / share)).clip(min=0)
    return cells[np.argsort(halvings, kind="stable")]


def _handle(label: str, colour: str) -> Line2D:
    return Line2D([], [], marker="o", linestyle="", markersize=6, color=colour, label=label)
