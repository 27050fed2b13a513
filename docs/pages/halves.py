"""The picture of the README in two halves: side by side they are too small for a page."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from numpy.typing import NDArray

BORDER = 8
"""Pixels that are kept around each half."""


def write(picture: Path, folder: Path) -> None:
    """Write ``left.png`` and ``right.png``, if the picture changed.

    Parameters
    ----------
    picture
        A PNG file with two parts beside each other, on white.
    folder
        Folder of the halves.
    """
    targets = [folder / f"{name}.png" for name in ("left", "right")]
    changed = picture.stat().st_mtime
    if all(one.exists() and one.stat().st_mtime > changed for one in targets):
        return
    folder.mkdir(parents=True, exist_ok=True)
    pixels = plt.imread(picture)
    at = middle_of_gap((pixels[..., :3] > 0.99).all(axis=(0, 2)))
    for path, half in zip(targets, (pixels[:, :at], pixels[:, at:]), strict=True):
        drawn = np.flatnonzero((half[..., :3] <= 0.99).any(axis=(0, 2)))
        plt.imsave(path, half[:, max(drawn[0] - BORDER, 0) : drawn[-1] + BORDER])


def middle_of_gap(empty: NDArray[np.bool_]) -> int:
    """Return the middle of the widest run of empty columns in the middle third.

    Examples
    --------
    >>> middle_of_gap(np.array([0, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 0], dtype=bool))
    7
    """
    first, last = len(empty) // 3, 2 * len(empty) // 3
    edges = np.flatnonzero(np.diff(np.concatenate([[False], empty[first:last], [False]])))
    starts, ends = edges[::2], edges[1::2]
    widest = int(np.argmax(ends - starts))
    return first + int(starts[widest] + ends[widest]) // 2
