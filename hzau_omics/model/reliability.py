"""How far measurements can be trusted and whether they agree: calibrated after training."""

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
from hzau_omics.nn.corruption import Corruptor, mean_profiles
from hzau_omics.nn.evidence import Evidence, pairs_of
from hzau_omics.nn.judge import LogOddsScale
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.scoring import gather_evidence, pair_agreement

PRIOR_FAILED = 0.1
"""Share of failed measurements that the probability supposes."""

MIN_CELLS, MAX_CELLS = 50, 1000
PROFILE_CELLS = 2000
BATCH_SIZE = 256
PENALTY = 100.0
AGREEMENT_KINDS = ("score", "pvalue")


def make_corruptor(
    store: CellStore, cells: NDArray[np.int64], share: float, seed: int
) -> Corruptor | None:
    """Return what draws failed measurements like those of the cells; None for a share of 0."""
    if not share:
        return None
    rng = np.random.default_rng(seed)
    batches = []
    for m in range(len(store.layout.names)):
        having = cells[store.present[cells, m]]
        batches.append(store.minibatch(np.sort(rng.permutation(having)[:PROFILE_CELLS])))
    profiles = mean_profiles(batches, store.layout.names, store.layout.n_batches)
    likelihoods = {m.name: m.spec.likelihood for m in store.layout.modalities}
    return Corruptor(share, likelihoods, profiles)


def calibrate_judge(
    network: MultimodalVAE,
    store: CellStore,
    cells: NDArray[np.int64],
    corruptor: Corruptor | None,
    seed: int,
) -> None:
    """Learn from validation cells how good ones score, and make log odds those of probabilities.

    Platt scaling (logistic regression of failed or not on the log odds) of validation cells and of
    the same cells with failed measurements, weighted as if a tenth had failed: first what the heads
    have learned, then with all other evidence. A modality that fewer than 50 cells have keeps its
    log odds.
    """
    judge = network.judge
    chosen = np.sort(np.random.default_rng(seed).permutation(cells)[:MAX_CELLS])
    if not len(chosen):
        return
    with torch.random.fork_rng(), evaluating(network):
        torch.manual_seed(seed)
        learned, evidence = _judged(network, _minibatches(store, chosen))
        judge.learn_tails(evidence)
        if corruptor is None or not judge.learns:
            return
        judge.reset()
        failures = {}
        for m in range(store.present.shape[1]):
            having = chosen[store.present[chosen, m]]
            if len(having) >= MIN_CELLS:
                spoilt = (corruptor.fail(batch, m) for batch in _minibatches(store, having))
                failures[m] = _judged(network, spoilt)
        for m, (bad, _) in failures.items():
            _platt(judge.learned_scale, m, learned[:, m], bad[:, m])
        # What is learned of one modality also counts for the others' log odds.
        good = judge.log_odds(learned, evidence)
        scaled = {m: judge.log_odds(*found)[:, m] for m, found in failures.items()}
        for m, bad in scaled.items():
            _platt(judge.scale, m, good[:, m], bad)


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
    scale.shift[modality] = float(fitted.intercept_[0])
    # A score that sinks with failures would have to be turned round: then nothing was learned.
    scale.scale[modality] = max(float(fitted.coef_[0, 0]), 0.0)


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
    if kind == "pvalue" and not network.judge.agreement.is_fitted.any():
        msg = (
            "p-values compare with validation cells that have both modalities, at least 50. This "
            "model has none. Train with train_size < 1, or take kind='score'."
        )
        raise ConfigError(msg)
    values = np.full((len(session), len(pairs)), np.nan, np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            found = pair_agreement(network, batch)
            found = -found if kind == "score" else network.judge.agreement_p_value(found)
            values[rows] = found.cpu().numpy()
    columns = [f"{names[a]}|{names[b]}" for a, b in pairs]
    both = [session.store.present[session.cells][:, pair].all(-1).any() for pair in pairs]
    if any(both) and np.isnan(values).all():
        msg = (
            f"Agreement compares posteriors of one modality each. This model infers from "
            f"{', '.join(network.family.names)} only. Take a system with an expert for each "
            "modality, such as HZAUVAE or MVAE."
        )
        raise ConfigError(msg)
    return pd.DataFrame(values, index=session.obs_names, columns=columns)
