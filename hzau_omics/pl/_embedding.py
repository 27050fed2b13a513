"""Scatter plots of two-dimensional embeddings."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from mudata import MuData

from hzau_omics.checks import check_names
from hzau_omics.errors import DataContractError
from hzau_omics.pl.groups import rows_of
from hzau_omics.pl.marks import marks, write_marks
from hzau_omics.pl.sources import ANNDATA_LIKE, column_of, points_of, table_of
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
    new_grid,
    palette,
    point_size,
)
from hzau_omics.pl.values import dense

_LEGEND_ROWS = 20
_PANEL = (3.6, 3.9)
_COLOUR_BAR = 0.8
_MARGIN = 0.2
_RARE = 0.05


def umap(
    adata: AnnData | MuData, *, color: str | Sequence[str], ncols: int = 2, basis: str = "X_umap"
) -> Figure:
    """Draw an embedding once per column of ``obs``.

    Parameters
    ----------
    adata
        Cells (AnnData or MuData) with a two-dimensional embedding in ``obsm[basis]``; nothing is
        computed here.
    color
        Column or columns of ``obs``: numbers get a colour bar, everything else a legend with the
        number of cells per level.
    ncols
        Panels per row.
    basis
        Key of ``obsm``.

    Returns
    -------
    Figure with one panel per column.

    Raises
    ------
    ConfigError
        If ``color`` names no column or ``ncols`` is below 1.
    DataContractError
        If the embedding or a column does not exist.

    Examples
    --------
    >>> adata = AnnData(obs=pd.DataFrame({"type": ["B", "T"]}, index=["c1", "c2"]))
    >>> adata.obsm["X_umap"] = np.zeros((2, 2))
    >>> umap(adata, color="type").axes[0].get_title()
    'type'
    """
    names = check_names("color", color, what="column")
    points = points_of(adata, basis)
    values = [column_of(adata.obs, name) for name in names]
    figure, axes = new_grid(len(names), ncols=ncols, panel=_PANEL)
    axis_name = basis.removeprefix("X_").upper()
    for ax, name, column in zip(axes, names, values, strict=True):
        embedding(points, column, title=name, axis_name=axis_name, ax=ax)
    _make_room(figure, axes, values, ncols=min(ncols, len(axes)))
    return figure


def embedding(
    points: Any,
    values: Any = None,
    *,
    title: str | None = None,
    axis_name: str = "UMAP",
    limits: tuple[float, float] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw one scatter plot of cells.

    Parameters
    ----------
    points
        Array of shape (cells, 2).
    values
        Series or array of shape (cells,): numbers are drawn with a colour bar, everything else as
        categories. From the eighth category on, each has its name on the cells, or a number or
        letter that the legend explains, so that reading does not rest on colour alone. Cells
        without a value are grey, as are those with an empty text ("none"), and lie below the
        others; categories of less than 5 % of the cells lie on top.
    title
        Title of the panel.
    axis_name
        Name of the two axes.
    limits
        Smallest and largest value of the colour scale for numbers.
    ax
        Axes to draw into; a new figure by default.

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
    xy = _check_points(points, values)
    column = None if values is None else pd.Series(values).reset_index(drop=True)
    axes = new_axes(ax, size=_PANEL)
    if column is None:
        _scatter(axes, xy, palette(1)[0], n=len(xy))
    elif _is_continuous(column):
        _draw_numbers(axes, xy, column.to_numpy(np.float64, na_value=np.nan), limits=limits)
    else:
        _draw_levels(axes, xy, levels(column))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_xlabel(f"{axis_name} 1", fontsize=TEXT)
    axes.set_ylabel(f"{axis_name} 2", fontsize=TEXT)
    axes.set_title(title or "", fontsize=TITLE)
    figure = axes.get_figure()
    if ax is None and column is not None and isinstance(figure, Figure):
        _make_room(figure, [axes], [column], ncols=1)
    return axes


def gate_umap(
    points: Any, weights: pd.DataFrame | None = None, *, ncols: int = 2, basis: str = "X_umap"
) -> Figure:
    """Draw an embedding coloured by the gate weight of each modality.

    Parameters
    ----------
    points
        Cells (AnnData or MuData) with ``obsm[basis]``, or an array of shape (cells, 2) in the order
        of ``weights``.
    weights
        Gate weights, cells x modalities in [0, 1]; ``obsm["hzau_gate"]`` of the cells by default. A
        weight of exactly 0 means that the cell lacks the modality; such cells are grey.
    ncols
        Panels per row.
    basis
        Key of ``obsm``.

    Returns
    -------
    Figure with one panel per modality, all on the scale from 0 to 1.

    Raises
    ------
    ConfigError
        If ``weights`` has no column or ``ncols`` is below 1.
    DataContractError
        If ``points`` does not fit ``weights``.

    Examples
    --------
    >>> weights = pd.DataFrame({"rna": [0.4, 1.0], "adt": [0.6, 0.0]})
    >>> [ax.get_title() for ax in gate_umap(np.zeros((2, 2)), weights).axes[:2]]
    ['weight of rna', 'weight of adt']
    """
    table = table_of(points if weights is None else weights, "hzau_gate", method="get_gate_weights")
    if isinstance(points, ANNDATA_LIKE):
        table = rows_of(table, points.obs_names)
    xy = _check_points(points_of(points, basis), table)
    size = (_PANEL[0] + _COLOUR_BAR + _MARGIN, _PANEL[1])
    figure, axes = new_grid(table.shape[1], ncols=ncols, panel=size)
    for ax, name in zip(axes, table.columns, strict=True):
        present = table[name].where(table[name] != 0)
        embedding(xy, present, title=f"weight of {name}", limits=(0.0, 1.0), ax=ax)
    return figure


def _check_points(points: Any, values: Any) -> np.ndarray:
    xy = dense(points)
    if xy.ndim != 2 or xy.shape[1] != 2:
        msg = (
            f"points must be (cells, 2). Received the shape {xy.shape}. "
            "Pass obsm['X_umap'] or the like."
        )
        raise DataContractError(msg)
    lost = int((~np.isfinite(xy)).any(axis=1).sum())
    if lost:
        msg = (
            f"Every cell must have its place. Received {lost} of {len(xy)} cells without one (NaN "
            "or infinite). Select the cells that the embedding was computed for."
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


def _make_room(
    figure: Figure, axes: Sequence[Axes], values: Sequence[pd.Series], *, ncols: int
) -> None:
    """Widen the figure by what legends and colour bars take; the panels stay about square."""
    room = []
    for ax, column in zip(axes, values, strict=True):
        legend = ax.get_legend()
        inches = _COLOUR_BAR
        if not _is_continuous(column) and legend is not None:
            inches = legend.get_window_extent().width / figure.dpi
        room.append(inches + _MARGIN)
    figure.set_figwidth(ncols * _PANEL[0] + sum(max(room[i::ncols]) for i in range(ncols)))


def _scatter(ax: Axes, xy: np.ndarray, colours: Any, *, n: int, **options: Any) -> PathCollection:
    style: dict[str, Any] = {"linewidths": 0, "alpha": 0.85, "rasterized": True, **options}
    return ax.scatter(xy[:, 0], xy[:, 1], c=colours, s=point_size(n), **style)


def _draw_numbers(
    ax: Axes, xy: np.ndarray, values: np.ndarray, *, limits: tuple[float, float] | None
) -> None:
    known = np.isfinite(values)
    _scatter(ax, xy[~known], MISSING_COLOUR, n=len(xy))
    low, high = limits or (None, None)
    # The cells come sample by sample: in their own order, the last sample would cover the others.
    order = np.random.default_rng(0).permutation(np.flatnonzero(known))
    drawn = _scatter(
        ax, xy[order], values[order], n=len(xy), cmap=CONTINUOUS_MAP, vmin=low, vmax=high
    )
    # an inset stays beside its panel also where the neighbours above and below have wide legends
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
    """Return the order to draw cells with a level in: rare levels last, at random otherwise.

    A fixed random order keeps a common level from covering others. Rare ones would drown in it:
    each halving of the share below `_RARE` puts a level on top.
    """
    cells = np.random.default_rng(0).permutation(np.flatnonzero(codes >= 0))
    share = np.bincount(codes[cells])[codes[cells]] / max(len(codes), 1)
    halvings = np.ceil(np.log2(_RARE / share)).clip(min=0)
    return cells[np.argsort(halvings, kind="stable")]


def _handle(label: str, colour: str) -> Line2D:
    return Line2D([], [], marker="o", linestyle="", markersize=6, color=colour, label=label)
