"""Share of suspicious measurements per group of cells."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from mudata import MuData

from hzau_omics.checks import check_number
from hzau_omics.pl.groups import label_groups, split_by_group
from hzau_omics.pl.output import finish
from hzau_omics.pl.sources import check_shares, groups_of, table_of
from hzau_omics.pl.style import TEXT, legend_beside, new_axes, palette


def reliability(
    values: pd.DataFrame | AnnData | MuData,
    groups: Any = None,
    *,
    threshold: float = 0.5,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> Axes:
    """Draw the share of suspicious measurements in each group of cells.

    Parameters
    ----------
    values
        Reliability, cells x modalities in [0, 1], 1 = trustworthy, NaN where absent; or cells with
        reliability in ``obsm["hzau_reliability"]``.
    groups
        As in :func:`gate`.
    threshold
        A measurement is suspicious below this reliability; below 0.5 it is more likely failed than
        not.
    ax
        Axes to draw into; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes with one row per group and a bar per modality, labelled with the number of suspicious
    measurements. A cell type that is unusual to the model may look suspicious although nothing
    failed: interpret large shares in small groups with care.

    Raises
    ------
    DataContractError
        If ``values`` are outside [0, 1] or empty, or ``groups`` does not cover the cells.

    Examples
    --------
    >>> values = pd.DataFrame({"rna": [0.1, 0.9], "adt": [float("nan"), 0.8]}, index=["c1", "c2"])
    >>> ax = reliability(values)
    >>> ax.get_xlabel()
    'share of measurements with reliability below 0.5'
    """
    groups = groups_of(values, groups)
    values = table_of(values, "hzau_reliability", method="get_reliability")
    threshold = check_number("threshold", threshold)
    check_shares(values, what="values", method="get_reliability", absent=True)
    parts = split_by_group(values, groups)
    names = list(map(str, values.columns))
    axes = new_axes(ax, size=(7.5, 1.1 + (0.16 * len(names) + 0.2) * len(parts)))
    height = 0.8 / len(names)
    for j, colour in enumerate(palette(len(names))):
        columns = [part.iloc[:, j].dropna() for part in parts.values()]
        low = [int((column < threshold).sum()) for column in columns]
        shares = [n / max(len(column), 1) for n, column in zip(low, columns, strict=True)]
        places = np.arange(len(parts)) - 0.4 + height * (j + 0.5)
        bars = axes.barh(places, shares, color=colour, height=0.9 * height, label=names[j])
        axes.bar_label(bars, [f"{n:,}" if n else "" for n in low], padding=3, fontsize=TEXT - 1)
    label_groups(axes, parts)
    axes.margins(x=0.12)
    axes.set_xlim(left=0)
    axes.set_xlabel(f"share of measurements with reliability below {threshold:g}", fontsize=TEXT)
    legend_beside(axes, title="modality")
    return finish(axes, show=show, save=save)
