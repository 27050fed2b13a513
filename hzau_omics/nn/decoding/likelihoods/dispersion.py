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
        Numbers of batches and features. Dispersions of added batches are parameters of their own:
        only they are trained.
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
        n_added = sizes.n_added if sizes.n_batches > 1 else 0
        self.seen = nn.Parameter(torch.zeros(sizes.n_batches - n_added, sizes.n_features))
        self.unseen = nn.Parameter(torch.zeros(sizes.n_batches - n_added, sizes.n_features))
        self.added_seen = self.added_unseen = None
        if n_added:
            self.added_seen = nn.Parameter(torch.zeros(n_added, sizes.n_features))
            self.added_unseen = nn.Parameter(torch.zeros(n_added, sizes.n_features))

    def forward(self, context: DecoderContext) -> Float[Tensor, "_ feature"]:
        """Return the log dispersion, of shape (1 or cell, feature)."""
        seen = self._of_batch(self._bounded(self._all_seen), context)
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
        seen = self._bounded(self._all_seen)
        n_batches = len(seen)
        kind = context.batch if n_batches > 1 else torch.zeros_like(context.batch)
        if n_batches > 1:
            seen, kind = self._with_average(seen), kind.clamp_max(n_batches)
        if context.seen is None:
            return seen, kind
        if context.seen.shape[1] != 1:
            return None
        unseen = self._inflated(context)
        both = torch.cat([seen, self._with_average(unseen) if n_batches > 1 else unseen])
        return both, torch.where(context.seen.squeeze(1), kind, kind + len(seen))

    @property
    def _all_seen(self) -> Tensor:
        return _with_added(self.seen, self.added_seen)

    @torch.no_grad()
    def start_added(self) -> None:
        """Let added batches start from the mean of the others."""
        for first, added in ((self.seen, self.added_seen), (self.unseen, self.added_unseen)):
            if added is not None:
                added.copy_(first.mean(0).expand_as(added))

    def _bounded(self, value: Tensor) -> Tensor:
        return soft_bound(value.float(), *self.bounds)

    def _inflated(self, context: DecoderContext) -> Tensor:
        # Detached: errors of predictions do not move the dispersion of seen values.
        unseen = self._bounded(
            self._all_seen.detach() + _with_added(self.unseen, self.added_unseen)
        )
        return unseen + context.log_inflation / self.power

    def _of_batch(self, value: Tensor, context: DecoderContext) -> Tensor:
        if len(value) == 1:
            return value
        return self._with_average(value)[context.batch.clamp_max(len(value))]

    def _with_average(self, value: Tensor) -> Tensor:
        """Return the rows of all batches, and the average of the first ones for cells of others."""
        return torch.cat([value, value[: len(self.seen)].mean(0, keepdim=True)])


def _with_added(first: Tensor, added: Tensor | None) -> Tensor:
    """Return rows of all batches."""
    return first if added is None else torch.cat([first, added])
