"""Mean profiles by batch: what ambient contamination looks like."""

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.minibatch import Minibatch, SparseEntries


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
