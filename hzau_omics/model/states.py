"""States of the training cells, and how groups of cells lie shifted within each of them.

A group are the cells of a batch that are inferred from the same modalities.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import CellStore
from hzau_omics.nn.states.mixture import States, fit_shift

type GroupKey = tuple[int, tuple[str, ...]]
"""Code of the batch, and the modalities that cells are inferred from."""

MIN_CELLS, MAX_CELLS = 20, 2000
"""Cells from which the shifts of a group are found: at least, and at most."""

START = "states."
"""Beginning of the names of tensors."""


@dataclass(frozen=True, eq=False)
class GroupShifts:
    """The states of the reference, and the shifts of its groups.

    Attributes
    ----------
    states
        The states, in shared coordinates.
    shifts
        Shift of each group in each state (state, latent).
    """

    states: States
    shifts: Mapping[GroupKey, Float[Tensor, "state latent"]]

    def to_tensors(self, modalities: tuple[str, ...]) -> dict[str, Tensor]:
        """Return everything as tensors, for safetensors."""
        states, groups = self.states, list(self.shifts)
        keys = [(code, *(name in given for name in modalities)) for code, given in groups]
        return {
            f"{START}centre": states.centre.contiguous(),
            f"{START}weight": states.weight.contiguous(),
            f"{START}variance": states.variance.clone(),
            f"{START}group": torch.tensor(keys, dtype=torch.int32),
            f"{START}shift": torch.stack([self.shifts[key] for key in groups]),
        }

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], modalities: tuple[str, ...]
    ) -> Self | None:
        """Build the value from `to_tensors`'s result; None where there is none."""
        if f"{START}centre" not in tensors:
            return None
        centre, weight, variance = (tensors[f"{START}{key}"] for key in States.__annotations__)
        shifts = {}
        keys, values = tensors[f"{START}group"].tolist(), tensors[f"{START}shift"]
        for (code, *has), shift in zip(keys, values, strict=True):
            given = tuple(name for name, ok in zip(modalities, has, strict=True) if ok)
            shifts[code, given] = shift
        return cls(States(centre, weight, variance), shifts)


class ShiftsOfCells:
    """Shifts of the groups in a store: known ones, and those found from the store's own cells.

    Parameters
    ----------
    known
        States and shifts of the reference.
    store
        Cells of known and of new groups.
    modalities
        Names of the modalities, in the order of registration.
    place
        Function that returns the points of some cells of the store, given some modalities.
    """

    def __init__(
        self,
        known: GroupShifts,
        store: CellStore,
        modalities: tuple[str, ...],
        place: Callable[[NDArray[np.int64], tuple[str, ...]], NDArray[np.float32]],
    ) -> None:
        self._known, self._store, self._modalities, self._place = known, store, modalities, place
        self._found: dict[GroupKey, Tensor | None] = {}

    def without(
        self,
        points: Float[Tensor, "cell latent"],
        batch: Int[Tensor, " cell"],
        seen: Bool[Tensor, "cell modality"],
    ) -> Float[Tensor, "cell latent"]:
        """Return points without the shifts of their groups; those inferred from nothing stay."""
        states, points = self._known.states.to(points.device), points.clone()
        keys = torch.cat([batch.unsqueeze(1), seen.long()], 1)
        groups, group = torch.unique(keys, dim=0, return_inverse=True)
        for i, (code, *has) in enumerate(groups.tolist()):
            given = tuple(name for name, ok in zip(self._modalities, has, strict=True) if ok)
            shift = self._shift((code, given)) if given else None
            if shift is not None:
                moved = states.unshifted(points[group == i].double(), shift.to(states.centre))
                points[group == i] = moved.to(points)
        return points

    def _shift(self, key: GroupKey) -> Tensor | None:
        if key in self._known.shifts:
            return self._known.shifts[key]
        if key not in self._found:
            self._found[key] = self._shift_of_store(*key)
        return self._found[key]

    def _shift_of_store(self, code: int, given: tuple[str, ...]) -> Tensor | None:
        """Return the shifts of cells that have what they are inferred from; None for too few."""
        columns = [self._modalities.index(name) for name in given]
        has = self._store.present[:, columns].all(axis=1)
        cells = np.flatnonzero(has & (self._store.batch == code))
        if len(cells) < MIN_CELLS:
            return None
        chosen = np.sort(np.random.default_rng(0).permutation(cells)[:MAX_CELLS])
        return fit_shift(self._known.states, torch.from_numpy(self._place(chosen, given)))
