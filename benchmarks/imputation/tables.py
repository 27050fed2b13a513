"""Tables of the imputation benchmark."""

from typing import Any

import pandas as pd

from benchmarks.common.data import Split
from benchmarks.common.report import markdown

WIDEST = 40
"""Features up to which the scores of each are printed; the CSV has them in any case."""


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Summarise runs, one row per method, best first.

    The Pearson column has mean and standard deviation over seeds of the mean over features.
    """
    rows = []
    for method, part in runs.groupby("method", sort=False):
        r = part["pearson"]
        spread = f" +- {r.std(ddof=1):.4f}" if len(part) > 1 else ""
        rows.append(
            {
                "method": method,
                "seeds": len(part),
                "Pearson": f"{r.mean():.4f}{spread}",
                **{str(c): float(part[c].mean()) for c in part if str(c).startswith("coverage")},
                "seconds": f"{part['seconds'].mean():.0f}",
                "_order": r.mean(),
            }
        )
    table = pd.DataFrame(rows).sort_values("_order", ascending=False, kind="stable")
    return table.drop(columns="_order").reset_index(drop=True)


def with_versions(runs: pd.DataFrame, record: dict[str, Any]) -> pd.DataFrame:
    """Add device, threads and versions to every row."""
    versions = ";".join(f"{k}={v}" for k, v in record["versions"].items())
    return runs.assign(device=record["device"], threads=record["threads"], versions=versions)


def print_tables(name: str, split: Split, runs: pd.DataFrame, features: pd.DataFrame) -> None:
    """Print all scores of a run on a file."""
    print(
        f"{name}: {split.source} -> {split.target}, {split.train.n_obs} training and "
        f"{split.test.n_obs} held-out cells, {len(split.features)} features\n"
    )
    print(markdown(summarise(runs)))
    print("\nPer run\n")
    print(markdown(runs, digits=4))
    for value in ("pearson", "coverage90"):
        wide = features.pivot_table(index="feature", columns="method", values=value, sort=False)
        if len(wide) <= WIDEST and not wide.empty:
            print(f"\nPer feature: {value}, mean over seeds\n")
            print(markdown(wide.reset_index()))
