"""How sure predicted labels are: their probabilities, and the sizes of sets."""

from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from hzau_omics.checks import check_choice
from hzau_omics.errors import DataContractError
from hzau_omics.pl.output import finish
from hzau_omics.pl.sources import ANNDATA_LIKE
from hzau_omics.pl.style import MISSING_COLOUR, TEXT, TITLE, legend_beside, new_axes, palette

BINS = 20
UNKNOWN = "unknown"
LABEL, PROBABILITY, SIZE = "label", "probability", "set_size"


class _Predicted(NamedTuple):
    """Probability of the most likely label (cell), and whether the cell gets no label (cell)."""

    probability: np.ndarray
    unknown: np.ndarray


def labels(
    cells: Any,
    *,
    kind: Literal["probability", "sizes"] = "probability",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw how sure the predicted labels of cells are.

    Parameters
    ----------
    cells
        Cells (AnnData or MuData) with ``obs["hzau_label"]`` and ``obs["hzau_label_probability"]``,
        where ``annotate`` and ``to_anndata`` write them; or the output of ``predict_labels``.
    kind
        ``"probability"``: histogram of the probability of the most likely label, with the cells
        that get none ("unknown": below 0.5, or novel) in grey. ``"sizes"``: number of labels in the
        set that holds the true one, from ``predict_labels(soft=False)`` only: 1 where the label is
        sure.
    ax
        Axes to draw into; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes with the histogram.

    Raises
    ------
    ConfigError
        If ``kind`` is unknown.
    DataContractError
        If there are no predicted labels, or no sets.

    Examples
    --------
    >>> table = pd.DataFrame({"label": ["B", "unknown"], "probability": [0.9, 0.4]})
    >>> labels(table).get_title()
    '50.0 % of cells get no label'
    """
    check_choice("kind", kind, ("probability", "sizes"))
    if kind == "sizes":
        sizes = _sizes(cells)
        axes = new_axes(ax, size=(5.0, 3.2))
        _draw_sizes(axes, sizes)
    else:
        predicted = _predicted(cells)
        axes = new_axes(ax, size=(6.5, 3.2))
        _draw_probabilities(axes, predicted)
    axes.set_ylabel("cells", fontsize=TEXT)
    return finish(axes, show=show, save=save)


def _draw_probabilities(axes: Axes, predicted: _Predicted) -> None:
    probability, unknown = predicted
    axes.hist(
        [probability[unknown], probability[~unknown]],
        bins=BINS,
        range=(0, 1),
        stacked=True,
        color=[MISSING_COLOUR, palette(1)[0]],
        edgecolor="white",
        label=[f"{UNKNOWN} ({unknown.sum():,})", f"labelled ({(~unknown).sum():,})"],
    )
    axes.set_xlim(0, 1)
    axes.set_xlabel("probability of the most likely label", fontsize=TEXT)
    axes.set_title(f"{100 * unknown.mean():.1f} % of cells get no label", fontsize=TITLE)
    legend_beside(axes)


def _draw_sizes(axes: Axes, sizes: np.ndarray) -> None:
    counts = np.bincount(sizes)[1:]
    bars = axes.bar(np.arange(1, len(counts) + 1), counts, color=palette(1)[0], width=0.75)
    axes.bar_label(bars, [f"{n / len(sizes):.0%}" for n in counts], padding=2, fontsize=TEXT - 1)
    axes.set_xticks(np.arange(1, len(counts) + 1))
    axes.margins(y=0.12)
    axes.set_xlabel("labels in the set", fontsize=TEXT)
    axes.set_title(f"{100 * (sizes == 1).mean():.1f} % of sets hold one label", fontsize=TITLE)


def _predicted(cells: Any) -> _Predicted:
    """Return probabilities of the most likely labels, of cells that have one.

    Raises
    ------
    DataContractError
        There are no predicted labels.
    """
    table, names = cells, (LABEL, PROBABILITY)
    if isinstance(cells, ANNDATA_LIKE):
        table, names = cells.obs, ("hzau_label", "hzau_label_probability")
    soft = _soft(table)
    if soft is not None:
        found = soft.max(axis=1)
        unknown = found < 0.5
    elif isinstance(table, pd.DataFrame) and set(names) <= set(table):
        found = pd.to_numeric(table[names[1]], errors="coerce").to_numpy(np.float64)
        unknown = table[names[0]].astype(str).to_numpy() == UNKNOWN
    else:
        raise _nothing(cells, "predicted labels", "model.predict_labels(soft=False)")
    known = np.isfinite(found)
    if not known.any():
        raise _nothing(cells, "a cell with a predicted label", "cells that can be compared")
    return _Predicted(found[known], unknown[known])


def _soft(table: Any) -> np.ndarray | None:
    """Return probabilities (cell, label) if it is a table of such."""
    if not isinstance(table, pd.DataFrame) or LABEL in table or not table.shape[1]:
        return None
    if not all(map(pd.api.types.is_float_dtype, table.dtypes)):
        return None
    values = table.to_numpy(np.float64)
    known = values[np.isfinite(values).all(axis=1)]
    sums_to_one = bool(len(known)) and np.allclose(known.sum(axis=1), 1, atol=1e-3)
    return values if sums_to_one else None


def _sizes(cells: Any) -> np.ndarray:
    """Return the size of each set.

    Raises
    ------
    DataContractError
        There are no sets.
    """
    if not isinstance(cells, pd.DataFrame) or SIZE not in cells:
        raise _nothing(cells, "sets of labels", "model.predict_labels(soft=False)")
    found = pd.to_numeric(cells[SIZE], errors="coerce").to_numpy(np.float64)
    known = found[found >= 1]
    if not known.size:
        raise _nothing(cells, "a set of labels", "cells that can be compared")
    return known.astype(np.int64)


def _nothing(cells: Any, what: str, remedy: str) -> DataContractError:
    table = cells.obs if isinstance(cells, ANNDATA_LIKE) else cells
    columns = list(table)[:8] if isinstance(table, pd.DataFrame) else type(cells).__name__
    return DataContractError(
        f"There must be {what}. Received {type(cells).__name__} with {columns}. Call "
        f"model.annotate on the MuData first, or pass {remedy}."
    )
