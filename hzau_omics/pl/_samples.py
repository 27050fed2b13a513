"""Generated images, side by side."""

from collections.abc import Mapping
from math import ceil, isqrt
from pathlib import Path

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.arrays import dense
from hzau_omics.checks import check_integer
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.pl.output import finish, panels
from hzau_omics.pl.style import TITLE


def samples(
    images: AnnData | ArrayLike | Mapping[str, AnnData | ArrayLike],
    *,
    shape: tuple[int, int] | None = None,
    n_samples: int = 64,
    ncols: int = 3,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> list[Axes]:
    """Draw samples of an image modality as mosaics, one panel per set of samples.

    Parameters
    ----------
    images
        Samples (sample, pixel), pixels from 0 (black) to 1 (white), as from ``model.sample`` or
        ``model.generate``; or several such sets by title, as in the figures of Wu and Goodman
        (2018): from the prior, and given a label.
    shape
        Rows and columns of an image; None if it is square.
    n_samples
        Number of samples to show of each set, from the first on.
    ncols
        Largest number of panels per row.
    ax
        Axes to draw into, for one set; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes of the panels, one per set.

    Raises
    ------
    ConfigError
        The pixels do not fill the shape, or `n_samples` is below 1.
    DataContractError
        There are no samples, or pixels outside [0, 1].

    Examples
    --------
    >>> axes = samples({"prior": np.zeros((64, 16)), "given 3": np.ones((64, 16))})
    >>> [ax.get_title() for ax in axes]
    ['prior', 'given 3']
    """
    n_samples = check_integer("n_samples", n_samples)
    sets = images if isinstance(images, Mapping) else {"": images}
    mosaics = {
        title: _mosaic(_pixels(values, title)[:n_samples], shape) for title, values in sets.items()
    }
    axes = panels(len(mosaics), ax=ax, ncols=ncols, panel=(3.2, 3.4))
    for panel, (title, mosaic) in zip(axes, mosaics.items(), strict=True):
        panel.imshow(mosaic, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
        panel.set_title(title, fontsize=TITLE)
        panel.set_axis_off()
    return finish(axes, show=show, save=save)


def _pixels(values: AnnData | ArrayLike, title: str) -> NDArray[np.float64]:
    if isinstance(values, MuData):
        msg = (
            "Samples must be of one modality. Received a MuData with "
            f"{', '.join(values.mod)}. Pass the images among them, such as samples['image']."
        )
        raise DataContractError(msg)
    pixels = dense(values.X if isinstance(values, AnnData) else values, np.float64)
    where = f" of {title!r}" if title else ""
    if pixels.ndim != 2 or not pixels.size:
        msg = (
            f"Samples{where} must be a table (sample, pixel). Received the shape {pixels.shape}. "
            "Reshape them with values.reshape(n_samples, -1)."
        )
        raise DataContractError(msg)
    if not ((pixels >= 0) & (pixels <= 1)).all():
        msg = (
            f"Pixels{where} must lie from 0 (black) to 1 (white). Received {pixels.min():.4g} to "
            f"{pixels.max():.4g}. Scale them first."
        )
        raise DataContractError(msg)
    return pixels


def _mosaic(pixels: NDArray[np.float64], shape: tuple[int, int] | None) -> NDArray[np.float64]:
    n, n_pixels = pixels.shape
    side = isqrt(n_pixels)
    height, width = (side, side) if shape is None else shape
    if height * width != n_pixels:
        msg = (
            f"shape must have as many pixels as an image. Received {n_pixels} pixels for an image "
            f"of {height} x {width}. Pass shape=(rows, columns)."
        )
        raise ConfigError(msg)
    columns = ceil(n**0.5)
    rows = ceil(n / columns)
    # A grey line separates images; the background behind the last ones is white.
    tiles = np.full((rows * columns, height + 1, width + 1), 0.5)
    tiles[n:] = 1.0
    tiles[:n, :-1, :-1] = pixels.reshape(n, height, width)
    tiled = tiles.reshape(rows, columns, height + 1, width + 1).swapaxes(1, 2)
    mosaic: NDArray[np.float64] = tiled.reshape(rows * (height + 1), columns * (width + 1))
    return mosaic[:-1, :-1]
