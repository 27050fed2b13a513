"""Pictures of the reliability benchmark."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

AUROC = "auroc "
FEWEST_CELLS = 60
N_BINS = 6


def draw_curves(failures: pd.DataFrame, path: Path) -> list[Path]:
    """Draw AUROC over strength of what HZAU-VAE and trivial scores say."""
    import matplotlib.pyplot as plt

    ours = failures[failures["system"] == "HZAUVAE"]
    curves = ours[ours["kind"].isin(["ambient", "thinned"])]
    panels = list(curves.groupby(["dataset", "modality", "kind"], sort=False))
    if not panels:
        return []
    figure, axes = plt.subplots(
        1, len(panels), figsize=(3 * len(panels), 3), sharey=True, squeeze=False
    )
    scores = [c for c in curves if str(c).startswith(AUROC) and c != "auroc across types"]
    for ax, ((dataset, modality, kind), rows) in zip(axes[0], panels, strict=True):
        for score in scores:
            label = str(score).removeprefix(AUROC)
            ax.plot(rows["strength"], rows[score], marker=".", label=label)
        ax.axhline(0.5, color="0.7", lw=0.8)
        ax.set(title=f"{dataset}: {modality}, {kind}", xlabel="share lost or replaced")
    axes[0, 0].set_ylabel("AUROC")
    axes[0, -1].legend(fontsize=6)
    return _saved(figure, path)


def draw_depth(arrays: Mapping[str, np.ndarray], names: list[str], path: Path) -> list[Path]:
    """Draw gate weights of clean held-out cells over how much was measured, by cell type.

    `arrays` are those of one run: gate weights and log totals (cell, modality), and labels.
    """
    if not names or not {"gate", "total counts", "labels"} <= set(arrays):
        return []
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    labels = arrays["labels"]
    kinds, sizes = np.unique(labels[labels != ""], return_counts=True)
    kinds = kinds[sizes >= FEWEST_CELLS]
    figure, axes = plt.subplots(
        1, len(names), figsize=(4 * len(names), 3.2), squeeze=False, layout="constrained"
    )
    for m, (ax, name) in enumerate(zip(axes[0], names, strict=True)):
        total, weight = arrays["total counts"][:, m], arrays["gate"][:, m]
        for kind in kinds:
            mine = labels == kind
            parts = np.array_split(np.argsort(total[mine]), N_BINS)
            x, low, middle, high = np.array(
                [
                    (
                        np.expm1(total[mine][p]).mean(),
                        *np.quantile(weight[mine][p], (0.25, 0.5, 0.75)),
                    )
                    for p in parts
                ]
            ).T
            (line,) = ax.plot(x, middle, marker=".", label=kind)
            ax.fill_between(x, low, high, color=line.get_color(), alpha=0.15, lw=0)
        ax.set(xscale="log", xlabel=f"total of {name}", ylabel=f"gate weight of {name}")
        ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
    axes[0, -1].legend(fontsize=6, loc="center left", bbox_to_anchor=(1, 0.5))
    return _saved(figure, path)


def _saved(figure: object, path: Path) -> list[Path]:
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    assert isinstance(figure, Figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90, bbox_inches="tight")
    plt.close(figure)
    return [path]
