"""How new cells are to the model: p-values, and where the novel ones are."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hzau_omics.checks import INNER_SHARE, check_choice, check_number
from hzau_omics.errors import DataContractError
from hzau_omics.pl._embedding import embedding
from hzau_omics.pl.output import finish
from hzau_omics.pl.sources import ANNDATA_LIKE, points_of
from hzau_omics.pl.style import TEXT, TITLE, legend_beside, new_axes, palette

BINS = 20
COLUMN, P_VALUE = "hzau_novelty", "p_value"


def novelty(
    cells: Any,
    *,
    kind: Literal["histogram", "umap"] = "histogram",
    threshold: float = 0.01,
    basis: str = "X_umap",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw how many cells are unlike the training cells, or where they are.

    Parameters
    ----------
    cells
        Cells (AnnData or MuData) with ``obs["hzau_novelty"]``, where ``annotate`` and
        ``to_anndata`` write p-values; or the output of ``get_novelty``.
    kind
        ``"histogram"`` of p-values. Of cells like the training cells, all bars are about as high as
        the line; novel cells add to the bars on the left. ``"umap"``: the embedding of the cells,
        coloured by -log10 of the p-value, with the most novel cells on top.
    threshold
        p-value below which cells are counted in the title.
    basis
        Key of ``obsm`` for ``"umap"``.
    ax
        Axes to draw into; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes. Cells that cannot be compared have no p-value: they are left out of the histogram, and
    grey in the embedding.

    Raises
    ------
    ConfigError
        If ``kind`` or ``threshold`` is none.
    DataContractError
        If there are no p-values, or no embedding.

    Examples
    --------
    >>> table = pd.DataFrame({"p_value": [0.001, 0.3, 0.6, 0.9]})
    >>> novelty(table).get_title()
    '25.0 % of cells below 0.01 (1 % expected)'
    """
    check_choice("kind", kind, ("histogram", "umap"))
    threshold = check_number("threshold", threshold, INNER_SHARE)
    p_values = _p_values(cells)
    known = p_values[np.isfinite(p_values)]
    share = float((known < threshold).mean())
    title = f"{100 * share:.1f} % of cells below {threshold:g} ({100 * threshold:g} % expected)"
    if kind == "umap":
        if not isinstance(cells, ANNDATA_LIKE):
            msg = (
                "kind='umap' must have cells with an embedding. Received a table: pass an AnnData "
                f"or a MuData with obsm[{basis!r}] and obs[{COLUMN!r}]."
            )
            raise DataContractError(msg)
        points = points_of(cells, basis)
        axis_name = basis.removeprefix("X_").upper()
        # A p-value of 0 does not occur, but may be read from a file with few digits.
        values = -np.log10(np.maximum(p_values, 1e-6))
        axes = embedding(
            points, values, title="-log10 p of novelty", axis_name=axis_name, ax=ax, sort_order=True
        )
        return finish(axes, show=show, save=save)
    axes = new_axes(ax, size=(6.5, 3.2))
    colour = palette(1)[0]
    axes.hist(known, bins=BINS, range=(0, 1), color=colour, edgecolor="white", label="cells")
    expected = len(known) / BINS
    axes.axhline(expected, color="#333333", ls="--", lw=1, label="like training cells")
    axes.set_xlim(0, 1)
    axes.set_xlabel("p-value of novelty", fontsize=TEXT)
    axes.set_ylabel("cells", fontsize=TEXT)
    axes.set_title(title, fontsize=TITLE)
    legend_beside(axes)
    return finish(axes, show=show, save=save)


def _p_values(cells: Any) -> np.ndarray:
    """Return p-values (cell), NaN where there is none.

    Raises
    ------
    DataContractError
        There are none, or some lie outside [0, 1].
    """
    table, name = (cells.obs, COLUMN) if isinstance(cells, ANNDATA_LIKE) else (cells, P_VALUE)
    if not isinstance(table, pd.DataFrame) or name not in table:
        found = list(table) if isinstance(table, pd.DataFrame) else type(cells).__name__
        msg = (
            f"There must be p-values of novelty: obs[{COLUMN!r}] of cells, or the column "
            f"{P_VALUE!r} of a table. Received {found}. Call model.annotate on the MuData first, "
            "or pass model.get_novelty()."
        )
        raise DataContractError(msg)
    values = pd.to_numeric(table[name], errors="coerce").to_numpy(np.float64)
    known = values[np.isfinite(values)]
    if not known.size or known.min() < 0 or known.max() > 1:
        seen = f"{known.min():g} to {known.max():g}" if known.size else "none"
        msg = (
            f"p-values of novelty must lie in [0, 1], and one cell must have one. Received {seen}. "
            "Pass the output of model.get_novelty()."
        )
        raise DataContractError(msg)
    return values
