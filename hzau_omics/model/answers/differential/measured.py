"""Sums over the measured values of each group, in two passes over the cells."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.data.contract.spec import FEW_FEATURES
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.differential.groups import NONE
from hzau_omics.model.session import InferenceSession
from hzau_omics.nn.differential.counts import GroupSums, MeasuredCells, rate
from hzau_omics.nn.differential.exchange import ResidualSums
from hzau_omics.nn.differential.loops import add_totals

Array = NDArray[np.float64]

ENTRIES_HELD = 2**23
"""Values (cell, feature) that are held at a time."""


class Block(NamedTuple):
    """Cells of one batch that were measured.

    Attributes
    ----------
    positions
        Their positions in the session.
    cells
        The cells, with the wanted features; the batch is 0 if batches are not told apart.
    """

    positions: NDArray[np.int64]
    cells: MeasuredCells


@dataclass(frozen=True)
class MeasuredValues:
    """The measured values of a modality, block by block.

    Attributes
    ----------
    session
        The cells.
    modality
        Name of the modality.
    features
        Positions of the wanted features.
    by_batch
        Whether batches are told apart.
    """

    session: InferenceSession
    modality: str
    features: NDArray[np.int64]
    by_batch: bool = True

    @property
    def index(self) -> int:
        """Position of the modality."""
        return int(self.session.layout.names.index(self.modality))

    @property
    def has_sizes(self) -> bool:
        """Whether values are shares of a cell's total.

        The total of a panel of a few features is biology more than depth, unless it was registered
        as the library.
        """
        layout = self._layout
        mode = layout.spec.library_mode(layout.n_features)
        return layout.n_features >= FEW_FEATURES or mode != "none"

    @property
    def common(self) -> NDArray[np.int64] | None:
        """Features that every batch with the modality measured, if totals count only these.

        None for all features: without panels, or if too few are common.
        """
        layout = self._layout
        if layout.panel is None:
            return None
        found = np.flatnonzero(layout.panel[layout.measured].all(0))
        return found if len(found) >= FEW_FEATURES else None

    @property
    def has_panels(self) -> bool:
        """Whether some batches did not measure all features."""
        return self._layout.panel is not None

    @property
    def n_batches(self) -> int:
        """Number of batches that are told apart."""
        return self.session.layout.n_batches if self.by_batch else 1

    def blocks(self, positions: NDArray[np.int64]) -> Iterator[Block]:
        """Yield cells of one batch that have the modality."""
        size = max(1, min(1024, ENTRIES_HELD // self._layout.n_features))
        has = self.session.store.present[self.session.cells[positions], self.index]
        for where, part in self.session.parts(positions[has]):
            for rows, batch in part.minibatches(batch_size=size):
                yield from self.of_minibatch(where[rows], batch)

    def of_minibatch(self, positions: NDArray[np.int64], batch: Minibatch) -> Iterator[Block]:
        """Yield the cells of a minibatch that all have the modality, one batch at a time."""
        x = batch.x[self.modality].cpu().numpy()
        sizes = np.ones(len(x))
        if self.has_sizes:
            counted = x if self.common is None else x[:, self.common]
            sizes = counted.sum(1, dtype=np.float64)
        if len(self.features) < x.shape[1]:
            x = x[:, self.features]
        codes = batch.batch.cpu().numpy()
        panel = self._layout.panel
        for code in np.unique(codes):
            own = codes == code
            measured = np.ones(len(self.features))
            if panel is not None:
                measured = panel[code][self.features].astype(np.float64)
            batch_code = int(code) if self.by_batch else 0
            values = x if own.all() else x[own]
            if panel is not None:
                values = values * measured
            yield Block(positions[own], MeasuredCells(batch_code, values, sizes[own], measured))

    @property
    def n_features(self) -> int:
        """Number of all features of the modality."""
        return self._layout.n_features

    @property
    def _layout(self) -> ModalityLayout:
        return self.session.layout.modality(self.modality)


def sum_groups(values: MeasuredValues, codes: NDArray[np.int64], n_groups: int) -> GroupSums:
    """Return the sums over each group and batch."""
    sums = GroupSums.zeros(n_groups, values.n_batches, len(values.features))
    for block in values.blocks(np.flatnonzero(codes != NONE)):
        sums.add(codes[block.positions], block.cells)
    return sums


def sum_counts(
    values: MeasuredValues, codes: NDArray[np.int64], n_groups: int
) -> tuple[Array, Array]:
    """Return the sums of the values of each group, and its numbers of measured cells.

    Of shape (group, feature); numbers of cells (group, 1) without panels. Of many groups, such as
    those of each donor, little more is held than this.
    """
    n_features = len(values.features)
    total = np.zeros((n_groups, n_features))
    n_cells = np.zeros((n_groups, n_features if values.has_panels else 1))
    for block in values.blocks(np.flatnonzero(codes != NONE)):
        own = codes[block.positions]
        add_totals(own, block.cells.values, total)
        n = np.bincount(own, minlength=n_groups)[:, None]
        n_cells += n * block.cells.measured if values.has_panels else n
    return total, n_cells


def sum_residuals(
    values: MeasuredValues,
    codes: NDArray[np.int64],
    sums: GroupSums,
    members: NDArray[np.int64],
    dispersion: Array,
) -> ResidualSums:
    """Return sums of residuals of the groups that take part, from what they have in common.

    Parameters
    ----------
    values
        The values.
    codes
        Group of each cell.
    sums
        Sums over all groups.
    members
        Groups that take part.
    dispersion
        Overdispersion of each feature over these groups (feature,).
    """
    taking = sums.pick(members)
    rates = rate(taking.total, taking.size)
    found = ResidualSums.zeros(*sums.n.shape)
    for block in values.blocks(np.flatnonzero(np.isin(codes, members))):
        own = codes[block.positions]
        found.add(own, block.cells, rates=rates[block.cells.batch], dispersion=dispersion)
    return found
