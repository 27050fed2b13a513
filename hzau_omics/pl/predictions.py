"""Pictures of imputed values and of their calibration."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hzau_omics.checks import check_integer, check_names
from hzau_omics.errors import DataContractError
from hzau_omics.metrics import interval_coverage, pearson_per_feature, pit_uniformity
from hzau_omics.pl.style import TEXT, TITLE, legend_beside, new_axes, new_grid, palette, point_size
from hzau_omics.pl.values import dense

_BARS = 40


def imputation(
    imputed: AnnData,
    observed: Any,
    *,
    features: str | Sequence[str] | None = None,
    n: int = 6,
    ncols: int = 3,
) -> Figure:
    """Draw imputed against measured values, one panel per feature.

    Parameters
    ----------
    imputed
        Output of ``impute``: layer ``log1p_mean`` and, for interval bars, quantile layers such as
        ``q05`` and ``q95`` in counts (the outermost two are drawn).
    observed
        Measured counts. A DataFrame is matched to ``imputed`` by cell and feature names and may
        hold a part of them; an array or sparse matrix must have the shape of ``imputed``. NaN where
        nothing was measured.
    features
        Names of the features to draw. By default ``n`` features spread evenly from the best to the
        worst correlation, so that the picture flatters nobody.
    n
        Number of features drawn by default.
    ncols
        Panels per row.

    Returns
    -------
    Figure in log1p counts, each title with the Pearson correlation over all drawn cells; interval
    bars stand on a random 40 cells.

    Raises
    ------
    DataContractError
        If cells or features do not match, or the layer is missing.

    Examples
    --------
    >>> adata = AnnData(np.ones((3, 1)), var=pd.DataFrame(index=["CD3"]))
    >>> adata.layers["log1p_mean"] = np.array([[0.0], [1.0], [2.0]])
    >>> imputation(adata, np.array([[0], [2], [9]])).axes[0].get_title()
    'CD3   r = 1.00'
    """
    adata, counts = _align(imputed, observed)
    if "log1p_mean" not in adata.layers:
        msg = (
            "imputed must have a layer 'log1p_mean'. Got layers "
            f"{sorted(map(str, adata.layers))}. Pass the output of impute."
        )
        raise DataContractError(msg)
    measured, predicted = np.log1p(counts), dense(adata.layers["log1p_mean"])
    pearson = pearson_per_feature(predicted, measured)
    n = check_integer("n", n)
    chosen = _choose(list(map(str, adata.var_names)), pearson, features, n)
    bars = _interval_layers(adata)
    figure, axes = new_grid(len(chosen), ncols=ncols, panel=(2.9, 3.05), extra=0.4)
    for ax, j in zip(axes, chosen, strict=True):
        interval = None if bars is None else tuple(np.log1p(layer[:, j]) for layer in bars[1:])
        _draw_feature(ax, measured[:, j], predicted[:, j], interval, bars[0] if bars else "")
        ax.set_title(f"{adata.var_names[j]}   r = {pearson[j]:.2f}", fontsize=TITLE, pad=8)
    figure.supxlabel("measured (log1p counts)", fontsize=TITLE)
    figure.supylabel("imputed (log1p counts)", fontsize=TITLE)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper center", ncols=3, fontsize=TEXT, frameon=False
    )
    return figure


def pit(values: Any, *, bins: int = 20, level: float = 0.9, ax: Axes | None = None) -> Axes:
    """Draw the histogram of randomised probability integral transforms.

    Parameters
    ----------
    values
        Output of ``get_pit``: array or DataFrame of shape (cells, features) in [0, 1], NaN where
        nothing was observed.
    bins
        Number of bars.
    level
        Nominal level of the interval whose coverage stands in the title.
    ax
        Axes to draw into; a new figure by default.

    Returns
    -------
    Axes with the histogram as density. A calibrated model is flat at 1; a hollow middle means
    intervals that are too narrow, a hump intervals that are too wide, a slope a bias. The band
    holds 95 % of the bars of a calibrated model; its width comes from the variation between cells,
    as the values of one cell may move together.

    Raises
    ------
    ConfigError
        If ``level`` is not between 0 and 1.
    DataContractError
        If there are no values, or some lie outside [0, 1].

    Examples
    --------
    >>> pit(np.linspace(0, 1, 1000)).get_title()
    '90 % intervals cover 90 %   (KS distance 0.001)'
    """
    covered = interval_coverage(values, level).overall
    bins = check_integer("bins", bins)
    distance = pit_uniformity(values)
    matrix = np.asarray(values, dtype=np.float64)
    axes = new_axes(ax, size=(6.5, 3.2))
    margin = _bar_margin(matrix.reshape(len(matrix), -1), bins)
    axes.hist(
        matrix[~np.isnan(matrix)],
        bins=bins,
        range=(0, 1),
        density=True,
        color=palette(1)[0],
        edgecolor="white",
        linewidth=0.6,
        label="observed values",
    )
    band: dict[str, Any] = {"color": palette(2)[1], "alpha": 0.45, "linewidth": 0}
    axes.axhspan(max(1 - margin, 0), 1 + margin, label="calibrated: 95 % of bars", **band)
    axes.axhline(1.0, color="#333333", linewidth=1, linestyle="--", label="calibrated: mean")
    axes.set_xlim(0, 1)
    axes.set_xlabel("position of the observed value within its prediction (PIT)", fontsize=TEXT)
    axes.set_ylabel("density", fontsize=TEXT)
    title = f"{100 * level:g} % intervals cover {100 * covered:.0f} %"
    axes.set_title(f"{title}   (KS distance {distance:.3f})", fontsize=TITLE)
    legend_beside(axes)
    return axes


def _bar_margin(values: np.ndarray, bins: int) -> float:
    """Return 1.96 standard errors of a bar's density, with cells as the independent units."""
    cell, feature = np.nonzero(~np.isnan(values))
    column = np.minimum((values[cell, feature] * bins).astype(int), bins - 1)
    table = np.zeros((len(values), bins))
    np.add.at(table, (cell, column), 1.0)
    excess = (table - table.sum(axis=1, keepdims=True) / bins)[table.any(axis=1)]
    variance = excess.var(axis=0).mean() * len(excess)
    return float(1.96 * np.sqrt(variance) * bins / len(cell))


