"""Picture of the speed benchmark: cells per second, and the likelihood over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.speed.methods import METHODS
from benchmarks.speed.tables import target

COLOURS = dict(zip(METHODS, ("#0072B2", "#56B4E9", "#999999", "#999999"), strict=True))


def picture(table: pd.DataFrame, runs: Sequence[Mapping[str, Any]], path: Path) -> Path:
    """Draw cells per second, and held-out likelihoods per batch size, and write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    sizes = sorted(set(table["batch_size"]))
    figure, axes = plt.subplots(
        1, 1 + len(sizes), figsize=(4 * (1 + len(sizes)), 3), layout="constrained"
    )
    _bars(axes[0], table)
    for ax, size in zip(axes[1:], sizes, strict=True):
        _curves(ax, [run for run in runs if run["batch_size"] == size])
        ax.set_title(f"batch size {size}")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside upper left", ncols=len(labels))
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def _bars(ax: Any, table: pd.DataFrame) -> None:
    """Draw medians as bars, the lowest and the highest repeat as whiskers."""
    found = table.set_index(["batch_size", "method"])
    wide = {
        name: found[name].unstack()
        for name in ("cells_per_s", "cells_per_s_lowest", "cells_per_s_highest")
    }
    middle, lowest, highest = wide.values()
    methods = [m for m in METHODS if m in middle]
    whiskers = [[middle[m] - lowest[m], highest[m] - middle[m]] for m in methods]
    middle[methods].plot.bar(
        ax=ax,
        rot=0,
        color=[COLOURS[m] for m in methods],
        width=0.75,
        yerr=whiskers,
        legend=False,
    )
    ax.set(xlabel="batch size", ylabel="cells / s in train()")


def _curves(ax: Any, runs: Sequence[Mapping[str, Any]]) -> None:
    """Draw the likelihood of the last modality, a line for each repeat."""
    for run in runs:
        part = target(run)
        curve = pd.DataFrame(run["curve"])
        ax.plot(curve["seconds"], curve[part], color=COLOURS[run["method"]], linewidth=1)
        ax.set_ylabel(f"held-out NLL of {part}, nats / cell")
    ax.set(xlabel="seconds of train()", yscale="log")
