"""What is kept of a modality's values to judge them once all cells were seen."""

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
"""Cells of a batch that are looked at feature by feature at first, evenly spaced."""


@dataclass
class BatchEvidence:
    """What is known of one batch of a modality.

    Attributes
    ----------
    depth
        Every cell's sum (or number of values other than 0).
    counted
        Depth of the cells that `detected` counts: all of them, or a sample.
    detected
        Cells in which a feature is not 0 (feature).
    sampled
        Cells of the sample that `total` and `squares` are of.
    total, squares
        Sums of values and of their squares (feature).
    """

    depth: NDArray[np.float64]
    counted: NDArray[np.float64]
    detected: NDArray[np.int64]
    sampled: int
    total: NDArray[np.float64]
    squares: NDArray[np.float64]

    def plus(self, other: "BatchEvidence") -> "BatchEvidence":
        """Put together what is known of two parts of a batch."""
        return BatchEvidence(
            np.concatenate([self.depth, other.depth]),
            np.concatenate([self.counted, other.counted]),
            self.detected + other.detected,
            self.sampled + other.sampled,
            self.total + other.total,
            self.squares + other.squares,
        )


@dataclass
class Evidence:
    """What is known of a modality, of one MuData or of several, one after another.

    Attributes
    ----------
    name, spec, var_names
        The modality, how it is read, and its features.
    batches
        Batch -> what is known of it; batches without a cell of the modality are absent.
    empty_cells
        Names of the first cells without any value other than 0.
    largest
        Largest value, with its cell and its feature.
    """

    name: str
    spec: ModalitySpec
    var_names: tuple[str, ...]
    batches: dict[str, BatchEvidence] = field(default_factory=dict)
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
        """Look at a matrix.

        Parameters
        ----------
        matrix
            Values (cell, feature).
        var_names
            Features, in the order of the columns: the same ones each time, in any order.
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
        everywhere = None if sampled else detections(matrix, codes, len(categories))
        for code in np.unique(codes):
            rows = np.flatnonzero(codes == code)
            picked = rows[:: -(-len(rows) // SAMPLED)]
            taken = matrix[picked]
            # Sparse matrices have no half floats.
            sample = sp.csr_array(taken.astype(np.float64) if taken.dtype == np.float16 else taken)
            features, size = sample.indices, np.abs(sample.data.astype(np.float64))
            detected = np.bincount(features[size > 0], minlength=len(order))
            part = BatchEvidence(
                depth=depth[rows],
                counted=depth[picked if everywhere is None else rows],
                detected=(detected if everywhere is None else everywhere[code])[order],
                sampled=len(picked),
                total=np.bincount(features, size, len(order))[order],
                squares=np.bincount(features, size**2, len(order))[order],
            )
            known = self.batches.get(categories[code])
            self.batches[categories[code]] = part if known is None else known.plus(part)
        empty = cells[depth == 0][: 6 - len(self.empty_cells)]
        self.empty_cells += [str(cell) for cell in empty]
        self._look_for_largest(matrix, cells, var_names)

    def _look_for_largest(
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
        """Depth of every cell of every batch."""
        return np.concatenate([batch.depth for batch in self.batches.values()])