def _align(imputed: AnnData, observed: Any) -> tuple[AnnData, np.ndarray]:
    if isinstance(observed, pd.DataFrame):
        for what, wanted, known in (
            ("cells", observed.index, imputed.obs_names),
            ("features", observed.columns, imputed.var_names),
        ):
            unknown = wanted.difference(known)
            if len(unknown):
                msg = (
                    f"observed may only hold {what} that were imputed. Got {len(unknown)} others "
                    f"(first: {list(unknown[:3])}). Select the {what} of imputed."
                )
                raise DataContractError(msg)
        return imputed[observed.index, observed.columns], dense(observed)
    counts = dense(observed)
    if counts.shape != imputed.shape:
        msg = (
            "observed must have the shape of imputed, or be a DataFrame with cell and feature "
            f"names. Got {counts.shape} and {imputed.shape}. Select the same cells and features."
        )
        raise DataContractError(msg)
    return imputed, counts


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


def _interval_layers(adata: AnnData) -> tuple[str, np.ndarray, np.ndarray] | None:
    """Return a label and the outermost two quantile layers in counts, if there are two."""
    percents = {}
    for name in adata.layers:
        digits = str(name)[1:]
        if str(name).startswith("q") and digits.replace(".", "", 1).isdigit():
            percents[float(digits)] = name
    if len(percents) < 2:
        return None
    low, high = min(percents), max(percents)
    label = f"{high - low:g} % interval"
    return label, dense(adata.layers[percents[low]]), dense(adata.layers[percents[high]])


def _draw_feature(
    ax: Axes,
    measured: np.ndarray,
    predicted: np.ndarray,
    interval: tuple[np.ndarray, ...] | None,
    interval_label: str,
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
        low, high = (bound[some] for bound in interval)
        ax.vlines(measured[some], low, high, color=orange, alpha=0.6, lw=1, label=interval_label)
        top.append(high.max(initial=1.0))
    limit = 1.05 * max(top)
    ax.plot([0, limit], [0, limit], color="#333333", lw=1, ls="--", label="imputed = measured")
    ax.set(xlim=(-0.03 * limit, limit), ylim=(-0.03 * limit, limit))
    ax.set_box_aspect(1)
    ax.tick_params(labelsize=TEXT)
    ax.spines[["top", "right"]].set_visible(False)
