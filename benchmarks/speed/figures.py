"""Picture of the speed benchmark."""

from pathlib import Path

import pandas as pd

from benchmarks.speed.run import BUILDERS, OURS


def picture(table: pd.DataFrame, path: Path) -> Path:
    """Draw cells per second per method and batch size, and write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    wide = table.pivot_table(index="batch_size", columns="method", values="cells_per_s")
    order = [m for m in (*OURS, *BUILDERS) if m in wide]
    figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
    wide[list(dict.fromkeys(order))].plot.bar(
        ax=ax, rot=0, color=["#0072B2", "#56B4E9", "#999999"], width=0.75
    )
    ax.set(xlabel="batch size", ylabel="cells / s in train()")
    for bars in ax.containers:
        ax.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    ax.legend(frameon=False, title=None)
    ax.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path
