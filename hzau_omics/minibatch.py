"""The minibatch: what passes from the data layer to the network."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, override

import torch
from torch import Tensor, device, nn


class SparseEntries(NamedTuple):
    """Entries of a sparse matrix (row, feature), sorted by row; all other values are 0.

    Attributes
    ----------
    start
        Long tensor (row + 1): where the entries of each row begin. It stays in CPU memory wherever
        the others are, so that sizes are known without waiting for a device.
    row, feature
        Long tensors: position of each entry.
    value
        Float32 tensor: value of each entry.
    n_features
        Number of features.

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
    n_features: int

    @classmethod
    def of(cls, x: Tensor) -> "SparseEntries":
        """Return the entries of a dense matrix that are not 0."""
        row, feature = (x != 0).nonzero(as_tuple=True)
        start = torch.searchsorted(row, torch.arange(len(x) + 1, device=x.device))
        return cls(start.cpu(), row, feature, x[row, feature], x.shape[1])

    def take(self, rows: Tensor) -> "SparseEntries":
        """Return the entries of some rows, in the order given; rows may repeat.

        `rows` is in CPU memory, as `start` is.
        """
        first, length = self.start[rows], self.start[rows + 1] - self.start[rows]
        start = torch.cat([length.new_zeros(1), length.cumsum(0)])
        n_entries, device = int(start[-1]), self.value.device
        row = torch.arange(len(rows), device=device).repeat_interleave(
            length.to(device, non_blocking=True), output_size=n_entries
        )
        shift = (first - start[:-1]).to(device, non_blocking=True)
        source = shift[row] + torch.arange(n_entries, device=device)
        feature = self.feature[source].long()
        return SparseEntries(start, row, feature, self.value[source], self.n_features)

    def repeat(self, times: int) -> "SparseEntries":
        """Return the same rows, several times over."""
        if times == 1:
            return self
        n_rows, n_entries = len(self.start) - 1, len(self.value)
        first = torch.arange(times).unsqueeze(1)
        start = (self.start[:-1] + n_entries * first).flatten()
        row = self.row + n_rows * first.to(self.row.device, non_blocking=True)
        return SparseEntries(
            torch.cat([start, start.new_full((1,), times * n_entries)]),
            row.flatten(),
            self.feature.repeat(times),
            self.value.repeat(times),
            self.n_features,
        )

    def total(self) -> Tensor:
        """Return the sum of each row, of shape (row, 1)."""
        # Differences of the running sum, in double precision: no row has to be looked up.
        upto = nn.functional.pad(self.value.cumsum(0, dtype=torch.double), (1, 0))
        start = self.start.to(upto.device, non_blocking=True)
        return (upto[start[1:]] - upto[start[:-1]]).to(self.value.dtype).unsqueeze(1)

    def dense(self) -> Tensor:
        """Return the matrix (row, feature) with its zeros."""
        out = self.value.new_zeros(len(self.start) - 1, self.n_features)
        out.view(-1)[self.row * self.n_features + self.feature] = self.value
        return out

    def to(self, target: device | str) -> "SparseEntries":
        """Return the same entries on another device."""
        row, feature, value = (
            part.to(target, non_blocking=True) for part in (self.row, self.feature, self.value)
        )
        return SparseEntries(self.start, row, feature, value, self.n_features)

    def pinned(self) -> "SparseEntries":
        """Return the same entries in pinned memory, from which copies to a GPU are asynchronous."""
        row, feature, value = (part.pin_memory() for part in (self.row, self.feature, self.value))
        return SparseEntries(self.start, row, feature, value, self.n_features)


class DenseValues(Mapping[str, Tensor]):
    """Modality name -> dense values; sparse ones are made dense when they are first used.

    Parameters
    ----------
    names
        Modality names, in order.
    dense
        Values of some modalities (cell, feature).
    sparse
        Entries of the other modalities.
    """

    def __init__(
        self, names: Iterable[str], dense: Mapping[str, Tensor], sparse: Mapping[str, SparseEntries]
    ) -> None:
        self._names = tuple(names)
        self._dense = dict(dense)
        self._sparse = sparse

    @override
    def __getitem__(self, name: str) -> Tensor:
        if name not in self._dense:
            self._dense[name] = self._sparse[name].dense()
        return self._dense[name]

    @override
    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    @override
    def __len__(self) -> int:
        return len(self._names)


