"""Several digits on one canvas, and their numbers as text (MultiMNIST)."""

from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from hzau_omics.checks import check_integer, check_seed
from hzau_omics.data.sets.images import WHITE, check_images, image_block
from hzau_omics.errors import ConfigError, DataContractError

SIDES = (14, 22)
"""Smallest and largest side of a digit on the canvas in pixels; smaller if there is no room."""

ATTEMPTS = 50
"""Places that are tried for a digit before it is made smaller."""

ROW = 0.5
"""Digits whose tops are closer than this fraction of a side are on one line of the text."""


def compose_digits(
    images: ArrayLike,
    labels: ArrayLike,
    *,
    n_obs: int,
    max_digits: int = 4,
    canvas: int = 50,
    seed: int = 0,
) -> MuData:
    """Compose images of several digits, with the digits in reading order as text.

    Modelled on MultiMNIST (Eslami et al. 2016; Wu and Goodman 2018): each canvas has 1 to
    `max_digits` random digits of random size and place, which do not overlap.

    Parameters
    ----------
    images
        Digits, integers of shape (image, row, column) from 0 to 255.
    labels
        Digit of each image, from 0 to 9.
    n_obs
        Number of canvases.
    max_digits
        Largest number of digits on a canvas; at most 4 on a canvas of 50 pixels.
    canvas
        Side of a canvas in pixels.
    seed
        Seed of the draws.

    Returns
    -------
    MuData with the modality ``image`` (grey values from 0 to 1, likelihood ``bernoulli``) and
    ``text``: for each position in the text, which of the ten digits it is, or that the text has
    ended (0 or 1, ``max_digits`` x 11 features, ``bernoulli``). ``obs["digits"]`` is the text.

    Raises
    ------
    DataContractError
        Pixels or labels are out of range.
    ConfigError
        A size is out of range.

    Examples
    --------
    >>> digits = np.full((4, 28, 28), 255)
    >>> mdata = compose_digits(digits, [0, 1, 2, 3], n_obs=5)
    >>> mdata["image"].shape, mdata["text"].shape
    ((5, 2500), (5, 44))
    """
    grey, digits = np.asarray(images), np.asarray(labels)
    check_images(grey, digits, highest_label=9)
    if grey.ndim != 3:
        msg = (
            "Digits must have the shape (image, row, column). "
            f"Received {grey.shape}: reshape them to square images."
        )
        raise DataContractError(msg)
    n_obs, max_digits = check_integer("n_obs", n_obs), check_integer("max_digits", max_digits)
    canvas = check_integer("canvas", canvas)
    most = (canvas // SIDES[1]) ** 2
    if max_digits > most:
        msg = (
            f"A canvas of {canvas} pixels has room for {most} digits. Received "
            f"max_digits={max_digits}: take fewer, or a larger canvas."
        )
        raise ConfigError(msg)
    rng = np.random.default_rng(check_seed("seed", seed))
    pixels = np.zeros((n_obs, canvas, canvas), np.float32)
    text = np.zeros((n_obs, max_digits, 11), np.float32)
    strings = []
    for i in range(n_obs):
        chosen = rng.integers(len(grey), size=rng.integers(1, max_digits + 1))
        places = _fill(pixels[i], [grey[c] for c in chosen], rng)
        read = [int(digits[chosen[j]]) for j in _reading_order(places)]
        text[i, np.arange(max_digits), [*read, *[10] * (max_digits - len(read))]] = 1
        strings.append("".join(map(str, read)))
    names = [f"canvas_{i}" for i in range(n_obs)]
    symbols = [*map(str, range(10)), "end"]
    mdata = MuData(
        {
            "image": image_block(pixels.reshape(n_obs, -1), names),
            "text": image_block(
                text.reshape(n_obs, -1),
                names,
                [f"{place + 1}:{symbol}" for place in range(max_digits) for symbol in symbols],
            ),
        }
    )
    mdata.obs["digits"] = pd.Categorical(strings)
    return mdata


def _fill(
    canvas: NDArray[np.float32], digits: list[NDArray[Any]], rng: np.random.Generator
) -> list[tuple[int, int, int]]:
    """Place digits where there is room; return row, column and side of each."""
    free = np.ones(canvas.shape, dtype=bool)
    places = []
    for digit in digits:
        side = int(rng.integers(SIDES[0], SIDES[1] + 1))
        row, column, side = _place(free, side, rng)
        where = np.s_[row : row + side, column : column + side]
        scaled = ndimage.zoom(digit / WHITE, side / np.array(digit.shape), order=1)
        canvas[where] = np.clip(scaled, 0, 1)
        free[where] = False
        places.append((row, column, side))
    return places


def _place(free: NDArray[np.bool_], side: int, rng: np.random.Generator) -> tuple[int, int, int]:
    while True:
        for _ in range(ATTEMPTS):
            row, column = rng.integers(0, len(free) - side + 1, size=2)
            if free[row : row + side, column : column + side].all():
                return int(row), int(column), side
        side -= 1


def _reading_order(places: list[tuple[int, int, int]]) -> list[int]:
    """Sort by lines from top to bottom, and within a line from left to right."""
    by_row = sorted(range(len(places)), key=lambda i: places[i][0])
    lines: list[list[int]] = []
    for i in by_row:
        row, _, side = places[i]
        if lines and row - places[lines[-1][0]][0] < ROW * side:
            lines[-1].append(i)
        else:
            lines.append([i])
    return [i for line in lines for i in sorted(line, key=lambda i: places[i][1])]
