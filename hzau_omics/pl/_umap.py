"""An embedding of cells, once per column of ``obs`` or feature."""

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from hzau_omics.checks import check_names
from hzau_omics.pl._embedding import PANEL, embedding, make_room
from hzau_omics.pl.output import figure_of, finish, panels
from hzau_omics.pl.sources import points_of, values_of


@overload
def umap(  # type: ignore[overload-overlap]
    adata: AnnData | MuData,
    *,
    color: str,
    ncols: int = 2,
    basis: str = "X_umap",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes: ...


@overload
def umap(
    adata: AnnData | MuData,
    *,
    color: Sequence[str],
    ncols: int = 2,
    basis: str = "X_umap",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> list[Axes]: ...


def umap(
    adata: AnnData | MuData,
    *,
    color: str | Sequence[str],
    ncols: int = 2,
    basis: str = "X_umap",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes | list[Axes]:
    """Draw an embedding, coloured by columns of ``obs`` or by features.

    Parameters
    ----------
    adata
        Cells (AnnData or MuData) with a two-dimensional embedding in ``obsm[basis]``. The embedding
        is not computed here.
    color
        Column or columns of ``obs``, or, of an AnnData, features, of which ``X`` is drawn: numbers
        get a colour bar, anything else a legend with the number of cells per level. Random cells
        lie on top of others, and rare levels above common ones.
    ncols
        Panels per row.
    basis
        Key of ``obsm``.
    ax
        Axes to draw into, for one panel; a new figure by default.
    show
        Whether to show the figure (``matplotlib.pyplot.show``). Notebooks show it anyway.
    save
        File to save the figure in, such as ``"umap.pdf"``; its suffix decides the format.

    Returns
    -------
    Axes of the panel, or list of Axes if `color` is a list. ``axes.figure`` is the figure.

    Raises
    ------
    ConfigError
        If ``color`` names no column, ``ncols`` is below 1, or ``ax`` is given for several panels.
    DataContractError
        If the embedding or a column does not exist.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> adata = AnnData(obs=pd.DataFrame({"type": ["B", "T"]}, index=["c1", "c2"]))
    >>> adata.obsm["X_umap"] = np.zeros((2, 2))
    >>> umap(adata, color="type").get_title()
    'type'
    """
    names = check_names("color", color, what="column")
    points = points_of(adata, basis)
    values = [values_of(adata, name) for name in names]
    axes = panels(len(names), ax=ax, ncols=ncols, panel=PANEL)
    axis_name = basis.removeprefix("X_").upper()
    for panel, name, column in zip(axes, names, values, strict=True):
        embedding(points, column, title=name, axis_name=axis_name, ax=panel)
    if ax is None:
        make_room(figure_of(axes), axes, values, ncols=min(ncols, len(axes)))
    finish(axes, show=show, save=save)
    return axes[0] if isinstance(color, str) else axes
