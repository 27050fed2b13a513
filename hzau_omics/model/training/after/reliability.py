"""Teaching a judge of measurements what failed ones look like, and calibrating what it says."""

import logging
import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from hzau_omics.data import CellStore
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.session import evaluating
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.reliability.corruption import Corruptor, MeanProfile
from hzau_omics.nn.reliability.evidence import Evidence
from hzau_omics.nn.reliability.head import PRIOR_FAILED, reliability_loss
from hzau_omics.nn.reliability.model import LogOdds
from hzau_omics.nn.scoring.measurements import gather_evidence

MIN_CELLS, MAX_CELLS, MAX_REFERENCE = 25, 1000, 10_000
PROFILE_CELLS, RUN = 10_000, 16
BATCH_SIZE = 256
TEACHING_STEPS, TEACHING_CELLS, TEACHING_RATE = 600, 128, 3e-3
PENALTY = 100.0

logger = logging.getLogger(__name__)

type _Signs = NDArray[np.float64]


def make_corruptor(
    store: CellStore, cells: NDArray[np.int64], share: float, seed: int
) -> Corruptor:
    """Return what draws failed measurements like those of the cells."""
    rng = np.random.default_rng(seed)
    profiles = {}
    for m, name in enumerate(store.layout.names):
        having = cells[store.present[cells, m]]
        profile = MeanProfile(store.layout.n_batches, store.layout.modalities[m].n_features)
        for batch in store.minibatches(_some_runs(having, rng), BATCH_SIZE):
            profile.add(batch, name)
        profiles[name] = profile.mean()
    likelihoods = {m.name: m.spec.likelihood for m in store.layout.modalities}
    texts = [m.name for m in store.layout.modalities if m.text is not None]
    return Corruptor(share, likelihoods, profiles, texts=texts)


