"""Scoring measurements: what they say of each other, and whether the model can explain them."""

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.agreement import log_agreement
from hzau_omics.nn.evidence import Evidence, pairs_of
from hzau_omics.nn.gaussian import DiagonalGaussian
from hzau_omics.nn.network import Encoded, MultimodalVAE


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


def gather_evidence(network: MultimodalVAE, batch: Minibatch) -> Evidence:
    """Score the measurements of a minibatch."""
    q, known = single_posteriors(network, batch, network.encode(batch))
    each = [_scores(network, batch, q, known, m) for m in range(len(network.modalities))]
    level, fit, shape, support = torch.stack(each, dim=-1)
    return Evidence(level, fit, shape, support, _pair_agreement(q, known))


def _scores(
    network: MultimodalVAE, batch: Minibatch, q: DiagonalGaussian, known: Tensor, m: int
) -> Float[Tensor, "4 cell"]:
    """Return level, fit, shape and support of one modality's measurements."""
    scores = q.mean.new_full((4, len(batch)), torch.nan)
    rows = batch.present_on_host[:, m].nonzero().squeeze(-1)
    if m not in network.config.generated or not len(rows):
        return scores
    index = rows.to(q.mean.device)
    own = network.explained(q.mean[m, index], batch, rows, m)
    best = torch.full_like(own.log_prob, torch.nan)
    unseen = torch.zeros_like(index, dtype=torch.bool)
    for other in range(len(known)):
        if other != m and bool(known[other, index].any()):
            found = network.reconstruct(q.mean[other, index], batch, rows, m, seen=unseen).log_prob
            best = torch.where(known[other, index], torch.fmax(best, found), best)
    found = torch.stack([own.level, own.log_prob, own.correlation, best - own.log_prob])
    scores[:, index] = torch.where(known[m, index], found, torch.nan)
    return scores


def _pair_agreement(q: DiagonalGaussian, known: Tensor) -> Float[Tensor, "cell pair"]:
    pairs = pairs_of(len(known))
    if not pairs:
        return q.mean.new_zeros(known.shape[1], 0)
    a, b = ([pair[i] for pair in pairs] for i in (0, 1))
    found = log_agreement(*(DiagonalGaussian(q.mean[i], q.logvar[i]) for i in (a, b)))
    return torch.where(known[a] & known[b], found, torch.nan).T
