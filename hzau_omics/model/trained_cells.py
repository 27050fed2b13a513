"""The cells that a model was trained on and their split, found again by name in other data."""

import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data.changes.identity import UNKNOWN, CellIdentity
from hzau_omics.data.stores.splits import Split
from hzau_omics.errors import HzauWarning

NAMES, VALUES = "names", "values"


@dataclass(frozen=True, eq=False)
class TrainedCells:
    """Cells of a model, and their split.

    Attributes
    ----------
    identity
        What tells the cells apart.
    split
        Their positions.
    """

    identity: CellIdentity
    split: Split

    def split_of(self, cells: CellIdentity) -> Split | None:
        """Return the split of other data, cell by cell, or None where cells are new to the model.

        Cells that are the same (by name, and by value where values are known) stay on their side of
        the split, in whatever order they come. With new cells among them, any split would mix cells
        that the model was trained on with cells that are new to it.

        Warns
        -----
        HzauWarning
            Cells are new, or some of the model's are missing.
        """
        position = self.identity.find(cells)
        n_new = int((position == UNKNOWN).sum())
        if n_new:
            warnings.warn(
                f"{n_new:,} of these {len(cells):,} cells are not among those that the model was "
                "trained on (names and values are compared), so the split into training and "
                "validation cells is dropped. If training goes on, a new split is drawn, and some "
                "of its validation cells may have been trained on.",
                HzauWarning,
                stacklevel=2,
            )
            return None
        n_missing = len(self.identity) - len(position)
        if n_missing:
            warnings.warn(
                f"{n_missing:,} of the {len(self.identity):,} cells that the model was trained on "
                "are not among these; the others keep their place in the split.",
                HzauWarning,
                stacklevel=2,
            )
        side = np.full(len(self.identity), UNKNOWN)
        for i, part in enumerate(self.split):
            side[part] = i
        return Split(*(np.flatnonzero(side[position] == i) for i in range(len(self.split))))

    def to_tensors(self) -> dict[str, Tensor]:
        """Return everything as tensors, for safetensors."""
        tensors = {NAMES: _signed(self.identity.names)}
        if self.identity.values is not None:
            tensors[VALUES] = _signed(self.identity.values)
        parts = self.split._asdict().items()
        return tensors | {name: torch.from_numpy(np.array(part)) for name, part in parts}

    @classmethod
    def from_tensors(cls, tensors: dict[str, Tensor]) -> Self | None:
        """Build the value from `to_tensors`'s result; None before training."""
        if NAMES not in tensors:
            return None
        values = tensors.get(VALUES)
        identity = CellIdentity(
            _unsigned(tensors[NAMES]), None if values is None else _unsigned(values)
        )
        # Earlier versions had no calibration cells.
        parts = {"calibration": torch.empty(0, dtype=torch.int64), **tensors}
        return cls(identity, Split(*(parts[name].numpy() for name in Split._fields)))


def _signed(values: NDArray[np.uint64]) -> Tensor:
    # Not all versions of torch support unsigned integers.
    return torch.from_numpy(values.view(np.int64).copy())


def _unsigned(values: Tensor) -> NDArray[np.uint64]:
    return values.numpy().view(np.uint64)
