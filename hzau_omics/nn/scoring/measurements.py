"""Scores of measurements: do modalities agree, and does the model explain each of them."""

from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.pools import Posterior
from hzau_omics.nn.reliability.agreement import log_agreement
from hzau_omics.nn.reliability.evidence import Evidence, pairs_of
from hzau_omics.nn.scoring.explained import Explained


def single_posteriors(
    network: MultimodalVAE, batch: Minibatch, encoded: Encoded
) -> tuple[DiagonalGaussian, Tensor]:
    """Return q(z | x_m) of each modality alone (modality, cell, latent), and which cells have it.

    Some systems never infer from one modality alone: then no cell has it.
    """
    alone = torch.eye(batch.present.shape[1], dtype=torch.bool, device=batch.present.device)
    posterior = network.infer(encoded, batch.present & alone[:, None])
    return posterior.q, posterior.available.any(-1)


class _Posteriors(NamedTuple):
    """Posterior means of cells: of all modalities (cell, latent), and of each alone.

    `available` (modality, cell) says which cells have the latter.
    """

    joint: Tensor
    alone: Tensor
    available: Tensor


class MeasurementScores:
    """Scores of the measurements of a minibatch, each computed when it is first used.

    Parameters
    ----------
    network
        Network in evaluation mode.
    batch
        The cells.
    """

    def __init__(self, network: MultimodalVAE, batch: Minibatch) -> None:
        self.network, self.batch = network, batch

    @cached_property
    def encoded(self) -> Encoded:
        """Hidden features and experts of the cells."""
        return self.network.encode(self.batch)

    @cached_property
    def joint(self) -> Posterior:
        """Posterior of all measured modalities."""
        return self.network.infer(self.encoded, self.batch.present)

    @cached_property
    def alone(self) -> tuple[DiagonalGaussian, Tensor]:
        """Posteriors of each modality alone (modality, cell, latent), and which cells have them."""
        return single_posteriors(self.network, self.batch, self.encoded)

    @cached_property
    def agreement(self) -> Float[Tensor, "cell pair"]:
        """Log agreement of each pair of modalities.

        NaN where one is absent, and for cells of new batches, whose measurements differ from those
        that the encoders know.
        """
        known = (self.batch.batch < self.network.config.n_batches).unsqueeze(1)
        return torch.where(known, _pair_agreement(*self.alone), torch.nan)

    @cached_property
    def evidence(self) -> Evidence:
        """All scores that reliability rests on."""
        network, batch = self.network, self.batch
        q, available = self.alone
        z = _Posteriors(self.joint.q.mean, q.mean, available)
        scores = [_scores(network, batch, z, m) for m in range(len(network.modalities))]
        level, fit, shape, support, purity, log_ratio, given_others = torch.stack(scores, dim=-1)
        learned = torch.full_like(level, torch.nan)
        if self.encoded.reliability is not None:
            learned = torch.where(batch.present, self.encoded.reliability, learned)
        return Evidence(
            learned=learned,
            level=level,
            fit=fit,
            shape=shape,
            support=support,
            purity=purity,
            log_ratio=log_ratio,
            purity_given_others=given_others,
            agreement=self.agreement,
            batch=batch.batch,
        )


def _scores(
    network: MultimodalVAE, batch: Minibatch, z: _Posteriors, m: int
) -> Float[Tensor, "7 cell"]:
    """Return the scores of one modality's measurements, as :class:`Evidence` lists them."""
    scores = z.joint.new_full((7, len(batch)), torch.nan)
    rows = batch.present_on_host[:, m].nonzero().squeeze(-1)
    if m not in network.config.generated or not len(rows):
        return scores
    index = rows.to(z.joint.device)
    own = Explained(network.decode(z.alone[m, index], batch, rows, m))
    together = Explained(network.decode(z.joint[index], batch, rows, m))
    best, purity = torch.full((2, len(index)), torch.nan, device=index.device)
    profiles = network.reliability.ambient
    # To another modality the values are unseen. Of several, the one that explains them best counts.
    unseen = torch.zeros_like(index, dtype=torch.bool)
    for other in range(len(z.available)):
        here = z.available[other, index]
        if other != m and bool(here.any()):
            decoded = network.decode(z.alone[other, index], batch, rows, m, seen=unseen)
            by_other = Explained(decoded)
            purity_by_other = by_other.contamination(profiles, m).purity
            best = torch.where(here, torch.fmax(best, by_other.log_prob), best)
            purity = torch.where(here, torch.fmax(purity, purity_by_other), purity)
    ambient = together.contamination(profiles, m)
    support = best - own.log_prob
    found = [own.level, own.log_prob, own.correlation, support, *ambient, purity]
    scores[:, index] = torch.where(z.available[m, index], torch.stack(found), torch.nan)
    return scores


def _pair_agreement(q: DiagonalGaussian, available: Tensor) -> Float[Tensor, "cell pair"]:
    pairs = pairs_of(len(available))
    if not pairs:
        return q.mean.new_zeros(available.shape[1], 0)
    a, b = ([pair[i] for pair in pairs] for i in (0, 1))
    agreement = log_agreement(*(DiagonalGaussian(q.mean[i], q.logvar[i]) for i in (a, b)))
    return torch.where(available[a] & available[b], agreement, torch.nan).T
