"""An embedding of cells, coloured by gate weights."""

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from hzau_omics.pl._embedding import COLOUR_BAR, MARGIN, PANEL, check_points, embedding
from hzau_omics.pl.groups import rows_of
from hzau_omics.pl.output import finish, panels
from hzau_omics.pl.sources import ANNDATA_LIKE, points_of, table_of


def gate_umap(
    points: Any,
    weights: pd.DataFrame | None = None,
    *,
    ncols: int = 2,
    basis: str = "X_umap",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> list[Axes]:
    """Draw an embedding coloured by the gate weight of each modality.

    Parameters
    ----------
    points
        Cells (AnnData or MuData) with ``obsm[basis]``, or an array of shape (cells, 2) in the order
        of ``weights``.
    weights
        Gate weights, cells x modalities in [0, 1]; ``obsm["hzau_gate"]`` of the cells by default. A
        weight of exactly 0 means that the cell lacks the modality: such cells are grey.
    ncols
        Panels per row.
    basis
        Key of ``obsm``.
    ax
        Axes to draw into, for weights of one modality; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes of the panels, one per modality, all on the scale from 0 to 1.

    Raises
    ------
    ConfigError
        If ``weights`` has no column or ``ncols`` is below 1.
    DataContractError
        If ``points`` and ``weights`` describe different cells.

    Examples
    --------
    >>> import numpy as np
    >>> weights = pd.DataFrame({"rna": [0.4, 1.0], "adt": [0.6, 0.0]})
    >>> [ax.get_title() for ax in gate_umap(np.zeros((2, 2)), weights)]
    ['weight of rna', 'weight of adt']
    """
    table = table_of(points if weights is None else weights, "hzau_gate", method="get_gate_weights")
    if isinstance(points, ANNDATA_LIKE):
        table = rows_of(table, points.obs_names)
    xy = check_points(points_of(points, basis), table)
    size = (PANEL[0] + COLOUR_BAR + MARGIN, PANEL[1])
    axes = panels(table.shape[1], ax=ax, ncols=ncols, panel=size)
    for panel, name in zip(axes, table.columns, strict=True):
        present = table[name].where(table[name] != 0)
        embedding(xy, present, title=f"weight of {name}", limits=(0.0, 1.0), ax=panel)
    return finish(axes, show=show, save=save)
