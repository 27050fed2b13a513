"""Picture of the text benchmark: how well queries find their cells, by wording and encoder."""

from pathlib import Path

import numpy as np
import pandas as pd

KINDS = ("seen", "synonyms", "names", "functions", "descriptions")


def draw_queries(queries: pd.DataFrame, path: Path) -> list[Path]:
    """Draw the mean AUROC of types by kind of wording: ours filled, k-NN as a line beside it."""
    import matplotlib.pyplot as plt

    plain = queries[queries["variant"] == ""]
    panels = list(plain.groupby(["dataset", "held_out"], sort=False))
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.5 * len(panels), 4), sharey=True, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    colours = {encoder: f"C{i}" for i, encoder in enumerate(plain["encoder"].unique())}
    for ax, ((dataset, held_out), rows) in zip(axes[0], panels, strict=True):
        encoders = list(rows["encoder"].unique())
        width = 0.8 / len(encoders)
        for i, encoder in enumerate(encoders):
            mine = rows[rows["encoder"] == encoder].pivot_table(
                index="kind", columns="method", values="auroc"
            )
            mine = mine.reindex([kind for kind in KINDS if kind in mine.index])
            x = (
                np.array([KINDS.index(str(kind)) for kind in mine.index])
                + (i - (len(encoders) - 1) / 2) * width
            )
            ax.bar(x, mine["HZAUVAE"], width=0.9 * width, color=colours[encoder], label=encoder)
            if "k-NN" in mine:
                ends = x[:, None] + np.array([-0.45, 0.45]) * width
                for (left, right), y in zip(ends, mine["k-NN"], strict=True):
                    ax.plot([left, right], [y, y], color="black", lw=1.2)
        ax.axhline(0.5, color="0.6", lw=0.8)
        ax.set_xticks(range(len(KINDS)), KINDS, rotation=20)
        what = "types never described" if held_out else "described types"
        ax.set(title=f"{dataset}: {what}", ylim=(0, 1.02))
    axes[0, 0].set_ylabel("AUROC of cells without text")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    title = "bars; black lines: k-NN with the same texts"
    figure.legend(
        handles, labels, title=title, loc="outside lower center", ncols=4, fontsize=8, frameon=False
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return [path]
