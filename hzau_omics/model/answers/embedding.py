"""Latent embeddings and gate weights of cells."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from hzau_omics.model.answers.session import InferenceSession, evaluating, make_generator


def embed(
    session: InferenceSession, given: Sequence[str] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and variance of the pooled posterior, each of shape (cell, latent)."""
    shape = (len(session), session.network.config.n_latent)
    mean, variance = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    with evaluating(session.network):
        for rows, batch in session.minibatches():
            q = session.infer(batch, given)[1].q
            mean[rows] = q.mean.cpu().numpy()
            variance[rows] = q.variance.cpu().numpy()
    return mean, variance


def sample_latent(
    mean: NDArray[np.float32], variance: NDArray[np.float32], seed: int | None
) -> NDArray[np.float32]:
    """Draw one latent per cell."""
    generator = make_generator(seed, torch.device("cpu"))
    noise = torch.randn(mean.shape, generator=generator).numpy()
    return np.asarray(mean + np.sqrt(variance) * noise, dtype=np.float32)


def gate_weights(
    session: InferenceSession, *, level: str, kind: str, given: Sequence[str] | None
) -> pd.DataFrame:
    """Return gate weights per cell and expert, or per cell and modality.

    ``kind="precision"`` multiplies each weight by its expert's precision, averages over latents and
    normalises: how much of the pooled precision comes from each expert.
    """
    network = session.network
    weights = np.zeros((len(session), len(network.family)), np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            encoded, posterior = session.infer(batch, given)
            share = posterior.weights
            if kind == "precision":
                log_tau = posterior.log_weights.unsqueeze(-1) - encoded.experts.logvar
                share = torch.softmax(log_tau, dim=1).mean(-1)
                share = torch.where(posterior.available, share, 0.0)
            weights[rows] = share.cpu().numpy()
    by_expert = pd.DataFrame(weights, index=session.obs_names, columns=list(network.family.names))
    if level == "expert":
        return by_expert
    membership = network.membership.cpu().numpy().astype(np.float32)
    by_modality = weights @ (membership / membership.sum(1, keepdims=True))
    return pd.DataFrame(by_modality, index=session.obs_names, columns=list(network.modalities))
