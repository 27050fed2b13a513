"""The one value that passes from the data layer to the network."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor, device


class SparseEntries(NamedTuple):
    """Stored entries of a sparse matrix (row, feature), sorted by row; all others are 0.

    Attributes
    ----------
    start
        Long tensor (row + 1): where the entries of each row begin.
    row, feature
        Long tensors: position of each entry.
    value
        Float32 tensor: value of each entry.

    Examples
    --------
    >>> entries = SparseEntries.of(torch.tensor([[0.0, 3.0], [2.0, 1.0]]))
    >>> entries.take(torch.tensor([1, 0])).value
    tensor([2., 1., 3.])
    """

    start: Tensor
    row: Tensor
    feature: Tensor
    value: Tensor

    @classmethod
    def of(cls, x: Tensor) -> "SparseEntries":
        """Find the entries of a dense matrix that are not 0."""
        row, feature = (x != 0).nonzero(as_tuple=True)
        start = torch.searchsorted(row, torch.arange(len(x) + 1, device=x.device))
        return cls(start, row, feature, x[row, feature])

    def take(self, rows: Tensor) -> "SparseEntries":
        """Return the entries of some rows, in the order and as often as asked for."""
        first, length = self.start[rows], self.start[rows + 1] - self.start[rows]
        start = torch.cat([length.new_zeros(1), length.cumsum(0)])
        row = torch.arange(len(rows), device=rows.device).repeat_interleave(length)
        source = (first - start[:-1])[row] + torch.arange(len(row), device=rows.device)
        return SparseEntries(start, row, self.feature[source], self.value[source])

    def total(self) -> Tensor:
        """Sum of each row, of shape (row, 1)."""
        total = self.value.new_zeros(len(self.start) - 1)
        return total.index_add(0, self.row, self.value).unsqueeze(1)


@dataclass(frozen=True)
class Observed:
    """Observed values of one modality for some cells of a minibatch, made when they are needed.

    Attributes
    ----------
    x
        Float32 tensor (cell of the minibatch, feature).
    cells
        Long tensor (row): cells of the minibatch.
    sparse
        Entries of `x` that are not 0, if the data hold them.
    mask
        Boolean tensor (row, feature) of measured features; None if all were.
    is_whole
        Whether `cells` are all cells of the minibatch, in order.
    """

    x: Tensor
    cells: Tensor
    sparse: SparseEntries | None = None
    mask: Tensor | None = None
    is_whole: bool = False

    @cached_property
    def dense(self) -> Tensor:
        """Values (row, feature), 0 where nothing was measured."""
        values = self.x[self.cells]
        # Before anything is computed: zeroing a NaN's result would still leave a NaN gradient.
        return values if self.mask is None else torch.where(self.mask, values, 0.0)

    @cached_property
    def entries(self) -> SparseEntries | None:
        """Entries that are not 0; None where they are not known, or some features are masked."""
        if self.sparse is None or self.mask is not None:
            return None
        return self.sparse if self.is_whole else self.sparse.take(self.cells)

    @cached_property
    def total(self) -> Tensor:
        """Sum over features, of shape (row, 1)."""
        if self.entries is not None:
            return self.entries.total()
        return self.dense.sum(-1, keepdim=True)


@dataclass
class Minibatch:
    """Dense, row-aligned tensors of a set of cells.

    Values of a modality that a cell lacks, and of features that its batch did not measure, are 0 in
    `x`; `present` and `feature_mask`, never the values, say what was measured.

    Attributes
    ----------
    x
        Modality name -> float32 tensor (cell, feature), in registered feature order.
    present
        Boolean tensor (cell, modality): which modalities the cell has, in registered order.
    batch
        Long tensor (cell): index of the cell's batch; all 0 without a batch key.
    categorical
        Long tensor (cell, categorical covariate).
    continuous
        Float32 tensor (cell, continuous covariate), standardised.
    feature_mask
        Modality name -> boolean tensor (cell, feature), True where the cell's batch measured the
        feature. Only modalities with a feature panel have an entry.
    rows
        Long tensor (cell): row of the cell in the MuData.
    sparse
        Modality name -> entries of its `x` that are not 0, where the data hold them so: what is
        sparse is then computed sparsely. There are none of what a cell lacks or its batch did not
        measure.
    """

    x: dict[str, Tensor]
    present: Tensor
    batch: Tensor
    categorical: Tensor
    continuous: Tensor
    feature_mask: dict[str, Tensor] = field(default_factory=dict)
    rows: Tensor | None = None
    sparse: dict[str, SparseEntries] = field(default_factory=dict)

    def observed(self, name: str, cells: Tensor) -> Observed:
        """Return a modality's values for some cells, given by position."""
        mask = self.feature_mask.get(name)
        return Observed(
            self.x[name],
            cells,
            self.sparse.get(name),
            None if mask is None else mask[cells],
            len(cells) == len(self) and bool((cells.diff() == 1).all()),
        )

    def __len__(self) -> int:
        """Return the number of cells."""
        return int(self.present.shape[0])

    def to(self, target: device | str) -> "Minibatch":
        """Return the same minibatch on another device."""
        return Minibatch(
            x={name: value.to(target) for name, value in self.x.items()},
            present=self.present.to(target),
            batch=self.batch.to(target),
            categorical=self.categorical.to(target),
            continuous=self.continuous.to(target),
            feature_mask={name: mask.to(target) for name, mask in self.feature_mask.items()},
            rows=None if self.rows is None else self.rows.to(target),
            sparse={
                name: SparseEntries(*(part.to(target) for part in entries))
                for name, entries in self.sparse.items()
            },
        )
