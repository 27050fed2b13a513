"""Scoring measurements: what they say of each other, and whether the model can explain them."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.reliability.agreement import log_agreement
from hzau_omics.nn.reliability.evidence import Evidence, pairs_of


def single_posteriors(
    network: MultimodalVAE, batch: Minibatch, encoded: Encoded
) -> tuple[DiagonalGaussian, Tensor]:
    """Return q(z | x_m) of each modality alone (modality, cell, latent), and which cells have it.

    Systems that never infer from some modality alone have none of it.
    """
    alone = torch.eye(batch.present.shape[1], dtype=torch.bool, device=batch.present.device)
    found = network.infer(encoded, batch.present & alone[:, None])
    return found.q, found.available.any(-1)


def pair_agreement(network: MultimodalVAE, batch: Minibatch) -> Float[Tensor, "cell pair"]:
    """Return the log agreement of each pair of modalities' posteriors; NaN where one is absent."""
    return _pair_agreement(*single_posteriors(network, batch, network.encode(batch)))


class _Posteriors(NamedTuple):
    """Posterior means of cells: of all modalities (cell, latent), and of each alone.

    `known` (modality, cell) says which cells have the latter.
    """

    joint: Tensor
    alone: Tensor
    known: Tensor


def gather_evidence(network: MultimodalVAE, batch: Minibatch) -> Evidence:
    """Score the measurements of a minibatch."""
    encoded = network.encode(batch)
    q, known = single_posteriors(network, batch, encoded)
    joint = network.infer(encoded, batch.present).q.mean
    z = _Posteriors(joint, q.mean, known)
    scores = [_scores(network, batch, z, m) for m in range(len(network.modalities))]
    level, fit, shape, support, purity, ratio, foreign = torch.stack(scores, dim=-1)
    agreement = _pair_agreement(q, known)
    learned = torch.full_like(level, torch.nan)
    if encoded.reliability is not None:
        learned = torch.where(batch.present, encoded.reliability, learned)
    return Evidence(
        learned, level, fit, shape, support, purity, ratio, foreign, agreement, batch.batch
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
    own = network.explained(z.alone[m, index], batch, rows, m)
    together = network.explained(z.joint[index], batch, rows, m)
    best, purity = torch.full((2, len(index)), torch.nan, device=index.device)
    profiles = network.judge.profiles
    unseen = torch.zeros_like(index, dtype=torch.bool)
    for other in range(len(z.known)):
        here = z.known[other, index]
        if other != m and bool(here.any()):
            by = network.explained(z.alone[other, index], batch, rows, m, seen=unseen)
            best = torch.where(here, torch.fmax(best, by.log_prob), best)
            purity = torch.where(here, torch.fmax(purity, by.admixture(profiles, m).purity), purity)
    foreign = together.admixture(profiles, m)
    support = best - own.log_prob
    found = [own.level, own.log_prob, own.correlation, support, *foreign, purity]
    scores[:, index] = torch.where(z.known[m, index], torch.stack(found), torch.nan)
    return scores


def _pair_agreement(q: DiagonalGaussian, known: Tensor) -> Float[Tensor, "cell pair"]:
    pairs = pairs_of(len(known))
    if not pairs:
        return q.mean.new_zeros(known.shape[1], 0)
    a, b = ([pair[i] for pair in pairs] for i in (0, 1))
    found = log_agreement(*(DiagonalGaussian(q.mean[i], q.logvar[i]) for i in (a, b)))
    return torch.where(known[a] & known[b], found, torch.nan).T
