"""Spread of observations around their mean: dispersions and standard deviations."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from hzau_omics.nn.decoding.likelihoods.base import DecoderContext
from hzau_omics.nn.posterior.gaussian import soft_bound


class Spread(nn.Module):
    """Log spread per feature, and per batch if asked.

    There are two: one for values that the cell's posterior saw, and one for values that it did
    not see. A latent inferred from other modalities predicts less exactly than one that has seen
    the values; with one spread for both, predictions of unseen modalities are too sure of
    themselves. The second one is learned as a difference to the first, and stays equal to it where
    an objective never predicts what it did not see.

    Parameters
    ----------
    n_batches
        Number of batches with a spread of their own; 1 shares it.
    n_features
        Number of features.
    bounds
        Smallest and largest log spread.
    power
        How the variance grows with the spread: 2 for a standard deviation, -1 for the inverse
        dispersion theta of a negative binomial.
    """

    def __init__(
        self, n_batches: int, n_features: int, bounds: tuple[float, float], *, power: int
    ) -> None:
        super().__init__()
        self.bounds = bounds
        self.power = power
        self.seen = nn.Parameter(torch.zeros(n_batches, n_features))
        self.unseen = nn.Parameter(torch.zeros(n_batches, n_features))

    def forward(self, context: DecoderContext) -> Float[Tensor, "_ feature"]:
        """Return the log spread, of shape (1 or cell, feature)."""
        seen = self._of_batch(self._bounded(self.seen), context)
        if context.seen is None:
            return seen
        unseen = self._of_batch(self._widened(context), context)
        return torch.where(context.seen, seen, unseen)

    def table(
        self, context: DecoderContext
    ) -> tuple[Float[Tensor, "kind feature"], Int[Tensor, " cell"]] | None:
        """Return the log spread of each kind of cell, and each cell's kind.

        A kind is a batch with a spread of its own, seen or unseen. None if a cell's values are
        partly seen.
        """
        n_batches = len(self.seen)
        kind = context.batch if n_batches > 1 else torch.zeros_like(context.batch)
        seen = self._bounded(self.seen)
        if context.seen is None:
            return seen, kind
        if context.seen.shape[1] != 1:
            return None
        both = torch.cat([seen, self._widened(context)])
        return both, torch.where(context.seen.squeeze(1), kind, kind + n_batches)

    def _bounded(self, value: Tensor) -> Tensor:
        return soft_bound(value.float(), *self.bounds)

    def _widened(self, context: DecoderContext) -> Tensor:
        unseen = self._bounded(self.seen.detach() + self.unseen)
        return unseen + context.log_widening / self.power

    def _of_batch(self, value: Tensor, context: DecoderContext) -> Tensor:
        return value[context.batch] if len(value) > 1 else value