@dataclass(frozen=True)
class Observed:
    """Observed values of one modality for some cells of a minibatch, computed when first used.

    Attributes
    ----------
    batch
        The minibatch.
    name
        The modality.
    cells
        Long tensor (row): positions in the minibatch; None for all of its cells.
    repeats
        Number of times that these rows follow each other.
    """

    batch: "Minibatch"
    name: str
    cells: Tensor | None
    repeats: int = 1

    @cached_property
    def mask(self) -> Tensor | None:
        """Boolean tensor (row, feature) of measured features; None if all were measured."""
        mask = self.batch.feature_mask.get(self.name)
        return None if mask is None else self.rows_of(mask)

    def rows_of(self, values: Tensor) -> Tensor:
        """Return what belongs to these rows, of a tensor with one row per cell."""
        if self.cells is not None:
            values = values.index_select(0, self.cells.to(values.device, non_blocking=True))
        return values if self.repeats == 1 else values.repeat(self.repeats, 1)

    @cached_property
    def dense(self) -> Tensor:
        """Values (row, feature), 0 at features that were not measured."""
        values = self.rows_of(self.batch.x[self.name])
        # Masked before anything is computed: the gradient of a NaN stays NaN after its loss is
        # zeroed.
        return values if self.mask is None else torch.where(self.mask, values, 0.0)

    @cached_property
    def entries(self) -> SparseEntries | None:
        """Entries other than 0; None if features are masked, or values held densely on a GPU."""
        sparse = self.batch.sparse.get(self.name)
        if self.mask is not None:
            return None
        if sparse is None:
            return SparseEntries.of(self.dense) if self.dense.device.type == "cpu" else None
        if self.cells is not None and not self._in_order:
            sparse = sparse.take(self.cells)
        return sparse.repeat(self.repeats)

    @property
    def _in_order(self) -> bool:
        """Whether the rows are all cells of the minibatch, in its order."""
        cells = self.cells
        if cells is None:
            return True
        return len(cells) == len(self.batch) and bool((cells.diff() == 1).all())

    @cached_property
    def total(self) -> Tensor:
        """Sum over measured features, of shape (row, 1)."""
        if self.entries is not None:
            return self.entries.total()
        return self.dense.sum(-1, keepdim=True)


