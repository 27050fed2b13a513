"""Summary statistics of a modality's values, enough to assess them without keeping them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import scipy.sparse as sp
from numpy.typing import NDArray

from hzau_omics.data.contract.matrix import Matrix
from hzau_omics.data.contract.spec import ModalitySpec
from hzau_omics.data.pitfalls.detection import depths, detections

SAMPLED = 1000
"""Evenly spaced cells of a batch from which the statistics of its features are computed."""

NAMED = 5
"""Empty cells that a message names; one more tells that there are others."""


@dataclass
class BatchSummary:
    """Statistics of one batch of a modality.

    Attributes
    ----------
    depth
        Sum of every cell (or its number of values other than 0; see `depths`).
    counted
        Depth of the cells in which detections were counted: all cells, or a sample.
    detected
        Number of these cells in which a feature is not 0 (feature).
    sampled
        Number of cells in the sample from which `total` and `squares` are computed.
    total, squares
        Sums of absolute values and of their squares (feature).
    """

    depth: NDArray[np.float64]
    counted: NDArray[np.float64]
    detected: NDArray[np.int64]
    sampled: int
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    def plus(self, other: "BatchSummary") -> "BatchSummary":
        """Return the statistics of two parts of a batch together."""
        return BatchSummary(
            np.concatenate([self.depth, other.depth]),
            np.concatenate([self.counted, other.counted]),
            self.detected + other.detected,
            self.sampled + other.sampled,
            self.total + other.total,
            self.squares + other.squares,
        )


@dataclass
class ModalitySummary:
    """Statistics of a modality in one MuData, or in several that are added one after another.

    Attributes
    ----------
    name, spec, var_names
        The modality, its specification, and its features.
    batches
        Batch -> its statistics; batches without a cell of the modality are not in it.
    empty_cells
        Names of the first cells that are 0 throughout.
    largest
        Largest value, with the names of its cell and its feature.
    """

    name: str
    spec: ModalitySpec
    var_names: tuple[str, ...]
    batches: dict[str, BatchSummary] = field(default_factory=dict)
    empty_cells: list[str] = field(default_factory=list)
    largest: tuple[float, str, str] = (-np.inf, "", "")

    def add(
        self,
        matrix: Matrix,
        *,
        var_names: Sequence[str],
        cells: "pd.Index[str]",
        codes: NDArray[np.int64],
        categories: Sequence[str],
        sampled: bool = False,
    ) -> None:
        """Add the cells of a matrix.

        Parameters
        ----------
        matrix
            Values (cell, feature).
        var_names
            Features, in the order of the columns: the same set each time, in any order.
        cells
            Names of the rows.
        codes
            Batch of every row, as a position in `categories`.
        categories
            Names of the batches.
        sampled
            Whether to count detections in a sample of each batch only.
        """
        order = pd.Index(var_names).get_indexer(pd.Index(self.var_names))
        depth = depths(matrix)
        in_all = None if sampled else detections(matrix, codes, len(categories))
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            picked = rows[:: -(-len(rows) // SAMPLED)]
            taken = matrix[picked]
            # scipy does not compute with half precision.
            sample = sp.csr_array(taken.astype(np.float64) if taken.dtype == np.float16 else taken)
            features, size = sample.indices, np.abs(sample.data.astype(np.float64))
            detected = np.bincount(features[size > 0], minlength=len(order))
            part = BatchSummary(
                depth=depth[rows],
                counted=depth[picked if in_all is None else rows],
                detected=(detected if in_all is None else in_all[code])[order],
                sampled=len(picked),
                total=np.bincount(features, size, len(order))[order],
                squares=np.bincount(features, size**2, len(order))[order],
            )
            known = self.batches.get(categories[code])
            self.batches[categories[code]] = part if known is None else known.plus(part)
        empty = cells[depth == 0][: NAMED + 1 - len(self.empty_cells)]
        self.empty_cells += [str(cell) for cell in empty]
        self._update_largest(matrix, cells, var_names)

    def _update_largest(
        self, matrix: Matrix, cells: "pd.Index[str]", var_names: Sequence[str]
    ) -> None:
        values = matrix.reshape(-1) if isinstance(matrix, np.ndarray) else matrix.data
        if not values.size or values.max() <= self.largest[0]:
            return
        position = int(values.argmax())
        if isinstance(matrix, np.ndarray):
            row, column = divmod(position, matrix.shape[1])
        else:
            major = int(np.searchsorted(matrix.indptr, position, side="right")) - 1
            minor = int(matrix.indices[position])
            row, column = (major, minor) if matrix.format == "csr" else (minor, major)
        self.largest = (float(values[position]), str(cells[row]), str(var_names[column]))

    @property
    def depth(self) -> NDArray[np.float64]:
        """Depth of every cell, batch by batch."""
        return np.concatenate([batch.depth for batch in self.batches.values()])
