"""Spread of observations around their mean: dispersions and standard deviations."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hzau_omics.nn.decoding.likelihoods.base import DecoderContext, Sizes
from hzau_omics.nn.posterior.gaussian import soft_bound


class Dispersion(nn.Module):
    """Log dispersion per feature, and per batch if set up so.

    There are two: one for seen values, which the cell's posterior was inferred from, and one for
    unseen values. A latent inferred from other modalities predicts less exactly than one that has
    seen the values; with one dispersion for both, predictions of unseen modalities would be too
    confident. The second is learned as a difference from the first, and equals it if the objective
    never predicts unseen values.

    Parameters
    ----------
    sizes
        Numbers of batches and features.
    bounds
        Smallest and largest log dispersion.
    power
        How the variance grows with the dispersion: 2 for a standard deviation, -1 for the inverse
        dispersion theta of a negative binomial.
    """

    def __init__(self, sizes: Sizes, bounds: tuple[float, float], *, power: int) -> None:
        super().__init__()
        self.bounds = bounds
        self.power = power
        self.seen = nn.Parameter(torch.zeros(sizes.n_batches, sizes.n_features))
        self.unseen = nn.Parameter(torch.zeros(sizes.n_batches, sizes.n_features))

    def forward(self, context: DecoderContext) -> Float[Tensor, "_ feature"]:
        """Return the log dispersion, of shape (1 or cell, feature)."""
        seen = self._of_batch(self._bounded(self.seen), context)
        if context.seen is None:
            return seen
        unseen = self._of_batch(self._inflated(context), context)
        return torch.where(context.seen, seen, unseen)

    def table(
        self, context: DecoderContext
    ) -> tuple[Float[Tensor, "kind feature"], Int[Tensor, " cell"]] | None:
        """Return the log dispersion of each kind of cell, and each cell's kind.

        A kind is a batch (or all batches, if they share a dispersion) with values that are seen, or
        unseen. None if a cell's values are partly seen.
        """
        n_batches = len(self.seen)
        kind = context.batch if n_batches > 1 else torch.zeros_like(context.batch)
        seen = self._bounded(self.seen)
        if n_batches > 1:
            seen, kind = _with_average(seen), kind.clamp_max(n_batches)
        if context.seen is None:
            return seen, kind
        if context.seen.shape[1] != 1:
            return None
        unseen = self._inflated(context)
        both = torch.cat([seen, _with_average(unseen) if n_batches > 1 else unseen])
        return both, torch.where(context.seen.squeeze(1), kind, kind + len(seen))

    def _bounded(self, value: Tensor) -> Tensor:
        return soft_bound(value.float(), *self.bounds)

    def _inflated(self, context: DecoderContext) -> Tensor:
        # Detached: errors of predictions do not move the dispersion of seen values.
        unseen = self._bounded(self.seen.detach() + self.unseen)
        return unseen + context.log_inflation / self.power

    def _of_batch(self, value: Tensor, context: DecoderContext) -> Tensor:
        if len(value) == 1:
            return value
        return _with_average(value)[context.batch.clamp_max(len(value))]


def _with_average(value: Float[Tensor, "batch feature"]) -> Float[Tensor, "_ feature"]:
    """Return the rows of all batches, and their average for cells of a new one."""
    return torch.cat([value, value.mean(0, keepdim=True)])
