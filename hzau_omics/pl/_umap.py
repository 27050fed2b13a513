"""An embedding of cells, once per column of ``obs``."""

from collections.abc import Sequence

from anndata import AnnData
from matplotlib.figure import Figure
from mudata import MuData

from hzau_omics.checks import check_names
from hzau_omics.pl._embedding import PANEL, embedding, make_room
from hzau_omics.pl.sources import column_of, points_of
from hzau_omics.pl.style import new_grid


def umap(
    adata: AnnData | MuData, *, color: str | Sequence[str], ncols: int = 2, basis: str = "X_umap"
) -> Figure:
    """Draw an embedding once per column of ``obs``.

    Parameters
    ----------
    adata
        Cells (AnnData or MuData) with a two-dimensional embedding in ``obsm[basis]``. The embedding
        is not computed here.
    color
        Column or columns of ``obs``: numbers get a colour bar, anything else a legend with the
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
    >>> import numpy as np
    >>> import pandas as pd
    >>> adata = AnnData(obs=pd.DataFrame({"type": ["B", "T"]}, index=["c1", "c2"]))
    >>> adata.obsm["X_umap"] = np.zeros((2, 2))
    >>> umap(adata, color="type").axes[0].get_title()
    'type'
    """
    names = check_names("color", color, what="column")
    points = points_of(adata, basis)
    values = [column_of(adata.obs, name) for name in names]
    figure, axes = new_grid(len(names), ncols=ncols, panel=PANEL)
    axis_name = basis.removeprefix("X_").upper()
    for ax, name, column in zip(axes, names, values, strict=True):
        embedding(points, column, title=name, axis_name=axis_name, ax=ax)
    make_room(figure, axes, values, ncols=min(ncols, len(axes)))
    return figure
