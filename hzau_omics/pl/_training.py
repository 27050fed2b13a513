"""Curves of a training run."""

from collections.abc import Mapping
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from hzau_omics.checks import check_integer
from hzau_omics.errors import DataContractError
from hzau_omics.pl.output import finish, panels
from hzau_omics.pl.style import TEXT, TITLE, palette

_TITLES = {
    "elbo": "negative ELBO",
    "loss": "training objective",
    "kl_weight": "weight of the KL term",
    "kl_local": "KL divergence",
    "reconstruction_loss": "reconstruction loss",
}
_FIRST = ("elbo", "loss", "reconstruction_loss", "kl_local")
_BURN_IN = 0.05


def training(
    history: Any,
    *,
    max_panels: int = 6,
    ax: Axes | None = None,
    show: bool | None = None,
    save: str | Path | None = None,
) -> list[Axes]:
    """Draw the curves of a training run.

    Parameters
    ----------
    history
        A model, or values per epoch by name, as in ``model.history``: Series, or DataFrames with
        one column, indexed by epoch; or a table with one column per curve, as the command line
        writes it. Names ending in ``_train`` and ``_validation`` share a panel. Values per step,
        and curves that are 0 throughout, are left out. No name is required.
    max_panels
        Largest number of panels. The ELBO, the objective and its parts come first.
    ax
        Axes to draw into, with ``max_panels=1``; a new figure by default.
    show, save
        As in :func:`umap`.

    Returns
    -------
    Axes of the panels, one per quantity. A dashed line marks the epoch with the lowest negative
    validation ELBO. If the first epochs are far above the rest, they lie outside the axes.

    Raises
    ------
    DataContractError
        If ``history`` has no curve to draw.

    Examples
    --------
    >>> history = {"elbo_train": pd.Series([9.0, 7.0]), "elbo_validation": pd.Series([9.5, 8.0])}
    >>> training(history)[0].get_title()
    'negative ELBO'
    """
    max_panels = check_integer("max_panels", max_panels)
    known = _by_name(history)
    quantities = _collect(known)
    if not quantities:
        msg = (
            "history must hold at least one curve per epoch. Received "
            f"{sorted(map(str, known)) or 'an empty history'}. Train the model first. With several "
            "devices, pass the history of the first process."
        )
        raise DataContractError(msg)
    chosen = dict(list(quantities.items())[: max(max_panels, 1)])
    axes = panels(len(chosen), ax=ax, ncols=3, panel=(3.9, 2.9))
    for panel, (name, curves) in zip(axes, chosen.items(), strict=True):
        _draw(panel, name, curves)
    return finish(axes, show=show, save=save)


def _by_name(history: Any) -> Mapping[str, Any]:
    """Return the curves of a model, or those given; none before training."""
    if isinstance(history, pd.DataFrame):
        return {str(name): curve for name, curve in history.items()}
    found = history if isinstance(history, Mapping) else getattr(history, "history", history)
    if found is not None and not isinstance(found, Mapping):
        msg = (
            "history must be a model or curves by name. Received "
            f"{type(history).__name__}. Pass model.history."
        )
        raise DataContractError(msg)
    return found or {}


def _collect(history: Mapping[str, Any]) -> dict[str, dict[str, pd.Series]]:
    """Group the curves by quantity, then by part of the data."""
    found: dict[str, dict[str, pd.Series]] = {}
    for key in map(str, history):
        curve = _as_curve(history[key])
        if key.endswith("_step") or curve.empty or not curve.any():
            continue
        name, part = _name_and_part(key)
        found.setdefault(name, {})[part] = curve
    rank = {name: i for i, name in enumerate(_FIRST)}
    return dict(sorted(found.items(), key=lambda item: (rank.get(item[0], len(rank)), item[0])))


def _name_and_part(key: str) -> tuple[str, str]:
    if key in ("train_loss", "train_loss_epoch", "validation_loss"):
        return "loss", "train" if key.startswith("train") else "validation"
    for part in ("train", "validation"):
        if key.endswith(f"_{part}"):
            return key.removesuffix(f"_{part}"), part
    return key, ""


def _as_curve(values: Any) -> pd.Series:
    frame = values if isinstance(values, pd.DataFrame | pd.Series) else pd.Series(values)
    column = frame.iloc[:, 0] if isinstance(frame, pd.DataFrame) else frame
    return pd.to_numeric(column, errors="coerce").dropna()


def _draw(ax: Axes, name: str, curves: Mapping[str, pd.Series]) -> None:
    colours = dict(zip(("train", "validation"), palette(2), strict=True))
    for part in sorted(curves):
        curve = curves[part]
        marker = "o" if len(curve) < 3 else None
        colour = colours.get(part, "#333333")
        epochs = curve.index.to_numpy()
        ax.plot(epochs, curve.to_numpy(), color=colour, marker=marker, markersize=4, label=part)
    if name == "elbo" and "validation" in curves:
        curve = curves["validation"]
        best = int(curve.index[int(np.argmin(curve.to_numpy()))])
        ax.axvline(best, color="#666666", linestyle="--", linewidth=1, label=f"best: epoch {best}")
    if name != "kl_weight":
        _cut_burn_in(ax, curves)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
    ax.set_xlabel("epoch", fontsize=TEXT)
    ax.set_ylabel("" if name == "kl_weight" else "nats per cell", fontsize=TEXT)
    ax.set_title(_TITLES.get(name, name.replace("_", " ")), fontsize=TITLE)
    ax.tick_params(labelsize=TEXT)
    ax.spines[["top", "right"]].set_visible(False)
    if len(curves) > 1:
        ax.legend(fontsize=TEXT, frameon=False)


def _cut_burn_in(ax: Axes, curves: Mapping[str, pd.Series]) -> None:
    """Limit the axis to later epochs if the first 5 % are so high that they flatten the rest."""
    late = [curve.iloc[ceil(_BURN_IN * len(curve)) :] for curve in curves.values()]
    values = np.concatenate([curve.to_numpy(np.float64) for curve in late])
    everything = np.concatenate([curve.to_numpy(np.float64) for curve in curves.values()])
    if min(map(len, late)) < 10:
        return
    low, high = values.min(), values.max()
    room = max(high - low, 1e-9)
    if everything.max() > high + room:
        ax.set_ylim(min(everything.min(), low) - 0.05 * room, high + 0.1 * room)
