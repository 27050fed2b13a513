"""The training loss: ELBO terms over modality subsets of each cell, summed or averaged.

Four functions over one value, a :class:`Step`: draw the terms of a minibatch, infer a posterior for
each, decode the measured modalities from it, and penalise differences between posteriors of a cell.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.corrupted import corrupt_joint
from hzau_omics.nn.objective.mixing import TermGroups, batch_discrepancy, reference_discrepancy
from hzau_omics.nn.objective.terms import Terms, draw_by_weight, draw_terms
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian, kl_divergence, kl_from
from hzau_omics.nn.reliability.corruption import Corruptor

MIN_WIDE_DECODING = 500
"""Number of features from which decoding costs more than anything else in a step."""


class ObjectiveTerms(NamedTuple):
    """The loss to minimise, and unweighted sums over cells in nats for reports.

    Attributes
    ----------
    loss
        Weighted objective in nats, averaged over the terms of the minibatch (lower is better).
    kl
        Sum over cells of KL(q || p) of the joint term, or of the mean over terms.
    log_prob
        Sum over cells of log p(x_m | z) of the same, one entry per modality.
    n_cells
        Number of cells without a corrupted measurement; all sums leave the others out.
    n_terms
        Number of terms that the loss is the mean of; number of cells if their terms are averaged.
    n_present
        Number of cells that have each modality.
    """

    loss: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    log_prob: Float[Tensor, " modality"]
    n_cells: Float[Tensor, ""]
    n_terms: Float[Tensor, ""]
    n_present: Float[Tensor, " modality"]


class Step(NamedTuple):
    """An encoded minibatch, and the terms that were drawn for it."""

    network: MultimodalVAE
    batch: Minibatch
    config: ObjectiveConfig
    encoded: Encoded
    terms: Terms


class Inferred(NamedTuple):
    """Posteriors of all terms.

    Attributes
    ----------
    q
        Posterior of each term (place, cell, latent).
    kl
        KL divergence of each term's posterior from the prior, in nats.
    intact
        1 for cells that were encoded as they are, 0 for those with a corrupted measurement (cell).
    """

    q: DiagonalGaussian
    kl: Float[Tensor, "place cell"]
    intact: Float[Tensor, " cell"]


class DecodedTerms(NamedTuple):
    """One modality decoded from terms of cells, as sums over all that it was decoded from.

    Attributes
    ----------
    weighted
        Sum of log likelihoods in nats, library size included, each times the weight of the terms
        that it stands for.
    reported
        Sum over cells of the log likelihood for reports, without the library size: counts are
        scored given their total.
    """

    weighted: Float[Tensor, ""]
    reported: Float[Tensor, ""]


def sub_sampled_objective(
    network: MultimodalVAE,
    batch: Minibatch,
    *,
    weights: Float[Tensor, " modality"],
    kl_weight: float | Float[Tensor, ""],
    config: ObjectiveConfig,
    corruptor: Corruptor | None = None,
) -> ObjectiveTerms:
    """Return the loss, of which docs/method.md, equation 14, is one term, and its parts.

    Parameters
    ----------
    network
        Network in training or evaluation mode; one latent sample is drawn per term.
    batch
        Cells; each has at least one modality.
    weights
        Weight lambda_m of each modality's log likelihood.
    kl_weight
        Weight beta of the KL term.
    config
        Choice of subsets.
    corruptor
        Corrupts measurements of some cells. Their joint terms are inferred from the corrupted
        values and reconstruct the clean ones.
    """
    step = draw(network, batch, config)
    terms = step.terms
    inferred = infer(step, corruptor)
    total = kl_weight * (terms.weight * inferred.kl).sum()
    # One latent per term: all modalities of the term are decoded from it.
    z = inferred.q.sample()
    covariates = network.decoder_covariates(batch)
    log_prob = [total.new_zeros(()) for _ in network.modalities]
    for m in network.config.generated:
        decoded = decode(step, z, m, inferred.intact, covariates)
        total = total - weights[m] * decoded.weighted
        log_prob[m] = decoded.reported
    for penalty in penalise(step, inferred):
        total = total + penalty
    # Reports are of the data as they are: cells with a corrupted measurement do not count.
    reported = terms.reported * terms.weight * inferred.intact
    return ObjectiveTerms(
        loss=total / terms.n_terms.clamp_min(1),
        kl=(reported * inferred.kl.detach()).sum(),
        log_prob=torch.stack(log_prob),
        n_cells=inferred.intact.sum(),
        n_terms=terms.n_terms,
        n_present=inferred.intact @ batch.present.to(inferred.intact.dtype),
    )


def draw(network: MultimodalVAE, batch: Minibatch, config: ObjectiveConfig) -> Step:
    """Encode a minibatch, and draw its terms."""
    encoded = network.encode(batch)
    terms = draw_terms(batch.present, config, network.family, complete=batch.is_complete)
    return Step(network, batch, config, encoded, terms)


def infer(step: Step, corruptor: Corruptor | None) -> Inferred:
    """Infer the posterior of each term; joint terms of some cells from corrupted measurements."""
    network, batch, _, encoded, terms = step
    q = _pooled(step)
    intact = q.mean.new_ones(len(batch))
    if corruptor is not None and terms.has_joint:
        q, intact = corrupt_joint(network, batch, q, corruptor, terms.subsets[0])
    if terms.expert is not None:
        q = _with_expert(q, encoded, terms)
    return Inferred(q, kl_from(q, network.prior(encoded)), intact)


def decode(
    step: Step,
    z: Float[Tensor, "place cell latent"],
    modality: int,
    intact: Float[Tensor, " cell"],
    covariates: Float[Tensor, "cell covariate"],
) -> DecodedTerms:
    """Decode one modality from the latents of the terms, in all cells where it is measured."""
    network, batch, config, _, terms = step
    weight = terms.weight
    seen = terms.subsets[..., modality]
    if config.marginal_targets == "own":
        weight = weight * seen
    elif not batch.is_complete:
        weight = weight * batch.present[:, modality]
    reported = terms.reported.expand_as(weight)
    # A wide modality is decoded from one of a cell's terms, which counts for all of them: the
    # expected gradient is the same, at a fraction of the cost.
    wide = network.config.modalities[modality].n_features >= MIN_WIDE_DECODING
    if config.wide_decodings == "one" and wide and len(weight) > 1:
        place = draw_by_weight(weight).unsqueeze(0)
        z = z.gather(0, place.unsqueeze(-1).expand(-1, -1, z.shape[-1]))
        seen, reported = seen.gather(0, place), reported.gather(0, place)
        weight = weight.sum(0, keepdim=True)
    cells = batch.cells_with(modality)
    if cells is not None:
        z, seen, weight = z[:, cells], seen[:, cells], weight[:, cells]
        reported, intact = reported[:, cells], intact[cells]
    found = network.reconstruct(
        z.flatten(0, 1), batch, cells, modality, seen=seen.flatten(), covariates=covariates
    )
    log_prob = found.log_prob.view_as(weight)
    return DecodedTerms(
        weighted=(weight * (log_prob + found.library_log_prob.view_as(weight))).sum(),
        reported=(weight * reported * intact * log_prob.detach()).sum(),
    )


def penalise(step: Step, inferred: Inferred) -> Iterator[Float[Tensor, ""]]:
    """Yield penalties that the loss adds to the terms, in nats, summed over them.

    Mixing compares posteriors of different batches; all others compare them with the joint one of
    the same cell, which is the first. Cells with a corrupted measurement are left out: their joint
    posterior was not inferred from the data.
    """
    config, q, intact = step.config, inferred.q, inferred.intact
    n_batches = step.network.config.n_batches
    if config.mixing and n_batches > 1:
        groups = TermGroups(step.terms.subsets, intact > 0, step.batch.batch, n_batches)
        points = step.network.points
        if points is None:
            yield config.mixing * batch_discrepancy(q.mean, groups)
        else:
            yield config.mixing * reference_discrepancy(q.mean, groups, points)
    weight = step.terms.weight[1:] * intact
    if config.singles_to_joint:
        joint = DiagonalGaussian(*(part[0] for part in q))
        divergence = _to_singles(step.network, step.encoded, joint, step.batch.present)
        yield config.singles_to_joint * (intact * divergence).sum()
    if len(q.mean) == 1:
        return
    if config.alignment:
        # Gradients reach both sides: joint and subset posteriors move towards each other.
        distance = (q.mean[:1] - q.mean[1:]).square().sum(-1)
        yield config.alignment * (weight * distance).sum()
    if config.distillation:
        # The joint posterior gets no gradient: only the others move, and have to be wide enough
        # to contain it.
        joint = DiagonalGaussian(*(part[:1].detach() for part in q))
        others = DiagonalGaussian(*(part[1:] for part in q))
        yield config.distillation * (weight * kl_divergence(joint, others)).sum()


def _pooled(step: Step) -> DiagonalGaussian:
    """Return the posteriors of all terms but that of a single expert (place, cell, latent)."""
    network, _, _, encoded, terms = step
    n_places = len(terms.singles) - (terms.expert is not None and terms.by_expert is None)
    pooled: dict[int, DiagonalGaussian] = {}
    for place in range(n_places):
        modality = terms.singles[place]
        if modality is not None and network.pool.keeps_single_experts:
            expert = network.single_experts[modality]
            pooled[place] = DiagonalGaussian(*(part[:, expert] for part in encoded.experts))
    rest = [place for place in range(n_places) if place not in pooled]
    if rest:
        # All of these at once.
        subsets = torch.stack([terms.subsets[place] for place in rest])
        found = network.infer_term(encoded, subsets).q
        for i, place in enumerate(rest):
            pooled[place] = DiagonalGaussian(*(part[i] for part in found))
    parts = zip(*(pooled[place] for place in range(n_places)), strict=True)
    return DiagonalGaussian(*(torch.stack(part) for part in parts))


def _with_expert(q: DiagonalGaussian, encoded: Encoded, terms: Terms) -> DiagonalGaussian:
    """Add the term of a single expert of each cell, or put it where the cell's draw chose it."""
    expert = terms.expert
    assert expert is not None
    index = expert.view(-1, 1, 1).expand(-1, 1, q.mean.shape[-1])
    own = DiagonalGaussian(*(part.gather(1, index).squeeze(1) for part in encoded.experts))
    if terms.by_expert is None:
        parts = zip(q, own, strict=True)
        return DiagonalGaussian(*(torch.cat([p, e.unsqueeze(0)]) for p, e in parts))
    chosen = terms.by_expert.unsqueeze(-1)
    parts = zip(q, own, strict=True)
    return DiagonalGaussian(*(torch.stack([p[0], torch.where(chosen, e, p[1])]) for p, e in parts))


def _to_singles(
    network: MultimodalVAE,
    encoded: Encoded,
    joint: DiagonalGaussian,
    present: Tensor,
) -> Float[Tensor, " cell"]:
    """Sum of KL(q || q_m) over the modalities of a cell that has several."""
    several = present.sum(-1) > 1
    total = joint.mean.new_zeros(len(present))
    for m, expert in enumerate(network.single_experts):
        single = DiagonalGaussian(*(part[:, expert] for part in encoded.experts))
        total = total + torch.where(present[:, m] & several, kl_divergence(joint, single), 0.0)
    return total
