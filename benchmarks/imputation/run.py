"""Every method on the same held-out cells, seed by seed."""

import logging
import time
from collections.abc import Sequence
from typing import Any

import pandas as pd

from benchmarks.common.data import Split
from benchmarks.imputation.methods import METHODS, OURS, RunOptions
from benchmarks.imputation.scores import score

_logger = logging.getLogger("benchmarks")


def run_method(
    name: str, split: Split, seeds: Sequence[int], options: RunOptions
) -> tuple[list[dict[str, Any]], list[pd.DataFrame], list[dict[str, Any]]]:
    """Run one method for each seed: rows of scores, tables per feature, and records."""
    rows, features, records = [], [], []
    for seed in seeds:
        start = time.perf_counter()
        predictions = METHODS[name](split, seed, options)
        seconds = time.perf_counter() - start
        for label, prediction in predictions.items():
            table = score(prediction, split.test_y, split.features)
            means = table.drop(columns="feature").mean()
            rows.append({"method": label, "seed": seed, **means, "seconds": seconds})
            features.append(table.assign(method=label, seed=seed))
            records.append({"method": label, "seed": seed, "seconds": seconds, **prediction.info})
            _logger.info(
                "%s, seed %d: Pearson %.4f, %.0f s", label, seed, means["pearson"], seconds
            )
    return rows, features, records


def run_all(
    split: Split, methods: Sequence[str], *, seeds: int, against_seeds: int, options: RunOptions
) -> tuple[pd.DataFrame, pd.DataFrame, list[dict[str, Any]]]:
    """Run the methods: one table per run and seed, one per feature, and the records."""
    n_seeds = {OURS: seeds, "mlp": against_seeds, "totalvi": against_seeds}
    rows: list[dict[str, Any]] = []
    features: list[pd.DataFrame] = []
    records: list[dict[str, Any]] = []
    for name in methods:
        _logger.info("running %s", name)
        found = run_method(name, split, range(n_seeds.get(name, 1)), options)
        rows += found[0]
        features += found[1]
        records += found[2]
    return pd.DataFrame(rows), pd.concat(features, ignore_index=True), records
