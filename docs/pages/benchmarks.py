"""Tables and plots of the benchmark page, from ``benchmarks/results``."""

import hashlib
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes

from hzau_omics.model.version import MODEL_VERSION

OURS, OTHERS = "#0072b2", "#9aa5b1"
COLOURS = (OURS, "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#555555")
"""Of methods, ours first; colours that most colour-blind readers tell apart."""
FOLLOWED = (
    "PBMC10k: RNA to protein, Pearson",
    "PBMC10k: RNA to protein, 90 % intervals cover",
    "PBMC10k: agreement AUROC, swapped protein",
    "demo: iLISI",
    "two batches: iLISI",
    "speed: times totalVI, batch 128",
)
"""Claims whose values over versions of the model are drawn."""


def write(results: Path, folder: Path) -> None:
    """Write the tables as markdown and the plots as SVG, if results or this file changed."""
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(Path(__file__).read_bytes() + f"{MODEL_VERSION}".encode())
    for path in sorted(results.glob("*.csv")):
        key.update(path.read_bytes())
    stamp = folder / "key"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == key.hexdigest():
        return
    board = pd.read_csv(results / "scoreboard.csv", dtype={"commit": str})
    (folder / "scoreboard.md").write_text(scoreboard(board), encoding="utf-8")
    plots = {
        "integration": integration,
        "mapping": mapping,
        "differential": differential,
        "speed": speed,
    }
    plt.rcParams["svg.hashsalt"] = "hzau_omics"
    versions(board)
    _save(folder, "versions")
    for name, draw in plots.items():
        draw(results)
        _save(folder, name)
    stamp.write_text(key.hexdigest(), encoding="utf-8")


def _save(folder: Path, name: str) -> None:
    plt.gcf().savefig(folder / f"{name}.svg", bbox_inches="tight", facecolor="white")
    plt.close("all")


def latest(results: Path, pattern: str) -> pd.DataFrame:
    """Read the newest table whose name fits: names end with the time of the run."""
    paths = sorted(results.glob(pattern), key=lambda path: path.name.rsplit("_", 1)[1])
    return pd.read_csv(paths[-1])


def scoreboard(board: pd.DataFrame) -> str:
    """Return the claims of the present version as markdown, as they were measured last."""
    present = board[board["model_version"] == MODEL_VERSION]
    if present.empty:
        return f"Nothing was measured of model version {MODEL_VERSION} yet.\n"
    lines = ["| claim | value | seeds | to compare | better |", "|---|---|---|---|---|"]
    last = present.groupby("claim")["commit"].transform("last")
    for claim, rows in present[present["commit"] == last].groupby("claim", sort=False):
        values, beside, better = rows["value"], *rows[["beside", "better"]].iloc[0]
        form = ",.1f" if values.mean() > 10 else ".3f"
        spread = f"\u00a0±\u00a0{values.std():{form}}" if len(values) > 1 else ""
        value = f"{values.mean():{form}}{spread}"
        compared = "" if pd.isna(beside) else f"{beside:.3f}"
        lines.append(f"| {claim} | {value} | {len(values)} | {compared} | {better} |")
    return "\n".join(lines) + "\n"


def versions(board: pd.DataFrame) -> None:
    """Draw followed claims over versions of the model: every seed, and their means."""
    figure, axes = plt.subplots(2, 3, figsize=(9, 5), layout="constrained")
    last = board.groupby(["claim", "model_version"])["commit"].transform("last")
    latest_runs = board[board["commit"] == last]
    for panel, claim in zip(axes.flat, FOLLOWED, strict=True):
        rows = latest_runs[latest_runs["claim"] == claim]
        means = rows.groupby("model_version")["value"].mean()
        panel.plot(means.index, means, color=OURS)
        panel.plot(rows["model_version"], rows["value"], "o", color=OURS, alpha=0.6)
        panel.set_title(claim.replace(": ", "\n", 1), fontsize=9)
        panel.set_xticks(sorted(board["model_version"].unique()))
        panel.margins(y=0.25)
        panel.spines[["top", "right"]].set_visible(False)
    figure.supxlabel("version of the model")


