"""Marks of levels on the cells themselves: short names, or numbers and letters."""

import re
from collections.abc import Iterator, Sequence
from itertools import count, islice, product
from string import ascii_uppercase

import numpy as np
from matplotlib import patheffects
from matplotlib.axes import Axes

from hzau_omics.pl.style import TEXT, Levels

SHORT = 4
"""Largest number of characters of a name that is written on the cells."""

_NUMBER = re.compile(r"^\d+|\d+$")


def marks(names: Sequence[str]) -> list[str]:
    """Choose a mark for each level of a plot.

    A short name is its own mark. A longer one gets a number, or a letter if names contain numbers
    themselves, so that no level is marked with the number of another.

    Parameters
    ----------
    names
        Names of the levels.

    Returns
    -------
    One mark per level, all different; none is the name of another level.

    Examples
    --------
    >>> marks(["0", "1", "10"])
    ['0', '1', '10']
    >>> marks(["NK", "CD4 T cell", "CD8 T cell"])
    ['NK', '1', '2']
    >>> marks(["cluster 0", "cluster 1"])
    ['0', '1']
    >>> marks(["0", "1", "not assigned"])
    ['0', '1', 'A']
    """
    own = {name: found.group() for name in names if (found := _NUMBER.search(name))}
    long = [name for name in names if len(name) > SHORT]
    numbers = [own.get(name, "") for name in long]
    clear = len(set(numbers)) == len(long) and not set(numbers) & set(names)
    if not (clear and all(0 < len(number) <= SHORT for number in numbers)):
        free = _letters() if own else map(str, count(1))
        numbers = list(islice((mark for mark in free if mark not in names), len(long)))
    chosen = iter(numbers)
    return [name if len(name) <= SHORT else next(chosen) for name in names]


def _letters() -> Iterator[str]:
    """Yield A to Z, then AA, AB and so on."""
    for length in count(1):
        yield from map("".join, product(ascii_uppercase, repeat=length))


def write_marks(ax: Axes, xy: np.ndarray, values: Levels, texts: Sequence[str]) -> None:
    """Write the mark of each level near the middle of its cells; marks that collide move apart."""
    places = np.empty((len(texts), 2))
    for code in range(len(places)):
        members = xy[values.codes == code]
        offsets = members - np.median(members, axis=0)
        places[code] = members[np.argmin((offsets**2).sum(axis=1))]
    # Texts are wider than high, so they need more room sideways.
    width = max(1.5, 0.75 * max(map(len, texts)))
    span = np.maximum(np.ptp(xy, axis=0), 1e-12) * (width, 1.0)
    places = spread(places / span, gap=0.045) * span
    outline: list[patheffects.AbstractPathEffect] = [
        patheffects.withStroke(linewidth=2.5, foreground="white")
    ]
    for (x, y), mark in zip(places, texts, strict=True):
        text = ax.text(x, y, mark, ha="center", va="center", fontsize=TEXT, fontweight="bold")
        text.set_path_effects(outline)


def spread(places: np.ndarray, *, gap: float) -> np.ndarray:
    """Move points apart until no two are closer than the gap, in at most 200 rounds."""
    moved = places + np.random.default_rng(0).normal(scale=1e-6, size=places.shape)
    for _ in range(200):
        difference = moved[:, None] - moved[None]
        distance = np.sqrt((difference**2).sum(axis=2)) + np.eye(len(moved))
        overlap = np.clip(gap - distance, 0, None)
        if not overlap.any():
            break
        moved = moved + 0.5 * (overlap[..., None] * difference / distance[..., None]).sum(axis=1)
    return moved
