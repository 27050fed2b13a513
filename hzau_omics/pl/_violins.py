"""Violins of values by group: one per group, or two halves to compare."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from hzau_omics.pl.style import TEXT, palette

type Parts = Mapping[str, np.ndarray]
type Side = Literal["both", "low", "high"]


def violins(ax: Axes, parts: Parts, *, title: str, colours: Sequence[str] | None = None) -> Axes:
    """Draw one violin per group, with its median.

    Parameters
    ----------
    ax
        Axes to draw into.
    parts
        Values by group; values that are not finite are left out.
    title
        What the values are.
    colours
        Colour of each group.

    Returns
    -------
    The axes. A group without values keeps its place.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> ax = violins(Figure().subplots(), {"a": np.arange(5.0), "b": np.array([])}, title="x")
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['a', 'b']
    """
    chosen = palette(len(parts)) if colours is None else colours
    for place, (values, colour) in enumerate(zip(parts.values(), chosen, strict=True)):
        _violin(ax, values, place, colour, side="both")
    _name_groups(ax, parts)
    ax.set_title(title, fontsize=TEXT + 1)
    return ax


def split_violins(ax: Axes, left: Parts, right: Parts) -> Axes:
    """Draw two half violins per group, to compare two sets of values.

    Parameters
    ----------
    ax
        Axes to draw into.
    left, right
        Values by group, of the same groups.

    Returns
    -------
    The axes. The left half is blue, the right one orange, as in :func:`half_handles`.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> values = {"a": np.arange(5.0)}
    >>> ax = split_violins(Figure().subplots(), values, values)
    >>> len(ax.collections)
    4
    """
    blue, orange = palette(2)
    for place, group in enumerate(left):
        _violin(ax, left[group], place, blue, side="low")
        _violin(ax, right[group], place, orange, side="high")
    _name_groups(ax, left)
    return ax


def half_handles(left: str, right: str) -> list[Patch]:
    """Return handles of a legend for the two halves.

    Examples
    --------
    >>> [handle.get_label() for handle in half_handles("measured", "imputed")]
    ['measured', 'imputed']
    """
    return [Patch(color=c, label=n) for c, n in zip(palette(2), (left, right), strict=True)]


def _violin(ax: Axes, values: np.ndarray, place: int, colour: str, *, side: Side) -> None:
    known = values[np.isfinite(values)]
    if not len(known):
        return
    median = float(np.median(known))
    if len(known) > 1 and np.ptp(known) > 0:
        drawn: Any = ax.violinplot([known], [place], widths=0.85, showextrema=False, side=side)
        drawn["bodies"][0].set(facecolor=colour, alpha=0.75, edgecolor="none")
    ends = {"both": (-0.2, 0.2), "low": (-0.3, 0.0), "high": (0.0, 0.3)}[side]
    ax.hlines(median, place + ends[0], place + ends[1], color="#222222", lw=1.5)


def _name_groups(ax: Axes, parts: Parts) -> None:
    turned = max((len(name) for name in parts), default=0) * len(parts) > 24
    rotation: dict[str, Any] = (
        {"rotation": 45, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    )
    ax.set_xticks(range(len(parts)), list(parts), **rotation)
    ax.set_xlim(-0.6, len(parts) - 0.4)
    ax.tick_params(labelsize=TEXT)
    ax.spines[["top", "right"]].set_visible(False)
