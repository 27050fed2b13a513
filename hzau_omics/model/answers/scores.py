"""Likelihood-based scores per cell: ELBO, reconstruction error, marginal likelihood."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from hzau_omics.model.answers.session import InferenceSession, evaluating, make_generator
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, kl_from, standard_normal_like

Target = Literal["marginal", "joint", "conditional"]
Proposal = Literal["given", "all"]

MAX_ENTRIES = 2**24
"""Entries (draw, cell, feature) that are decoded at a time."""


def elbo_terms(
    session: InferenceSession, *, n_samples: int, seed: int | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return KL (cell,) and log p(x_m | z) (cell, modality) in nats; NaN where absent."""
    n_modalities = len(session.layout.names)
    kl = np.zeros(len(session), np.float32)
    log_prob = np.zeros((len(session), n_modalities), np.float32)
    generator = make_generator(seed, session.device)
    network = session.network
    with evaluating(network):
        for rows, batch in session.minibatches():
            encoded, posterior = session.infer(batch, None)
            q = posterior.q
            kl[rows] = kl_from(q, network.prior(encoded)).cpu().numpy()
            for _ in range(n_samples):
                found = network.log_likelihoods(q.sample(generator), batch)
                log_prob[rows] += found.cpu().numpy() / n_samples
    return kl, log_prob


def marginal_log_likelihood(
    session: InferenceSession, *, n_samples: int, seed: int | None
) -> NDArray[np.float64]:
    """Importance-weighted bound on log p(x) per cell, in nats (higher is better)."""
    result = np.zeros(len(session))
    generator = make_generator(seed, session.device)
    network = session.network
    with evaluating(network):
        for rows, batch in session.minibatches():
            encoded, posterior = session.infer(batch, None)
            q = posterior.q
            prior = network.prior(encoded) or standard_normal_like(q.mean)
            bound = torch.full((len(batch),), -torch.inf, dtype=torch.float64)
            for _ in range(n_samples):
                z = q.sample(generator)
                log_prob = network.log_likelihoods(z, batch)
                log_joint = log_prob.nansum(-1) + prior.log_prob(z)
                # Nothing that the system generates: nothing to score.
                log_joint = torch.where(log_prob.isnan().all(-1), torch.nan, log_joint)
                bound = torch.logaddexp(bound, (log_joint - q.log_prob(z)).double().cpu())
            result[rows] = bound.numpy() - np.log(n_samples)
    return result


def log_importance_weights(
    session: InferenceSession,
    *,
    given: Sequence[str],
    target: Target,
    proposal: Proposal,
    n_samples: int,
    seed: int | None,
) -> NDArray[np.float64]:
    """Return log importance weights (draw, cell) in nats.

    See :meth:`~hzau_omics.model.answers.results.MultimodalModel.get_log_importance_weights`.
    """
    names = session.layout.names
    first = [names.index(name) for name in given]
    rest = [m for m in range(len(names)) if m not in first]
    decoded = first if target == "marginal" else [*first, *rest]
    result = np.full((n_samples, len(session)), np.nan)
    generator = make_generator(seed, session.device)
    network = session.network
    # A conditional model draws from q(z | x_1, x_2), and its prior is p(z | x_2).
    conditioned = bool(network.config.condition)
    widest = max(network.config.modalities[m].n_features for m in decoded)
    with evaluating(network):
        for rows, batch in session.minibatches():
            from_all = conditioned or proposal == "all"
            encoded, posterior = session.infer(batch, None if from_all else given)
            q = posterior.q
            prior = network.prior(encoded) or standard_normal_like(q.mean)
            scored = first if conditioned else decoded
            if target == "conditional" and not conditioned:
                prior = session.infer(batch, [names[m] for m in rest])[1].q
                scored = first
            usable = batch.present[:, first].any(-1)
            if target != "marginal":
                usable &= batch.present[:, rest].any(-1)
            size = max(1, MAX_ENTRIES // (len(batch) * widest))
            for start in range(0, n_samples, size):
                n_draws = min(size, n_samples - start)
                repeated = DiagonalGaussian(*(part.expand(n_draws, -1, -1) for part in q))
                z = repeated.sample(generator)
                log_weight = network.log_likelihoods(z, batch, scored).nansum(-1)
                log_weight = log_weight + prior.log_prob(z) - q.log_prob(z)
                log_weight = torch.where(usable, log_weight, torch.nan)
                result[start : start + n_draws, rows] = log_weight.double().cpu().numpy()
    return result