@dataclass
class Minibatch:
    """Row-aligned tensors of some cells.

    Values of a modality that a cell lacks, and of features that its batch did not measure, are 0 in
    `x`. What was measured is read from `present` and `feature_mask`, never from the values.

    Attributes
    ----------
    x
        Modality name -> float32 tensor (cell, feature), in registered feature order;
        :class:`DenseValues` where some are held sparsely.
    present
        Boolean tensor (cell, modality): measured modalities of the cell, in registered order.
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
        Modality name -> entries of its `x` that are not 0, for modalities that are held sparsely
        and are then computed with sparsely. Modalities that a cell lacks and features that its
        batch did not measure have no entries.
    present_copy
        `present` in CPU memory, where `present` itself is on another device.
    weight
        Weight of the minibatch in the loss: 1, or 0 for the placeholder of a process that has no
        cells left while others still have some.
    complete
        Whether every cell has all modalities, where this is known without looking; else None.
    """

    x: Mapping[str, Tensor]
    present: Tensor
    batch: Tensor
    categorical: Tensor
    continuous: Tensor
    feature_mask: dict[str, Tensor] = field(default_factory=dict)
    rows: Tensor | None = None
    sparse: dict[str, SparseEntries] = field(default_factory=dict)
    weight: float = 1.0
    present_copy: Tensor | None = None
    complete: bool | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every cell has all modalities."""
        if self.complete is None:
            return bool(self.present_on_host.all())
        return self.complete

    def cells_with(self, modality: int) -> Tensor | None:
        """Return the positions of the cells that have a modality; None to compute with all cells.

        On a GPU it is None: the same operations in every step are faster there than fewer cells.
        """
        if self.is_complete or self.present.device.type != "cpu":
            return None
        has = self.present[:, modality]
        return None if bool(has.all()) else has.nonzero().squeeze(-1)

    @property
    def present_on_host(self) -> Tensor:
        """`present` in CPU memory, so that indices follow from it without waiting for a device."""
        return self.present.cpu() if self.present_copy is None else self.present_copy

    def observed(self, name: str, cells: Tensor | None, repeats: int = 1) -> Observed:
        """Return a modality's values for some cells, all of them if `cells` is None.

        `cells` is a long tensor, in CPU memory if the values are held sparsely. With `repeats`,
        these rows follow each other as many times.
        """
        return Observed(self, name, cells, repeats)

    def __len__(self) -> int:
        """Return the number of cells."""
        return int(self.present.shape[0])

    def take(self, cells: Tensor) -> "Minibatch":
        """Return some cells; `cells` is a long tensor, in CPU memory if values are sparse."""
        index = cells.to(self.present.device, non_blocking=True)
        sparse = {name: entries.take(cells) for name, entries in self.sparse.items()}
        dense = {name: self.x[name][index] for name in self.x if name not in sparse}
        return replace(
            self,
            x=DenseValues(self.x, dense, sparse),
            present=self.present[index],
            batch=self.batch[index],
            categorical=self.categorical[index],
            continuous=self.continuous[index],
            feature_mask={name: mask[index] for name, mask in self.feature_mask.items()},
            rows=None if self.rows is None else self.rows[index],
            sparse=sparse,
            present_copy=self._present_copy_of(cells),
            # Of cells that do not all have everything, some may.
            complete=self._complete_of_some(),
        )

    def _complete_of_some(self) -> bool | None:
        if self.complete is None or self.present.device.type == "cpu":
            return True if self.complete else None
        return self.complete

    def _present_copy_of(self, cells: Tensor) -> Tensor | None:
        copy = self.present_copy
        # Which cells these are may be known to the GPU alone.
        return copy[cells] if copy is not None and cells.device == copy.device else None

    def with_values(
        self,
        values: Mapping[str, Tensor],
        entries_of: Callable[[Tensor], SparseEntries] = SparseEntries.of,
    ) -> "Minibatch":
        """Return the same cells with other dense values of some modalities.

        Modalities that were held sparsely are so again, except on a GPU: counting their entries
        would have to wait for it. `entries_of` finds the entries of dense values in CPU memory.
        """
        kept = {name: entries for name, entries in self.sparse.items() if name not in values}
        again = {
            name: entries_of(x)
            for name, x in values.items()
            if name in self.sparse and x.device.type == "cpu"
        }
        dense = {name: self.x[name] for name in self.x if name not in self.sparse}
        return replace(
            self, x=DenseValues(self.x, {**dense, **values}, kept), sparse={**kept, **again}
        )

    def to(self, target: device | str) -> "Minibatch":
        """Return the same minibatch on another device; on a GPU all values are held densely.

        Operations on entries have sizes that a GPU would have to be waited for.
        """
        if self.present.device == torch.device(target):
            return self

        def move(value: Tensor) -> Tensor:
            return value.to(target, non_blocking=True)

        sparse = {name: entries.to(target) for name, entries in self.sparse.items()}
        dense = {name: move(self.x[name]) for name in self.x if name not in sparse}
        if torch.device(target).type != "cpu":
            dense |= {name: entries.dense() for name, entries in sparse.items()}
            sparse = {}
        return Minibatch(
            x=DenseValues(self.x, dense, sparse),
            present=move(self.present),
            batch=move(self.batch),
            categorical=move(self.categorical),
            continuous=move(self.continuous),
            feature_mask={name: move(mask) for name, mask in self.feature_mask.items()},
            rows=None if self.rows is None else move(self.rows),
            sparse=sparse,
            weight=self.weight,
            present_copy=self.present_on_host,
            complete=self.is_complete,
        )

    def pinned(self) -> "Minibatch":
        """Return the same minibatch with values in pinned memory, for asynchronous copies."""
        sparse = {name: entries.pinned() for name, entries in self.sparse.items()}
        dense = {name: self.x[name].pin_memory() for name in self.x if name not in sparse}
        return replace(self, x=DenseValues(self.x, dense, sparse), sparse=sparse)
