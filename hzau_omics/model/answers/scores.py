"""Scores: how likely each cell is under the model."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import check_flag, check_integer
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.session import (
    InferenceSession,
    draw_seed,
    evaluating,
    make_generator,
)
from hzau_omics.nn.posterior.gaussian import kl_from, standard_normal_like


class Scores(Answers):
    """Likelihoods: ELBO, reconstruction error, marginal likelihood."""

    def get_elbo(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        n_samples: int = 1,
        return_mean: bool = True,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> float | NDArray[np.float32]:
        """Return the unweighted ELBO in nats per cell (higher is better).

        See docs/method.md, equation 11. Counts are scored given their total, as the decoder sees
        it. A cell without any modality that the system generates (for CVAE, the first one) gets
        NaN, and does not count in the mean.

        Parameters
        ----------
        n_samples
            Latent draws per cell.
        return_mean
            Whether to average over cells; False gives an array of shape (cells,).
        mdata, indices, batch_size, seed
            As in :meth:`get_latent_representation`.
        """
        n_samples = check_integer("n_samples", n_samples)
        return_mean, seed = check_flag("return_mean", return_mean), draw_seed(seed)
        session = self._session(mdata, indices, batch_size)
        kl, log_prob = elbo_terms(session, n_samples=n_samples, seed=seed)
        scored = np.isfinite(log_prob).any(axis=1)
        elbo = np.where(scored, np.nansum(log_prob, axis=1) - kl, np.nan)
        return float(np.nanmean(elbo)) if return_mean else elbo

    def get_reconstruction_error(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        n_samples: int = 1,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> dict[str, float]:
        """Return -E_q log p(x_m | z) per modality in nats per cell that has it (lower is better).

        A modality that no cell has gets NaN. Parameters are as in :meth:`get_elbo`.
        """
        n_samples, seed = check_integer("n_samples", n_samples), draw_seed(seed)
        session = self._session(mdata, indices, batch_size)
        _, log_prob = elbo_terms(session, n_samples=n_samples, seed=seed)
        return {
            name: float(-np.nanmean(column)) if np.isfinite(column).any() else float("nan")
            for name, column in zip(self.layout.names, log_prob.T, strict=True)
        }

    def get_marginal_ll(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        n_samples: int = 100,
        return_mean: bool = True,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> float | NDArray[np.float64]:
        """Return an importance-weighted bound on log p(x) in nats per cell (higher is better).

        It is the log of the mean importance weight of `n_samples` latent draws (Burda et al. 2016).
        In expectation it is at least the ELBO, and it approaches log p(x) as the number of draws
        grows. NaN, and parameters, as in :meth:`get_elbo`.
        """
        n_samples = check_integer("n_samples", n_samples)
        return_mean, seed = check_flag("return_mean", return_mean), draw_seed(seed)
        session = self._session(mdata, indices, batch_size)
        bound = marginal_log_likelihood(session, n_samples=n_samples, seed=seed)
        return float(np.nanmean(bound)) if return_mean else bound


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
                drawn = network.log_likelihoods(q.sample(generator), batch)
                log_prob[rows] += drawn.cpu().numpy() / n_samples
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
                # Without any modality that the system generates, there is nothing to score.
                log_joint = torch.where(log_prob.isnan().all(-1), torch.nan, log_joint)
                bound = torch.logaddexp(bound, (log_joint - q.log_prob(z)).double().cpu())
            result[rows] = bound.numpy() - np.log(n_samples)
    return result
