"""Colours, sizes and categories that all plots share."""

from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from hzau_omics._settings import settings
from hzau_omics.checks import check_integer

TEXT = 9
TITLE = 10.5
MISSING_COLOUR = "#D3D3D3"
CONTINUOUS_MAP = "viridis"

# Seven colours of Okabe and Ito (the yellow slightly darkened for white paper), then Tol's muted
# scheme and a few similar ones. With more than seven levels, plots also mark the levels.
_COLOURS = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#E5D436"),
    *("#332288", "#44AA99", "#882255", "#999933", "#AA4499", "#117733", "#DDCC77"),
    *("#661100", "#6699CC", "#CC6677", "#333333", "#A6761D", "#7570B3"),
)
DISTINCT = 7

MISSING, EMPTY = -1, -2


class Levels(NamedTuple):
    """A categorical variable ready to draw.

    Attributes
    ----------
    names
        Names of the levels in their order.
    codes
        Position of each cell's level in ``names``, `MISSING` where there is no value, `EMPTY` where
        it is an empty text; shape (cells,).
    """

    names: list[str]
    codes: np.ndarray

    def rest(self, missing: str = "no value") -> dict[str, np.ndarray]:
        """Return the cells without a level, by reason: an empty text ("none"), or no value.

        Examples
        --------
        >>> {why: int(cells.sum()) for why, cells in levels(["T", "", None, ""]).rest().items()}
        {'none': 2, 'no value': 1}
        """
        masks = {"none": self.codes == EMPTY, missing: self.codes == MISSING}
        return {
            f"({why})" if why in self.names else why: cells
            for why, cells in masks.items()
            if cells.any()
        }


def palette(n: int) -> list[str]:
    """Return n colours that colour-blind readers can distinguish as well as possible.

    Parameters
    ----------
    n
        Number of colours. Beyond 20 the scheme repeats in lighter, then in darker shades.

    Returns
    -------
    Hexadecimal colours; the first ones do not depend on ``n``.

    Examples
    --------
    >>> palette(2)
    ['#0072b2', '#e69f00']
    """
    colours = []
    for i in range(n):
        turn, position = divmod(i, len(_COLOURS))
        blend = (0.0, 0.45, 0.35)[turn % 3]
        towards = 0.0 if turn % 3 == 2 else 1.0
        rgb = np.array(to_rgb(_COLOURS[position]))
        colours.append(to_hex(rgb * (1 - blend) + towards * blend))
    return colours


def text_colour(background: str) -> str:
    """Return black or white, whichever is easier to read on a background.

    Parameters
    ----------
    background
        Colour of the background.

    Returns
    -------
    ``"black"`` or ``"white"``.

    Examples
    --------
    >>> text_colour("#0072B2"), text_colour("#E69F00")
    ('white', 'black')
    """
    brightness = float(np.dot(to_rgb(background), (0.299, 0.587, 0.114)))
    return "black" if brightness > 0.55 else "white"


def levels(values: Any) -> Levels:
    """Find the levels of a categorical variable.

    Parameters
    ----------
    values
        Series or array of shape (cells,): categorical, text or boolean.

    Returns
    -------
    Levels that occur: in the order of a categorical dtype, sorted otherwise, numbers by value. An
    empty text, such as the suspicious modalities of most cells, is no level.

    Examples
    --------
    >>> levels(["T", "B", None]).names
    ['B', 'T']
    >>> levels(["10", "2", ""]).names
    ['2', '10']
    """
    series = pd.Series(values)
    categorical = isinstance(series.dtype, pd.CategoricalDtype)
    if not categorical:
        text = series.astype(object).where(series.notna())
        series = pd.Series(pd.Categorical(text.map(str, na_action="ignore")))
    names = [str(category) for category in series.cat.categories]
    codes = series.cat.codes.to_numpy()
    used = {names[code] for code in np.unique(codes) if code >= 0 and names[code].strip()}
    order = [name for name in dict.fromkeys(names) if name in used]
    if not categorical:
        order.sort(key=_by_value)
    place = {name: i for i, name in enumerate(order)}
    # The code -1 of missing values indexes the last entry.
    places = np.array([*(place.get(name, EMPTY) for name in names), MISSING])
    return Levels(order, places[codes])


