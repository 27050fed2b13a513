"""Whether intervals hold what they say: by feature, by cell type, after failures, of latents."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from mudata import MuData
from scipy.stats import norm, spearmanr

from benchmarks.common.scores import LEVELS, coverages
from benchmarks.common.task import Task
from hzau_omics.data import MosaicStore
from hzau_omics.metrics import interval_coverage
from hzau_omics.nn.scoring.measurements import single_posteriors

MOST_FEATURES = 5000
FEWEST_CELLS = 20
QUANTILES = (("lowest", 0.0), ("5 %", 0.05), ("median", 0.5), ("95 %", 0.95), ("highest", 1.0))
BINS = np.linspace(0, 1, 11)
PRIOR = 0.1


def imputed_coverage(
    model: Any, task: Task, corrupted: Mapping[tuple[str, str], MuData]
) -> list[dict[str, Any]]:
    """Return the coverage of imputed values, of all and of each feature and cell type.

    `corrupted` holds the test cells after failures, by the failed modality and the kind.
    """
    rows = []
    names = list(task.modalities)
    for target, given in zip(names, names[::-1], strict=True):
        wide = task.test[target].n_vars > MOST_FEATURES
        if wide or task.modalities[target] not in {"nb", "bernoulli"}:
            continue
        pit = model.get_pit(target, task.test, given=given, n_samples=50, seed=0)
        base = {"target": target, "given": given}
        rows.append({**base, "of": "all", **coverages(pit)})
        rows += [{**base, **row} for row in (*_by_feature(pit), *_by_type(pit, task))]
        for (failed, kind), mdata in corrupted.items():
            if failed == given:
                # What was measured is as before: only what it is inferred from has failed.
                pit = model.get_pit(target, mdata, given=given, n_samples=50, seed=0)
                rows.append({**base, "of": f"after {kind}", **coverages(pit)})
    return rows


def _by_feature(pit: pd.DataFrame) -> list[dict[str, Any]]:
    """Return quantiles over features of the coverage of each level."""
    found = {f"coverage{100 * v:.0f}": interval_coverage(pit, v).per_feature for v in LEVELS}
    return [
        {"of": f"features, {name}"} | {k: float(np.nanquantile(v, q)) for k, v in found.items()}
        for name, q in QUANTILES
    ]


def _by_type(pit: pd.DataFrame, task: Task) -> list[dict[str, Any]]:
    labels = task.labels(task.test)
    kinds, sizes = np.unique(labels[labels != ""], return_counts=True)
    return [
        {"of": str(kind), **coverages(pit.to_numpy()[labels == kind])}
        for kind in kinds[sizes >= FEWEST_CELLS]
    ]


def latent_coverage(model: Any, task: Task) -> list[dict[str, Any]]:
    """Return how many draws of the full posterior lie in intervals of each modality's own."""
    network = model.module
    store = MosaicStore(task.test, model.layout)
    device = next(network.parameters()).device
    torch.manual_seed(0)
    pits = []
    with torch.inference_mode():
        for batch in store.minibatches(np.arange(store.n_cells), 256):
            here = batch.to(device)
            encoded = network.encode(here)
            z = network.infer(encoded, here.present).q.sample()
            q, known = single_posteriors(network, here, encoded)
            pit = norm.cdf(((z - q.mean) * (-0.5 * q.logvar).exp()).cpu().numpy())
            pits.append(np.where(known.cpu().numpy()[..., None], pit, np.nan))
    return [
        {"target": "latent, all modalities", "given": name, "of": "all", **coverages(pit)}
        for name, pit in zip(network.modalities, np.concatenate(pits, axis=1), strict=True)
        if np.isfinite(pit).any()
    ]


def calibration_error(good: np.ndarray, bad: Sequence[np.ndarray]) -> float:
    """Return the expected calibration error of reliabilities, a tenth having failed.

    `bad` are those of measurements that have failed, each kind counting the same.
    """
    values, truth, weight = _weighted(good, bad)
    which = np.digitize(values, BINS[1:-1])
    error = 0.0
    for b in np.unique(which):
        chosen = which == b
        error += abs((weight[chosen] * (values[chosen] - truth[chosen])).sum())
    return float(error)


def brier_score(good: np.ndarray, bad: Sequence[np.ndarray]) -> float:
    """Return the mean squared error of reliabilities of the same measurements.

    Lower is better; saying 0.9 of each has 0.09, and its calibration error is 0.
    """
    values, truth, weight = _weighted(good, bad)
    return float((weight * (values - truth) ** 2).sum())


def _weighted(
    good: np.ndarray, bad: Sequence[np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return reliabilities, whether they are of good measurements, and how much each counts."""
    truth = np.repeat([1.0, 0.0], [len(good), sum(map(len, bad))])
    shares = [np.full(len(good), (1 - PRIOR) / len(good))]
    shares += [np.full(len(part), PRIOR / len(bad) / len(part)) for part in bad]
    return np.concatenate([good, *bad]), truth, np.concatenate(shares)


def depth_correlation(
    weight: np.ndarray, total: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    """Return the rank correlation of weights and totals: of all cells, and mean within types."""
    kinds, sizes = np.unique(labels[labels != ""], return_counts=True)
    within = [
        spearmanr(weight[labels == kind], total[labels == kind]).statistic
        for kind in kinds[sizes >= FEWEST_CELLS]
    ]
    return float(spearmanr(weight, total).statistic), float(np.mean(within)) if within else np.nan
