"""Imputed against measured values."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hzau_omics.arrays import dense
from hzau_omics.checks import check_integer, check_names
from hzau_omics.errors import DataContractError
from hzau_omics.metrics import pearson_per_feature
from hzau_omics.pl.measured import measured_of
from hzau_omics.pl.output import figure_of, finish, panels
from hzau_omics.pl.style import TEXT, TITLE, palette, point_size

_BARS = 40
UNKNOWN = "#888888"
"""Colour of intervals for batches of unknown depth."""


def imputation(
    imputed: AnnData,
    observed: Any,
    *,
    layer: str | None = None,
    features: str | Sequence[str] | None = None,
    n: int = 6,
    ncols: int = 3,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> list[Axes]:
    """Draw imputed against measured values, one panel per feature.

    Parameters
    ----------
    imputed
        Output of ``impute``: layer ``log1p_mean`` and, for interval bars, quantile layers such as
        ``q05`` and ``q95`` in counts (the outermost two are drawn).
    observed
        Measured counts, NaN where nothing was measured. An AnnData, such as ``mdata["adt"]``, is
        matched to ``imputed`` by cell and feature names; cells and features that were not imputed
        are left out. A DataFrame is matched likewise, but may not hold others. An array or sparse
        matrix must have the shape of ``imputed``. Zeros that stand for missing measurements are not
        drawn: zeros that the model did not see (by ``obs["observed"]`` and panels), if there are
        more than measurements would have.
    layer
        Layer of an AnnData with the counts; ``X`` by default.
    features
        Names of the features to draw. By default ``n`` features, spaced evenly in the ranking from
        the best to the worst correlation, so that the figure does not show the best ones only.
    n
        Number of features drawn by default.
    ncols
        Panels per row.
    ax
        Axes to draw into, for one feature; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes of the panels, in log1p counts, with the Pearson correlation over all drawn cells in each
    title. Intervals are drawn for 40 random cells. For batches in which the modality was never
    measured, the sequencing depth is unknown: their bars are grey and have no nominal coverage.

    Warns
    -----
    HzauWarning
        If zeros are taken as not measured.

    Raises
    ------
    DataContractError
        If cells or features do not match, a layer is missing, the values are no counts, or nothing
        was measured.

    Examples
    --------
    >>> import pandas as pd
    >>> adata = AnnData(np.ones((3, 1)), var=pd.DataFrame(index=["CD3"]))
    >>> adata.layers["log1p_mean"] = np.array([[0.0], [1.0], [2.0]])
    >>> imputation(adata, np.array([[0], [2], [9]]))[0].get_title()
    'CD3   r = 1.00'
    """
    if not isinstance(imputed, AnnData) or "log1p_mean" not in imputed.layers:
        found = sorted(map(str, getattr(imputed, "layers", ())))
        msg = (
            "imputed must have a layer 'log1p_mean'. Received a "
            f"{type(imputed).__name__} with layers {found}. Pass the output of impute."
        )
        raise DataContractError(msg)
    adata, counts, depth_known = measured_of(imputed, observed, layer)
    measured, predicted = np.log1p(counts), dense(adata.layers["log1p_mean"], np.float64)
    pearson = pearson_per_feature(predicted, measured)
    n = check_integer("n", n)
    chosen = _choose(list(map(str, adata.var_names)), pearson, features, n)
    bars = _interval_layers(adata)
    axes = panels(len(chosen), ax=ax, ncols=ncols, panel=(2.9, 3.05), extra=0.4)
    for panel, j in zip(axes, chosen, strict=True):
        interval = None if bars is None else bars.of_feature(j)
        _draw_feature(panel, measured[:, j], predicted[:, j], interval, depth_known)
        panel.set_title(f"{adata.var_names[j]}   r = {pearson[j]:.2f}", fontsize=TITLE, pad=8)
    if ax is None:
        _describe(figure_of(axes), axes)
    else:
        ax.set(xlabel="measured (log1p counts)", ylabel="imputed (log1p counts)")
        ax.legend(fontsize=TEXT, frameon=False)
    return finish(axes, show=show, save=save)


def _describe(figure: Figure, axes: Sequence[Axes]) -> None:
    """Give all panels of a figure one description of their axes, and one legend."""
    figure.supxlabel("measured (log1p counts)", fontsize=TITLE)
    figure.supylabel("imputed (log1p counts)", fontsize=TITLE)
    handles: dict[str, Any] = {}
    for ax in axes:
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    figure.legend(
        list(handles.values()),
        list(handles),
        loc="outside upper center",
        ncols=3,
        fontsize=TEXT,
        frameon=False,
    )


def _choose(
    names: list[str], pearson: np.ndarray, features: Sequence[str] | None, n: int
) -> list[int]:
    if features is None:
        ranked = np.argsort(-np.nan_to_num(pearson, nan=-2.0), kind="stable")
        ranked = ranked[: max(int((~np.isnan(pearson)).sum()), 1)]
        steps = np.linspace(0, len(ranked) - 1, min(n, len(ranked))).round().astype(int)
        return [int(j) for j in ranked[steps]]
    asked = check_names("features", features, what="feature")
    unknown = [name for name in asked if name not in names]
    if unknown:
        msg = (
            f"features must name features of imputed. Received {unknown}; imputed has "
            f"{len(names)}, such as {names[:5]}."
        )
        raise DataContractError(msg)
    return [names.index(name) for name in asked]


class _Interval(NamedTuple):
    """Bounds of intervals in log1p counts, from which to which percent of the draws they go."""

    low: np.ndarray
    high: np.ndarray
    percents: tuple[float, float]

    def of_feature(self, j: int) -> "_Interval":
        return _Interval(self.low[:, j], self.high[:, j], self.percents)

    def label(self, *, depth_known: bool) -> str:
        low, high = self.percents
        if depth_known:
            return f"{high - low:g} % interval"
        return f"{low:g} % to {high:g} % of draws, depth of the batch unknown"


def _interval_layers(adata: AnnData) -> _Interval | None:
    """Return the outermost two quantile layers, if there are two."""
    percents = {}
    for name in adata.layers:
        digits = str(name)[1:]
        if str(name).startswith("q") and digits.replace(".", "", 1).isdigit():
            percents[float(digits)] = name
    if len(percents) < 2:
        return None
    low, high = min(percents), max(percents)
    ends = (dense(adata.layers[percents[end]], np.float64) for end in (low, high))
    lowest, highest = map(np.log1p, ends)
    return _Interval(lowest, highest, (low, high))


def _draw_feature(
    ax: Axes,
    measured: np.ndarray,
    predicted: np.ndarray,
    interval: _Interval | None,
    depth_known: np.ndarray,
) -> None:
    known = np.flatnonzero(~np.isnan(measured))
    blue, orange = palette(2)
    ax.scatter(
        *(measured[known], predicted[known]),
        s=0.6 * point_size(len(known)),
        color=blue,
        alpha=0.5,
        linewidths=0,
        rasterized=True,
        label="cell",
        zorder=3,
    )
    top = [measured[known].max(initial=1.0), predicted[known].max(initial=1.0)]
    if interval is not None:
        some = np.random.default_rng(0).permutation(known)[:_BARS]
        for of_known, colour in ((True, orange), (False, UNKNOWN)):
            cells = some[depth_known[some] == of_known]
            if cells.size:
                low, high = interval.low[cells], interval.high[cells]
                label = interval.label(depth_known=of_known)
                ax.vlines(measured[cells], low, high, color=colour, alpha=0.6, lw=1, label=label)
                top.append(high.max())
    limit = 1.05 * max(top)
    ax.plot([0, limit], [0, limit], color="#333333", lw=1, ls="--", label="imputed = measured")
    ax.set(xlim=(-0.03 * limit, limit), ylim=(-0.03 * limit, limit))
    ax.set_box_aspect(1)
    ax.tick_params(labelsize=TEXT)
    ax.spines[["top", "right"]].set_visible(False)