def _bars(panel: Axes, values: pd.Series, *, title: str) -> None:
    """Draw one bar per method, best on top."""
    values = values.sort_values()
    colours = [OURS if str(name).startswith("HZAU") else OTHERS for name in values.index]
    panel.barh([str(name) for name in values.index], values, color=colours)
    for at, value in enumerate(values):
        panel.text(value, at, f" {value:.3f}", va="center", fontsize=8)
    panel.set_title(title, fontsize=10)
    panel.margins(x=0.15)
    panel.spines[["top", "right"]].set_visible(False)


def integration(results: Path) -> None:
    """Draw the total of scib-metrics of two tasks."""
    table = latest(results, "integration_a-b-c-d_*.csv")
    table = table[(table["metric"] == "total") & table["value"].notna()]
    means = table.groupby(["task", "method"])["value"].mean()
    titles = {"a": "a: mosaic of PBMCs", "b": "b: two batches, paired"}
    _, axes = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
    for panel, (task, title) in zip(axes, titles.items(), strict=True):
        _bars(panel, means[task], title=f"{title} (total)")


def mapping(results: Path) -> None:
    """Draw the accuracy of labels of new cells, for each task and form of the query."""
    ours, peers = (latest(results, f"mapping_{who}_*.csv") for who in ("ours", "peers"))
    table = pd.concat([ours[ours["method"] == "HZAU-VAE"], peers])
    table = table[(table["metric"] == "accuracy") & table["value"].notna()]
    means = table.groupby(["task", "form", "method"], sort=False)["value"].mean().unstack("method")
    names = [f"{task}: {form}" for task, form in means.index]
    figure, panel = plt.subplots(figsize=(9, 4.2), layout="constrained")
    for method, mark, colour in zip(means.columns, "osD^vP", COLOURS, strict=False):
        size = 9 if str(method).startswith("HZAU") else 6
        at = range(len(names))
        panel.plot(means[method], at, mark, label=method, color=colour, markersize=size)
    panel.set_yticks(range(len(names)), names)
    panel.invert_yaxis()
    panel.grid(axis="x", alpha=0.3)
    panel.set_xlabel("accuracy of labels")
    panel.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=3, fontsize=8, frameon=False)


def differential(results: Path) -> None:
    """Draw power and false discoveries for genes that were changed on purpose."""
    table = latest(results, "differential_*.csv")
    table = table[(table["task"] == "truth-cells") & (table["design"] == "halves")]
    wide = table.pivot_table(index="method", columns="metric", values="mean")
    _, axes = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained", sharey=True)
    order = wide["power"].sort_values().index
    for panel, metric in zip(axes, ("power", "false discoveries"), strict=True):
        colours = [OURS if name.startswith("HZAU") else OTHERS for name in order]
        panel.barh(order, wide.loc[order, metric], color=colours)
        panel.set_title(metric, fontsize=10)
        panel.spines[["top", "right"]].set_visible(False)
    axes[1].axvline(0.05, color="#b35900", linestyle="--")
    axes[1].set_xlim(0, 0.1)


def speed(results: Path) -> None:
    """Draw cells per second beside totalVI, with the lowest and highest of the repeats."""
    table = latest(results, "speed_citeseq-pbmc10k-totalvi_*Z.csv")
    _figure, panel = plt.subplots(figsize=(7, 2.8), layout="constrained")
    table = table[table["method"].isin(["hzau-vae", "totalvi"])].reset_index(drop=True)
    names = {"hzau-vae": "HZAU-VAE", "totalvi": "totalVI"}
    labels = [f"{names[row.method]}, batch size {row.batch_size}" for row in table.itertuples()]
    middle = table["cells_per_s"]
    errors = [middle - table["cells_per_s_lowest"], table["cells_per_s_highest"] - middle]
    colours = [OURS if name == "hzau-vae" else OTHERS for name in table["method"]]
    panel.barh(labels, middle, xerr=errors, color=colours)
    panel.invert_yaxis()
    panel.set_xlabel("cells per second of train(), two processor cores")
    panel.spines[["top", "right"]].set_visible(False)
