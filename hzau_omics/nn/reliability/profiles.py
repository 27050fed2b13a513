"""Mean profiles by batch: what ambient contamination looks like."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.minibatch import Minibatch, SparseEntries

LEAST_TOTAL = 1e-7
"""Least total of a profile that shares are taken of."""


class MeanProfile:
    """Mean of every feature of a modality by batch, from minibatches of cells that have it.

    A batch's mean is shrunk towards that of all cells, as if one more count per feature came from
    there: few cells say little about rare features.
    """

    def __init__(self, n_batches: int, n_features: int) -> None:
        self._total = torch.zeros(n_batches, n_features)
        self._count = torch.zeros(n_batches)
        self._amount = 0.0

    def add(self, batch: Minibatch, name: str) -> None:
        """Include more cells."""
        entries = batch.sparse.get(name)
        entries = SparseEntries.of(batch.x[name]) if entries is None else entries
        where = batch.batch[entries.row], entries.feature
        self._total.index_put_(where, entries.value, accumulate=True)
        self._count += torch.bincount(batch.batch, minlength=len(self._count))
        self._amount += float(entries.value.abs().sum())

    def mean(self) -> Float[Tensor, "batch feature"]:
        """Return the means; 0 without any cells."""
        n_cells = self._count.sum().clamp_min(1)
        overall = self._total.sum(0) / n_cells
        # Number of average cells that hold one count per feature.
        extra = self._total.shape[1] * n_cells / max(self._amount, 1.0)
        count = self._count.unsqueeze(1)
        return (self._total + extra * overall) / (count + extra)


class AmbientProfiles(nn.Module):
    """Mean profile of each modality by batch: what a suspension adds to all of its cells."""

    def __init__(self, n_features: Sequence[int], n_batches: int) -> None:
        super().__init__()
        for m, n in enumerate(n_features):
            self.register_buffer(f"modality_{m}", torch.zeros(n_batches, n))

    def set(self, means: Sequence[Float[Tensor, "batch _"]]) -> None:
        """Set the mean of every feature by batch, of each modality."""
        for m, mean in enumerate(means):
            self.get_buffer(f"modality_{m}").copy_(mean)

    def shares_at(
        self,
        modality: int,
        batch: Int[Tensor, " cell"],
        entries: SparseEntries,
        mask: Bool[Tensor, "cell feature"] | None,
    ) -> Float[Tensor, " entry"]:
        """Return the share of each entry's feature in the ambient profile of its cell's batch.

        Shares are of the total over all features, or over those in `mask`.
        """
        profile = self.get_buffer(f"modality_{modality}")
        # New batches have no profile; no answer about their measurements is given.
        batch = batch.clamp_max(len(profile) - 1)
        total = profile.sum(-1)[batch]
        if mask is not None:
            total = torch.where(mask, profile[batch], 0.0).sum(-1)
        row, feature = entries.row, entries.feature
        return profile[batch[row], feature] / total.clamp_min(LEAST_TOTAL)[row]
