"""The training loss: ELBO terms over modality subsets of each cell, summed or averaged.

Four functions over one value, a :class:`Step`: draw the terms of a minibatch, infer a posterior for
each, decode the measured modalities from it, and penalise differences between posteriors of a cell.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.objective.corrupted import with_corruption
from hzau_omics.nn.objective.terms import Terms, draw_terms, one_per_cell
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
    n_cells: int
    n_terms: int
    n_present: Int[Tensor, " modality"]


class Step(NamedTuple):
    """An encoded minibatch, and the terms that were drawn for it."""

    network: MultimodalVAE
    batch: Minibatch
    config: ObjectiveConfig
    encoded: Encoded
    terms: Terms

    def on_device(self, tensor: Tensor) -> Tensor:
        """Copy a tensor from the CPU to the minibatch's device, without waiting for it."""
        return tensor.to(self.batch.present.device, non_blocking=True)


class Inferred(NamedTuple):
    """Posteriors of all terms.

    Attributes
    ----------
    q
        Posterior of each term (term, latent).
    kl
        KL divergence of each term's posterior from the prior, in nats.
    intact
        1 for cells that were encoded as they are, 0 for those with a corrupted measurement (cell);
        on the CPU.
    """

    q: DiagonalGaussian
    kl: Float[Tensor, " term"]
    intact: Float[Tensor, " cell"]


class DecodedTerms(NamedTuple):
    """One modality, decoded from some of the terms.

    Attributes
    ----------
    term
        Number of each term that it was decoded from.
    times
        Number of terms that each of these stands for, times the weight of the cell's terms.
    log_prob
        Log likelihood of each of these in nats, library size included.
    reported
        Unweighted sum over cells of the log likelihood, for reports.
    """

    term: Int[Tensor, " decoded"]
    times: Float[Tensor, " decoded"]
    log_prob: Float[Tensor, " decoded"]
    reported: Float[Tensor, ""]


