"""Picture of the scaling benchmark."""

from pathlib import Path

import pandas as pd


def picture(table: pd.DataFrame, path: Path) -> Path:
    """Draw cells per second against each size, and write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    axes_of = list(dict.fromkeys(table["axis"]))
    figure, axes = plt.subplots(
        1, len(axes_of), figsize=(3.2 * len(axes_of), 3), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for ax, name in zip(axes[0], axes_of, strict=True):
        part = table[table["axis"] == name]
        ax.plot(part["value"], part["cells_per_s"], "o-", color="#0072B2")
        ax.set(xscale="log", yscale="log", xlabel=name, title=f"by {name}")
        ax.set_xticks(part["value"], [f"{v:,}" for v in part["value"]])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    axes[0][0].set_ylabel("cells / s in train()")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path