def _by_value(name: str) -> tuple[bool, float, str]:
    number = name.removeprefix("-").replace(".", "", 1)
    return not number.isdecimal(), float(name) if number.isdecimal() else 0.0, name


def point_size(n: int) -> float:
    """Return a marker area in points squared for a scatter plot of n cells.

    Parameters
    ----------
    n
        Number of cells.

    Returns
    -------
    Area between 0.3 and 30, smaller for more cells.

    Examples
    --------
    >>> point_size(1_000) > point_size(10_000)
    True
    """
    return float(np.clip(20_000 / max(n, 1), 0.3, 30.0))


def new_grid(
    n: int,
    *,
    ncols: int,
    panel: tuple[float, float],
    extra: float = 0.0,
) -> tuple[Figure, list[Axes]]:
    """Make a new figure with n panels, row by row.

    Parameters
    ----------
    n
        Number of panels.
    ncols
        Largest number of panels per row.
    panel
        Width and height of a panel in inches.
    extra
        Additional height of the figure in inches.

    Returns
    -------
    The figure and its n axes.

    Raises
    ------
    ConfigError
        If ``n`` or ``ncols`` is below 1.

    Examples
    --------
    >>> figure, axes = new_grid(3, ncols=2, panel=(2, 2))
    >>> len(axes), figure.get_size_inches().tolist()
    (3, [4.0, 4.0])
    """
    n, ncols = check_integer("the number of panels", n), check_integer("ncols", ncols)
    columns = min(n, ncols)
    rows = ceil(n / columns)
    figure = plt.figure(
        figsize=_scaled((columns * panel[0], rows * panel[1] + extra)), layout="constrained"
    )
    return figure, [figure.add_subplot(rows, columns, i + 1) for i in range(n)]


def new_axes(ax: Axes | None, *, size: tuple[float, float]) -> Axes:
    """Return the given axes, or those of a new figure.

    Parameters
    ----------
    ax
        Axes to draw into, or None.
    size
        Width and height of a new figure in inches.

    Returns
    -------
    Axes with small text.

    Examples
    --------
    >>> new_axes(None, size=(3, 2)).get_figure().get_size_inches().tolist()
    [3.0, 2.0]
    """
    if ax is None:
        ax = plt.subplots(figsize=_scaled(size), layout="constrained")[1]
    ax.tick_params(labelsize=TEXT)
    ax.spines[["top", "right"]].set_visible(False)
    return ax


def _scaled(size: tuple[float, float]) -> tuple[float, float]:
    """Return width and height of a new figure in inches, as the settings want it."""
    return size[0] * settings.figure_scale, size[1] * settings.figure_scale


def legend_beside(
    ax: Axes, handles: Sequence[Any] | None = None, *, n_columns: int = 1, title: str | None = None
) -> None:
    """Put a legend to the right of the axes, outside.

    Parameters
    ----------
    ax
        Axes that the legend describes.
    handles
        Legend handles; those of the axes by default.
    n_columns
        Number of legend columns.
    title
        Title of the legend.

    Examples
    --------
    >>> ax = new_axes(None, size=(3, 2))
    >>> line = ax.plot([0, 1], label="train")
    >>> legend_beside(ax)
    >>> ax.get_legend().get_texts()[0].get_text()
    'train'
    """
    found = ax.get_legend_handles_labels()[0] if handles is None else list(handles)
    ax.legend(
        handles=found,
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        fontsize=TEXT,
        title=title,
        title_fontsize=TEXT,
        ncols=n_columns,
        handletextpad=0.5,
        columnspacing=1.0,
        borderaxespad=0.2,
    )
