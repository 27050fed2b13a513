"""Likelihood-based scores per cell: ELBO, reconstruction error, marginal likelihood."""

import numpy as np
import torch
from numpy.typing import NDArray

from hzau_omics.model.session import InferenceSession, evaluating, make_generator
from hzau_omics.nn.gaussian import kl_to_prior, standard_normal_like


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
            q = session.infer(batch, None)[1].q
            kl[rows] = kl_to_prior(q).cpu().numpy()
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
            q = session.infer(batch, None)[1].q
            prior = standard_normal_like(q.mean)
            bound = torch.full((len(batch),), -torch.inf, dtype=torch.float64)
            for _ in range(n_samples):
                z = q.sample(generator)
                log_joint = network.log_likelihoods(z, batch).nansum(-1) + prior.log_prob(z)
                bound = torch.logaddexp(bound, (log_joint - q.log_prob(z)).double().cpu())
            result[rows] = bound.numpy() - np.log(n_samples)
    return result
