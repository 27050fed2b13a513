"""How far measurements can be trusted and whether they agree: calibrated after training."""

import logging
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from hzau_omics.data import CellStore
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.session import InferenceSession, check_choice, evaluating
from hzau_omics.nn.corruption import Corruptor, mean_profile
from hzau_omics.nn.evidence import Evidence, pairs_of
from hzau_omics.nn.judge import LogOddsScale
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.reliability import PRIOR_FAILED, PRIOR_LOG_ODDS, reliability_loss
from hzau_omics.nn.scoring import gather_evidence, pair_agreement

MIN_CELLS, MAX_CELLS = 50, 1000
PROFILE_CELLS = 2000
BATCH_SIZE = 256
TEACHING_STEPS, TEACHING_CELLS, TEACHING_RATE = 600, 128, 3e-3
PENALTY = 100.0

logger = logging.getLogger(__name__)
AGREEMENT_KINDS = ("score", "pvalue")


def make_corruptor(
    store: CellStore, cells: NDArray[np.int64], share: float, seed: int
) -> Corruptor:
    """Return what draws failed measurements like those of the cells."""
    rng = np.random.default_rng(seed)
    profiles = {}
    for m, name in enumerate(store.layout.names):
        having = cells[store.present[cells, m]]
        batch = store.minibatch(np.sort(rng.permutation(having)[:PROFILE_CELLS]))
        profiles[name] = mean_profile(batch, name, store.layout.n_batches)
    likelihoods = {m.name: m.spec.likelihood for m in store.layout.modalities}
    return Corruptor(share, likelihoods, profiles)


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
    gate can rely on them from its first step on. Heads that have been taught are left alone.
    """
    judge = network.judge
    if not judge.learns or judge.is_taught:
        return
    rng = np.random.default_rng(seed)
    device = judge.is_taught.device
    judge.heads.requires_grad_(requires_grad=True)
    judge.train()
    steps = min(TEACHING_STEPS, n_steps)
    optimizer = torch.optim.AdamW(judge.heads.parameters(), lr=TEACHING_RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for _ in range(steps):
            chosen = rng.choice(cells, min(TEACHING_CELLS, len(cells)), replace=False)
            batch = store.minibatch(np.sort(chosen)).to(device)
            loss = _teaching_loss(network, batch, corruptor)
            if loss is not None:
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            schedule.step()
    judge.heads.requires_grad_(requires_grad=False)
    judge.is_taught.fill_(True)  # noqa: FBT003


def _teaching_loss(network: MultimodalVAE, batch: Minibatch, corruptor: Corruptor) -> Tensor | None:
    good = network.judged(batch)
    losses = []
    for m in range(len(network.modalities)):
        rows = batch.present_on_host[:, m].nonzero().squeeze(-1)
        if len(rows):
            failed = network.judged_one(corruptor.fail(batch, m, rows), m)
            losses.append(reliability_loss(good[rows.to(good.device), m], failed))
    return torch.stack(losses).sum() if losses else None


def calibrate_judge(
    network: MultimodalVAE,
    store: CellStore,
    cells: NDArray[np.int64],
    corruptor: Corruptor,
    seed: int,
) -> None:
    """Learn from validation cells how good ones score, and make log odds those of probabilities.

    Platt scaling (logistic regression of failed or not on the log odds) of validation cells and of
    the same cells with failed measurements, weighted as if a tenth had failed: first what the heads
    have learned, then with all other evidence. A modality that fewer than 50 cells have keeps its
    log odds.
    """
    judge = network.judge
    judge.reset()
    chosen = np.sort(np.random.default_rng(seed).permutation(cells)[:MAX_CELLS])
    if not len(chosen):
        return
    with torch.random.fork_rng(), evaluating(network):
        torch.manual_seed(seed)
        learned, evidence = _judged(network, _minibatches(store, chosen))
        judge.learn_tails(evidence)
        if not judge.is_taught:
            return
        failures = {}
        for m, name in enumerate(network.modalities):
            having = chosen[store.present[chosen, m]]
            if len(having) >= MIN_CELLS:
                spoilt = (corruptor.fail(batch, m) for batch in _minibatches(store, having))
                failures[m] = _judged(network, spoilt)
            else:
                logger.warning(
                    "Reliability of %s is not calibrated: %d validation cells have it, and %d are "
                    "needed.", name, len(having), MIN_CELLS,
                )  # fmt: skip
        for m, (bad, _) in failures.items():
            _platt(judge.learned_scale, m, learned[:, m], bad[:, m])
        # What is learned of one modality also counts for the others' log odds.
        good = judge.log_odds(learned, evidence)
        scaled = {m: judge.log_odds(*found)[:, m] for m, found in failures.items()}
        for m, bad in scaled.items():
            _platt(judge.scale, m, good[:, m], bad)
        judge.is_trained.fill_(True)  # noqa: FBT003


def _minibatches(store: CellStore, cells: NDArray[np.int64]) -> Iterator[Minibatch]:
    return store.minibatches(cells, BATCH_SIZE)


def _judged(network: MultimodalVAE, batches: Iterable[Minibatch]) -> tuple[Tensor, Evidence]:
    """Return what the heads say (NaN without, and where absent), and all evidence."""
    device = network.judge.is_trained.device
    learned, found = [], []
    for batch in batches:
        here = batch.to(device)
        found.append(gather_evidence(network, here))
        logit = torch.full(here.present.shape, torch.nan, device=device)
        if network.judge.learns:
            logit = torch.where(here.present, network.judged(here), logit)
        learned.append(logit)
    return torch.cat(learned), Evidence(*(torch.cat(part) for part in zip(*found, strict=True)))


def _platt(scale: LogOddsScale, modality: int, good: Tensor, bad: Tensor) -> None:
    """Set shift and scale such that log odds are those of a tenth having failed."""
    good, bad = (logit[logit.isfinite()].cpu() for logit in (good, bad))
    sizes = [len(good), len(bad)]
    weight = np.repeat([1 - PRIOR_FAILED, PRIOR_FAILED * len(good) / len(bad)], sizes)
    fitted = LogisticRegression(C=PENALTY).fit(
        torch.cat([good, bad])[:, None].numpy(),
        np.repeat([1, 0], sizes),
        sample_weight=weight,
    )
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    if slope <= 0:
        # Log odds that rise with failures tell nothing: what is left is the prior.
        slope, intercept = 0.0, PRIOR_LOG_ODDS
    scale.scale[modality], scale.shift[modality] = slope, intercept


def reliability(session: InferenceSession) -> pd.DataFrame:
    """Return the probability that each measurement can be trusted, NaN where there is none."""
    network = session.network
    if not network.judge.learns:
        msg = (
            "Reliability is judged beside the gate of HZAU-VAE, which this model does not have. "
            "Take HZAUVAE with pool='gate'."
        )
        raise ConfigError(msg)
    if not network.judge.is_trained:
        msg = (
            "This model has seen no failed measurements, and cannot judge any. Train it with "
            "plan_kwargs={'corruption': 0.1} (the default), and with validation cells."
        )
        raise ConfigError(msg)
    values = np.full((len(session), len(network.modalities)), np.nan, np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            learned, evidence = _judged(network, [batch])
            values[rows] = torch.sigmoid(network.judge.log_odds(learned, evidence)).cpu().numpy()
    return pd.DataFrame(values, index=session.obs_names, columns=list(network.modalities))


def agreement(session: InferenceSession, *, kind: str) -> pd.DataFrame:
    """Return how little each pair of modalities agrees, or how rare that is; NaN where absent."""
    check_choice("kind", kind, AGREEMENT_KINDS)
    network = session.network
    names = network.modalities
    pairs = pairs_of(len(names))
    if not pairs:
        msg = f"Agreement needs two modalities. This model has {names[0]} only."
        raise ConfigError(msg)
    values = np.full((len(session), len(pairs)), np.nan, np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            values[rows] = pair_agreement(network, batch).cpu().numpy()
    columns = [f"{names[a]}|{names[b]}" for a, b in pairs]
    both = [session.store.present[session.cells][:, pair].all(-1).any() for pair in pairs]
    if any(both) and np.isnan(values).all():
        msg = (
            f"Agreement compares posteriors of one modality each. This model infers from "
            f"{', '.join(network.family.names)} only. Take a system with an expert for each "
            "modality, such as HZAUVAE or MVAE."
        )
        raise ConfigError(msg)
    if kind == "score":
        return pd.DataFrame(-values, index=session.obs_names, columns=columns)
    if not network.judge.agreement.is_fitted.any():
        msg = (
            "p-values compare with validation cells that have both modalities, at least 50. This "
            "model has none. Train with train_size < 1, or take kind='score'."
        )
        raise ConfigError(msg)
    with torch.inference_mode():
        p = network.judge.agreement_p_value(torch.from_numpy(values).to(session.device))
    return pd.DataFrame(p.cpu().numpy(), index=session.obs_names, columns=columns)