def sub_sampled_objective(
    network: MultimodalVAE,
    batch: Minibatch,
    *,
    weights: Float[Tensor, " modality"],
    kl_weight: float,
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
    terms, to = step.terms, step.on_device
    inferred = infer(step, corruptor)
    total = to(terms.share[terms.cell]) * kl_weight * inferred.kl
    # One latent per term: all modalities of the term are decoded from it.
    z = inferred.q.sample()
    log_prob = [inferred.kl.new_zeros(()) for _ in network.modalities]
    for m in network.config.generated:
        decoded = decode(step, z, m, inferred.intact)
        total = total.index_add(0, decoded.term, -weights[m] * decoded.times * decoded.log_prob)
        log_prob[m] = decoded.reported
    is_intact = to(inferred.intact)
    for penalty in penalise(step, inferred.q, is_intact):
        total = total + penalty
    n_terms = len(batch) if config.is_mean else len(terms.cell)
    # Reports are of the data as they are: cells with a corrupted measurement do not count.
    reported = to((terms.reported * inferred.intact).flatten()[terms.chosen])
    return ObjectiveTerms(
        loss=total.sum() / max(n_terms, 1),
        kl=(reported * inferred.kl.detach()).sum(),
        log_prob=torch.stack(log_prob),
        n_cells=int(inferred.intact.sum()),
        n_terms=n_terms,
        n_present=(batch.present & (is_intact > 0).unsqueeze(-1)).sum(0),
    )


def draw(network: MultimodalVAE, batch: Minibatch, config: ObjectiveConfig) -> Step:
    """Encode a minibatch, and draw its terms."""
    encoded = network.encode(batch)
    terms = draw_terms(batch.present_on_host, config, network.family.membership())
    return Step(network, batch, config, encoded, terms)


def infer(step: Step, corruptor: Corruptor | None) -> Inferred:
    """Infer the posterior of each term; joint terms of some cells from corrupted measurements."""
    network, terms, to = step.network, step.terms, step.on_device
    # All subsets of all cells are pooled at once; `chosen` then keeps those that are terms.
    chosen, cell = to(terms.chosen), to(terms.cell)
    pooled, intact = with_corruption(
        network,
        step.batch,
        network.infer_term(step.encoded, to(terms.pooled)).q,
        corruptor=corruptor if terms.has_joint else None,
        subset=terms.subsets[0],
    )
    if terms.expert is not None:
        pooled = _with_expert(pooled, step.encoded, to(terms.expert))
    q = DiagonalGaussian(*(part.flatten(0, 1).index_select(0, chosen) for part in pooled))
    prior = network.prior(step.encoded)
    if prior is not None:
        prior = DiagonalGaussian(*(part.index_select(0, cell) for part in prior))
    return Inferred(q, kl_from(q, prior), intact)


def decode(
    step: Step, z: Float[Tensor, "term latent"], modality: int, intact: Float[Tensor, " cell"]
) -> DecodedTerms:
    """Decode one modality from the latents of the terms, in all cells where it is measured."""
    network, batch, config, _, terms = step
    seen = terms.subsets[..., modality]
    measured = batch.present_on_host[:, modality]
    decoded = terms.new & (seen if config.marginal_targets == "own" else measured)
    # A wide modality is decoded from one of a cell's terms, which counts for all of them: the
    # expected gradient is the same, at a fraction of the cost.
    counts_for = torch.ones(len(batch), dtype=torch.long)
    wide = network.config.modalities[modality].n_features >= MIN_WIDE_DECODING
    if config.wide_decodings == "one" and wide:
        counts_for = decoded.sum(0)
        decoded = one_per_cell(decoded)
    # In the order of the cells, so that each cell's values are read once if it has one term.
    cell, subset = decoded.t().nonzero(as_tuple=True)
    term = step.on_device(terms.number[subset, cell])
    reconstruction = network.reconstruct(
        z.index_select(0, term), batch, cell, modality, seen=step.on_device(seen[subset, cell])
    )
    times = step.on_device(counts_for[cell] * terms.share[cell])
    reported = step.on_device(counts_for[cell] * terms.reported[subset, cell] * intact[cell])
    return DecodedTerms(
        term=term,
        times=times,
        log_prob=reconstruction.log_prob + reconstruction.library_log_prob,
        # Without the library size: counts are scored given their total.
        reported=(reported * reconstruction.log_prob.detach()).sum(),
    )


def penalise(
    step: Step, q: DiagonalGaussian, is_intact: Float[Tensor, " cell"]
) -> Iterator[Float[Tensor, " term"]]:
    """Yield penalties that the loss adds to the terms, in nats.

    All compare posteriors with the joint one of the same cell. Cells with a corrupted measurement
    are left out: their joint posterior was not inferred from the data. Where there are joint terms,
    every cell has exactly one, and these come first in the order of the cells: term number `cell`
    is the joint one.
    """
    config, batch = step.config, step.batch
    cell, subset = step.on_device(step.terms.cell), step.on_device(step.terms.subset)
    if config.singles_to_joint:
        joint = DiagonalGaussian(*(part[: len(batch)] for part in q))
        divergence = _to_singles(step.network, step.encoded, joint, batch.present)
        divergence = is_intact * (config.singles_to_joint * divergence)
        # One value per cell: it belongs to the joint term.
        yield nn.functional.pad(divergence, (0, len(cell) - len(batch)))
    if config.alignment:
        # Gradients reach both sides: joint and subset posteriors move towards each other.
        distance = (q.mean[cell] - q.mean).square().sum(-1)
        yield config.alignment * is_intact[cell] * distance
    if config.distillation:
        yield config.distillation * is_intact[cell] * _distillation(q, subset, cell)


def _with_expert(
    pooled: DiagonalGaussian, encoded: Encoded, expert: Int[Tensor, " cell"]
) -> DiagonalGaussian:
    """Append one expert of each cell to the pooled posteriors (subset, cell, latent)."""
    cell = torch.arange(len(expert), device=expert.device)
    parts = zip(pooled, encoded.experts, strict=True)
    return DiagonalGaussian(*(torch.cat([p, e[cell, expert].unsqueeze(0)]) for p, e in parts))


def _to_singles(
    network: MultimodalVAE,
    encoded: Encoded,
    joint: DiagonalGaussian,
    present: Bool[Tensor, "cell modality"],
) -> Float[Tensor, " cell"]:
    """Sum of KL(q || q_m) over the modalities of a cell that has several."""
    several = present.sum(-1) > 1
    total = joint.mean.new_zeros(len(present))
    for m, name in enumerate(network.modalities):
        expert = network.family.subsets.index((name,))
        single = DiagonalGaussian(*(part[:, expert] for part in encoded.experts))
        total = total + torch.where(present[:, m] & several, kl_divergence(joint, single), 0.0)
    return total


def _distillation(q: DiagonalGaussian, subset: Tensor, cell: Tensor) -> Float[Tensor, " term"]:
    """KL from the joint posterior of the same cell to each term's; 0 for the joint term itself.

    The joint posterior gets no gradient: only the others move, and have to be wide enough to
    contain it.
    """
    joint = DiagonalGaussian(q.mean.detach()[cell], q.logvar.detach()[cell])
    return torch.where(subset == 0, 0.0, kl_divergence(joint, q))