def _some_runs(cells: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return runs of cells that lie side by side, at most 10,000 cells: quick to read from disk."""
    if len(cells) <= PROFILE_CELLS:
        return cells
    starts = np.sort(rng.permutation(len(cells) // RUN)[: PROFILE_CELLS // RUN]) * RUN
    places = (starts[:, None] + np.arange(RUN)).ravel()
    return np.take(cells, places)


def teach_judge(
    network: MultimodalVAE,
    store: CellStore,
    cells: NDArray[np.int64],
    corruptor: Corruptor,
    *,
    seed: int,
    n_steps: int,
) -> None:
    """Teach the heads of reliability what failed measurements look like, before all else.

    In each of at most 600 steps they see 128 training cells as they are, and with each modality
    failed. They judge measurements, not latents: nothing of the network is needed for that, and the
    gate can rely on them from its first step on. The network is in training mode. Where a call was
    too short for all steps, the next one goes on; heads that have had them all are left alone.
    """
    judge = network.judge
    taught = int(judge.steps_taught)
    steps = min(TEACHING_STEPS - taught, n_steps)
    if not judge.learns or steps <= 0:
        return
    rng = np.random.default_rng([seed, taught])
    device = judge.steps_taught.device
    judge.heads.requires_grad_(requires_grad=True)
    optimizer = torch.optim.AdamW(judge.heads.parameters(), lr=TEACHING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed + taught)
            for _ in range(steps):
                chosen = rng.choice(cells, min(TEACHING_CELLS, len(cells)), replace=False)
                batch = store.minibatch(np.sort(chosen)).to(device)
                loss = _teaching_loss(network, batch, corruptor)
                if loss is not None:
                    optimizer.zero_grad()
                    loss.backward()  # type: ignore[no-untyped-call]
                    optimizer.step()
                schedule.step()
    finally:
        judge.heads.requires_grad_(requires_grad=False)
    judge.steps_taught += steps


def _teaching_loss(network: MultimodalVAE, batch: Minibatch, corruptor: Corruptor) -> Tensor | None:
    losses = []
    for m in range(len(network.modalities)):
        rows = batch.present_on_host[:, m].nonzero().squeeze(-1)
        if len(rows):
            good = network.judged(batch, m)
            failed = network.judged(corruptor.fail(batch, m, rows).batch, m)
            losses.append(reliability_loss(good[rows.to(good.device)], failed))
    return torch.stack(losses).sum() if losses else None


def calibrate_judge(
    network: MultimodalVAE,
    store: CellStore,
    cells: NDArray[np.int64],
    corruptor: Corruptor,
    seed: int,
) -> None:
    """Learn from validation cells how good ones score, and make log odds those of probabilities.

    Logistic regression of failed or not, over validation cells and the same cells with failed
    measurements, weighted as if a tenth had failed: first, for each kind of failure, on what the
    heads have learned, how foreign a measurement looks and how much was measured, then on this with
    all other evidence (Platt scaling). At most 1,000 cells are made to fail, and at most 10,000
    tell how good ones score. A modality that fewer than 25 cells have keeps its log odds.
    """
    judge = network.judge
    judge.reset()
    judge.profiles.learn(corruptor.profiles)
    drawn = np.random.default_rng(seed).permutation(cells)[:MAX_REFERENCE]
    reference, chosen = np.sort(drawn), np.sort(drawn[:MAX_CELLS])
    if not len(chosen):
        return
    with torch.random.fork_rng(), evaluating(network):
        torch.manual_seed(seed)
        evidence = _gathered(network, _minibatches(store, reference))
        judge.learn_tails(evidence)
        if not judge.is_taught:
            return
        failures: dict[int, _Failed] = {}
        for m, name in enumerate(network.modalities):
            having = chosen[store.present[chosen, m]]
            if len(having) >= MIN_CELLS:
                failures[m] = _failed(network, _minibatches(store, having), corruptor, m)
            else:
                logger.warning(
                    "Reliability of %s is not calibrated: %d validation cells have it, and %d are "
                    "needed.", name, len(having), MIN_CELLS,
                )  # fmt: skip
        # Good cells beside the same ones after failures.
        same = torch.from_numpy(np.isin(reference, chosen)).to(evidence.batch.device)
        evidence = Evidence(*(part[same] for part in evidence))
        good = judge.signs(evidence)
        for m, found in failures.items():
            bad = judge.signs(found.evidence)
            _fit_odds(judge.learned_odds, m, good[:, m], bad[:, m], found.thinned)
        # What is learned of one modality also counts for the others' log odds.
        good = judge.log_odds(evidence).unsqueeze(-1)
        scores = {m: judge.log_odds(found.evidence) for m, found in failures.items()}
        for m, score in scores.items():
            bad = score[:, m].unsqueeze(-1)
            _fit_odds(judge.odds, m, good[:, m], bad, torch.zeros(len(bad), dtype=torch.bool))
        judge.is_trained.fill_(True)  # noqa: FBT003


def _minibatches(store: CellStore, cells: NDArray[np.int64]) -> Iterator[Minibatch]:
    return store.minibatches(cells, BATCH_SIZE)


def _gathered(network: MultimodalVAE, batches: Iterable[Minibatch]) -> Evidence:
    device = network.judge.is_trained.device
    found = [gather_evidence(network, batch.to(device)) for batch in batches]
    return Evidence(*(torch.cat(part) for part in zip(*found, strict=True)))


class _Failed(NamedTuple):
    """What is known of cells with failed measurements of one modality, and how these failed."""

    evidence: Evidence
    thinned: Tensor


def _failed(
    network: MultimodalVAE, batches: Iterable[Minibatch], corruptor: Corruptor, modality: int
) -> _Failed:
    spoilt = [corruptor.fail(batch, modality) for batch in batches]
    evidence = _gathered(network, (found.batch for found in spoilt))
    return _Failed(evidence, torch.cat([found.thinned for found in spoilt]))


def _fit_odds(odds: LogOdds, modality: int, good: Tensor, bad: Tensor, kind: Tensor) -> None:
    """Weigh signs (cell, sign) such that log odds are those of a tenth having failed.

    `kind` (bad cell) tells kinds of failures apart, each of which has weights of its own.
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


def _logistic(good: _Signs, bad: _Signs, prior: float) -> tuple[_Signs, float]:
    """Return weights and bias of the log odds of good against bad, bad ones having a prior."""
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
        # A sign that rises with failures tells nothing; without any, what is left is the prior.
        used = used[fitted.coef_[0] > 0]
    return coefficient, intercept
