"""The reference: what a trained model keeps of its training cells, without their values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data.changes.identity import CellIdentity
from hzau_omics.model.states import GroupShifts
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.subsets import MAX_MODALITIES_FOR_ALL_SUBSETS, SubsetFamily

type Subset = tuple[str, ...]

MAX_REFERENCE = 20_000
"""Most cells that are kept."""


@dataclass(frozen=True, eq=False)
class LabelVotes:
    """How labels are predicted from one set of modalities.

    Attributes
    ----------
    temperature
        What the agreement with each labelled reference cell is divided by.
    floor
        Share of the probability that all labels have equally.
    scores, labels
        Of calibration cells with a label: minus the log probability that it got, and its code.
    """

    temperature: float
    floor: float
    scores: Tensor
    labels: Tensor


@dataclass(frozen=True, eq=False)
class View:
    """The reference cells that have a set of modalities, inferred from this set.

    Attributes
    ----------
    posterior
        Their posteriors (cell, latent), in half precision.
    votes
        How labels are predicted; None where the cells have fewer than two labels.
    distances
        Of calibration cells, ascending: the distance to the reference that novelty rests on.
    """

    posterior: DiagonalGaussian
    votes: LabelVotes | None = None
    distances: Tensor = field(default_factory=lambda: torch.zeros(0))


@dataclass(frozen=True, eq=False)
class Reference:
    """Posteriors of training cells, and what answers that compare with them were calibrated to.

    Attributes
    ----------
    names
        64-bit hash of each cell's name, by which a training cell is recognised.
    labels
        Code of each cell's label, -1 where it has none.
    present
        Which modalities each cell has (cell, modality).
    modalities
        Names of the modalities, in the order of registration.
    views
        The cells inferred from each set of modalities that they may be inferred from.
    shifts
        How groups of cells are shifted; None where the cells are too few, and in models of earlier
        versions.
    """

    names: NDArray[np.uint64]
    labels: NDArray[np.int64]
    present: NDArray[np.bool_]
    modalities: tuple[str, ...]
    views: Mapping[Subset, View]
    shifts: GroupShifts | None = None

    def having(self, given: Subset) -> NDArray[np.int64]:
        """Return positions of the cells that have all modalities of a set, as in its view."""
        return having(self.present, self.modalities, given)

    def positions_of(self, names: "pd.Index[str]") -> NDArray[np.int64]:
        """Return where cells with these names are in the reference, -1 where they are not."""
        hashed = CellIdentity.of(names, None).names
        return np.asarray(pd.Index(self.names).get_indexer(pd.Index(hashed)), dtype=np.int64)

    def to_tensors(self) -> dict[str, Tensor]:
        """Return everything as tensors, for safetensors."""
        tensors = {
            "names": torch.from_numpy(self.names.view(np.int64).copy()),
            "labels": torch.from_numpy(self.labels.astype(np.int32)),
            "present": torch.from_numpy(self.present.copy()),
        }
        for given, view in self.views.items():
            start = self._key(given)
            tensors[f"{start}mean"] = view.posterior.mean.contiguous()
            tensors[f"{start}logvar"] = view.posterior.logvar.contiguous()
            tensors[f"{start}distances"] = view.distances.contiguous()
            if view.votes is not None:
                for name in ("temperature", "floor"):
                    value = torch.tensor(getattr(view.votes, name), dtype=torch.float64)
                    tensors[f"{start}{name}"] = value
                tensors[f"{start}label_scores"] = view.votes.scores.contiguous()
                tensors[f"{start}label_codes"] = view.votes.labels.contiguous()
        return (
            tensors
            if self.shifts is None
            else {**tensors, **self.shifts.to_tensors(self.modalities)}
        )

    def _key(self, given: Subset) -> str:
        # Positions of the modalities, whose names may hold any character.
        return f"{'-'.join(str(self.modalities.index(name)) for name in given)}."

    @classmethod
    def from_tensors(
        cls, tensors: Mapping[str, Tensor], modalities: tuple[str, ...]
    ) -> Self | None:
        """Build the value from `to_tensors`'s result; None where there is none."""
        if "names" not in tensors:
            return None
        views = {}
        starts = (key.removesuffix("mean") for key in tensors if key.endswith(".mean"))
        for start in sorted(starts, key=lambda start: (len(start), start)):
            part = {
                key.removeprefix(start): value
                for key, value in tensors.items()
                if key.startswith(start)
            }
            given = tuple(modalities[int(i)] for i in start.removesuffix(".").split("-"))
            votes = None
            if "temperature" in part:
                votes = LabelVotes(
                    float(part["temperature"]),
                    float(part["floor"]),
                    part["label_scores"],
                    part["label_codes"],
                )
            posterior = DiagonalGaussian(part["mean"], part["logvar"])
            views[given] = View(posterior, votes, part["distances"])
        return cls(
            tensors["names"].numpy().view(np.uint64),
            tensors["labels"].numpy().astype(np.int64),
            tensors["present"].numpy(),
            modalities,
            views,
            GroupShifts.from_tensors(tensors, modalities),
        )


def having(
    present: NDArray[np.bool_], modalities: tuple[str, ...], given: Subset
) -> NDArray[np.int64]:
    """Return positions of the cells that have all modalities of a set."""
    columns = [modalities.index(name) for name in given]
    return np.flatnonzero(present[:, columns].all(axis=1))


def inferable_sets(network: MultimodalVAE) -> tuple[Subset, ...]:
    """Return the sets of modalities that cells are compared by.

    These are all sets of up to four modalities, otherwise single ones and all together, as far as
    the system has a posterior given them.
    """
    names = network.modalities
    few = len(names) <= MAX_MODALITIES_FOR_ALL_SUBSETS
    family = (SubsetFamily.every if few else SubsetFamily.singles_and_all)(names)
    known = network.pool.available(family.membership().to(network.membership.device)).any(-1)
    return tuple(s for s, ok in zip(family.subsets, known.tolist(), strict=True) if ok)


def best_set(seen: Subset, sizes: Mapping[Subset, int], least: int) -> Subset | None:
    """Return the set by which a cell is compared that was inferred from the modalities `seen`.

    It is the largest set within `seen` that is large enough, by its size in `sizes`; where none is,
    that of the largest size. None where none has any.

    Examples
    --------
    >>> sizes = {("rna",): 90, ("adt",): 80, ("rna", "adt"): 3}
    >>> best_set(("rna", "adt"), sizes, 50), best_set(("rna", "adt"), sizes, 2)
    (('rna',), ('rna', 'adt'))
    """
    inside = {s: n for s, n in sizes.items() if n > 0 and set(s) <= set(seen)}
    enough = [s for s, n in inside.items() if n >= least]
    if enough:
        return max(enough, key=lambda s: (len(s), inside[s]))
    return max(inside, key=lambda s: inside[s], default=None)
