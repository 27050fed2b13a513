"""Calibration of reliability on calibration cells."""

import logging
import math
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from hzau_omics.data import CellStore
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.session import evaluating
from hzau_omics.model.training.trained import Trained
from hzau_omics.nn.config import PRIOR_FAILED
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.reliability.corruption import Corruptor
from hzau_omics.nn.reliability.evidence import Evidence
from hzau_omics.nn.reliability.log_odds import LogOdds
from hzau_omics.nn.scoring.measurements import MeasurementScores

MIN_CELLS, MAX_CELLS, MAX_REFERENCE = 25, 1000, 10_000
BATCH_SIZE = 256
PENALTY = 100.0

logger = logging.getLogger(__name__)

type _Indicators = NDArray[np.float64]


def reset(network: MultimodalVAE) -> dict[str, Any]:
    """Reset the calibration; the heads stay."""
    network.reliability.reset()
    return {}


def calibrate(trained: Trained) -> dict[str, Any]:
    """Fit null distributions, and calibrate the log odds of reliability.

    Two logistic regressions separate calibration cells from the same cells with failed
    measurements, weighted as if a tenth had failed. The first, for each kind of corruption, is on
    the indicators of known kinds; the second (Platt scaling) is on the log odds that these and all
    other evidence give. At most 1,000 cells are corrupted, and at most 10,000 make up the null
    distributions. A modality that fewer than 25 cells have keeps its log odds.
    """
    network, store, corruptor = trained.network, trained.store, trained.corruptor
    model = network.reliability
    model.reset()
    model.ambient.set(corruptor.profiles)
    drawn = np.random.default_rng(trained.seed).permutation(trained.calibration)[:MAX_REFERENCE]
    reference, chosen = np.sort(drawn), np.sort(drawn[:MAX_CELLS])
    if not len(chosen):
        return {}
    with torch.random.fork_rng(), evaluating(network):
        torch.manual_seed(trained.seed)
        evidence = _gathered(network, _minibatches(store, reference))
        model.fit_null_distributions(evidence)
        if not model.heads_are_trained:
            return {}
        failures: dict[int, _Failed] = {}
        for m, name in enumerate(network.modalities):
            cells_with = chosen[store.present[chosen, m]]
            if len(cells_with) >= MIN_CELLS:
                failures[m] = _failed(network, _minibatches(store, cells_with), corruptor, m)
            else:
                logger.warning(
                    "Reliability of %s is not calibrated: %d calibration cells have it, and %d are "
                    "needed.", name, len(cells_with), MIN_CELLS,
                )  # fmt: skip
        # Good cells are compared with the same cells after corruption.
        same = torch.from_numpy(np.isin(reference, chosen)).to(evidence.batch.device)
        evidence = Evidence(*(part[same] for part in evidence))
        good = model.indicators(evidence)
        for m, failed in failures.items():
            bad = model.indicators(failed.evidence)
            _fit_odds(model.known_kinds, m, good[:, m], bad[:, m], failed.kind)
        # The fit of one modality also counts in the log odds of the others.
        good = model.log_odds(evidence).unsqueeze(-1)
        scores = {m: model.log_odds(failed.evidence) for m, failed in failures.items()}
        for m, score in scores.items():
            bad = score[:, m].unsqueeze(-1)
            _fit_odds(model.calibrated, m, good[:, m], bad, torch.zeros(len(bad), dtype=torch.long))
        model.is_calibrated.fill_(True)  # noqa: FBT003
    return {}


def _minibatches(store: CellStore, cells: NDArray[np.int64]) -> Iterator[Minibatch]:
    return store.minibatches(cells, BATCH_SIZE)


def _gathered(network: MultimodalVAE, batches: Iterable[Minibatch]) -> Evidence:
    device = network.reliability.is_calibrated.device
    parts = [MeasurementScores(network, batch.to(device)).evidence for batch in batches]
    return Evidence(*(torch.cat(part) for part in zip(*parts, strict=True)))


class _Failed(NamedTuple):
    """Evidence of cells with failed measurements of one modality, and the kind of corruption."""

    evidence: Evidence
    kind: Tensor


def _failed(
    network: MultimodalVAE, batches: Iterable[Minibatch], corruptor: Corruptor, modality: int
) -> _Failed:
    corrupted = [corruptor.fail(batch, modality) for batch in batches]
    evidence = _gathered(network, (cells.batch for cells in corrupted))
    return _Failed(evidence, torch.cat([cells.kind for cells in corrupted]))


def _fit_odds(odds: LogOdds, modality: int, good: Tensor, bad: Tensor, kind: Tensor) -> None:
    """Fit the weights of indicators (cell, indicator), with a tenth of failures as prior.

    `kind` (bad cell) numbers the kinds of corruption; each has weights of its own.
    """
    good, bad = good.cpu(), bad.cpu()
    good = good[good[:, 0].isfinite()]
    typical = good.nanmedian(0).values.nan_to_num(nan=0.0)
    good, bad = (torch.where(x.isnan(), typical, x).double() for x in (good, bad))
    odds.typical[modality] = typical
    odds.bias[modality] = torch.inf
    for k in range(odds.bias.shape[1]):
        failed = bad[kind == k].numpy()
        if not len(failed):
            continue
        share = PRIOR_FAILED * len(failed) / len(bad)
        weight, bias = _logistic(good.numpy(), failed, share)
        odds.weight[modality, k] = torch.from_numpy(weight)
        odds.bias[modality, k] = bias


def _logistic(good: _Indicators, bad: _Indicators, prior: float) -> tuple[_Indicators, float]:
    """Return weights and bias of the log odds of good against bad, given the prior of bad ones."""
    x = np.concatenate([good, bad])
    failed = np.repeat([False, True], [len(good), len(bad)])
    weight = np.where(failed, prior * len(good) / len(bad), 1 - PRIOR_FAILED)
    coefficient, intercept = np.zeros(x.shape[1]), math.log((1 - PRIOR_FAILED) / prior)
    spread = x.std(0)
    used = np.flatnonzero(spread > 0)
    while used.size:
        scaled = x[:, used] / spread[used]
        fitted = LogisticRegression(C=PENALTY).fit(scaled, ~failed, sample_weight=weight)
        if (fitted.coef_[0] > 0).all():
            coefficient[used] = fitted.coef_[0] / spread[used]
            intercept = float(fitted.intercept_[0])
            break
        # Higher indicators mean better measurements: one with the other sign is left out. If none
        # remains, the prior does.
        used = used[fitted.coef_[0] > 0]
    return coefficient, intercept
