"""Gate weights per group of cells."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.patches import Patch
from mudata import MuData

from hzau_omics.errors import ConfigError
from hzau_omics.pl.groups import label_groups, split_by_group
from hzau_omics.pl.output import finish
from hzau_omics.pl.sources import check_shares, groups_of, table_of
from hzau_omics.pl.style import TEXT, legend_beside, new_axes, palette, text_colour
from hzau_omics.pl.ternary import draw_triangle


def gate(
    weights: pd.DataFrame | AnnData | MuData,
    groups: Any = None,
    *,
    kind: Literal["bar", "box", "ternary"] = "bar",
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw gate weights per group of cells.

    Parameters
    ----------
    weights
        Gate weights, cells x modalities in [0, 1], rows summing to 1; or cells (AnnData or MuData)
        with weights in ``obsm["hzau_gate"]``, where ``annotate`` writes them. A weight of exactly 0
        means that the cell lacks the modality. To see what the gate chooses rather than what was
        measured, pass only cells with all modalities.
    groups
        Label per cell, such as the cell type. A Series is matched to ``weights`` by cell name,
        anything else by position. If cells are given as AnnData or MuData, also the name of a
        column of ``obs``. None draws all cells as one group.
    kind
        ``"bar"``: mean weights, stacked to 1. ``"box"``: distribution over cells, without the zeros
        of absent modalities. ``"ternary"``: each cell in a triangle of three modalities, closer to
        a corner the larger the weight of that modality.
    ax
        Axes to draw into; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes with one row per group, labelled with its number of cells; or with the triangle.

    Raises
    ------
    ConfigError
        If ``kind`` is unknown, or is ternary and there are not three modalities.
    DataContractError
        If ``weights`` are outside [0, 1] or empty, or ``groups`` does not cover the cells.

    Examples
    --------
    >>> weights = pd.DataFrame({"rna": [0.4, 0.8], "adt": [0.6, 0.2]}, index=["c1", "c2"])
    >>> ax = gate(weights, pd.Series(["B", "T"], index=["c1", "c2"]))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['B  (n = 1)', 'T  (n = 1)']
    """
    draw = {"bar": _draw_bars, "box": _draw_boxes, "ternary": draw_triangle}.get(kind)
    if draw is None:
        msg = f"kind must be 'bar', 'box' or 'ternary'. Received {kind!r}."
        raise ConfigError(msg)
    groups = groups_of(weights, groups)
    weights = table_of(weights, "hzau_gate", method="get_gate_weights")
    check_shares(weights, what="weights", method="get_gate_weights", absent=False)
    parts = split_by_group(weights, groups)
    if kind == "ternary":
        axes = new_axes(ax, size=(6.0, 4.2))
        draw_triangle(axes, parts, list(map(str, weights.columns)))
        return finish(axes, show=show, save=save)
    row_height = 0.32 if kind == "bar" else 0.16 * weights.shape[1] + 0.2
    axes = new_axes(ax, size=(7.5, 1.1 + row_height * len(parts)))
    draw(axes, parts, list(map(str, weights.columns)))
    label_groups(axes, parts)
    axes.set_xlim(0, 1)
    axes.set_xlabel("mean gate weight" if kind == "bar" else "gate weight", fontsize=TEXT)
    colours = palette(weights.shape[1])
    patches = [Patch(color=c, label=str(m)) for m, c in zip(weights.columns, colours, strict=True)]
    legend_beside(axes, patches, title="modality")
    return finish(axes, show=show, save=save)


def _draw_bars(ax: Axes, parts: dict[str, pd.DataFrame], names: list[str]) -> None:
    means = np.stack([part.to_numpy(np.float64).mean(axis=0) for part in parts.values()])
    left = np.zeros(len(parts))
    for j, colour in enumerate(palette(len(names))):
        ax.barh(range(len(parts)), means[:, j], left=left, color=colour, height=0.78)
        for row, (start, width) in enumerate(zip(left, means[:, j], strict=True)):
            if width >= 0.07:
                ax.text(
                    start + width / 2,
                    row,
                    f"{width:.2f}",
                    ha="center",
                    va="center",
                    fontsize=TEXT - 1,
                    color=text_colour(colour),
                    fontweight="bold",
                )
        left += means[:, j]


def _draw_boxes(ax: Axes, parts: dict[str, pd.DataFrame], names: list[str]) -> None:
    height = 0.8 / len(names)
    for j, colour in enumerate(palette(len(names))):
        columns = [part.iloc[:, j].to_numpy(np.float64) for part in parts.values()]
        places = np.arange(len(parts)) - 0.4 + height * (j + 0.5)
        ax.boxplot(
            [column[column > 0] for column in columns],
            positions=places,
            widths=0.75 * height,
            orientation="horizontal",
            patch_artist=True,
            manage_ticks=False,
            boxprops={"facecolor": colour, "edgecolor": "#333333", "linewidth": 0.6},
            medianprops={"color": "black", "linewidth": 1.4},
            whiskerprops={"linewidth": 0.7},
            capprops={"linewidth": 0.7},
            flierprops={"marker": ".", "markersize": 2, "alpha": 0.4, "markeredgewidth": 0},
        )
