"""Cells beside the reference: which of its cells each one is compared with, and how alike."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from hzau_omics.model.reference import Reference, Subset, best_set
from hzau_omics.nn.labels.votes import log_votes
from hzau_omics.nn.neighbours.agreement import WITHIN_STATE, log_agreements
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.novelty.distance import conformal_p_values, neighbour_distance
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.pools import Posterior

if TYPE_CHECKING:
    import pandas as pd

MIN_LABELLED, MIN_CALIBRATION = 50, 25
"""Fewest labelled reference cells, and fewest calibration cells, with which a set of modalities is
preferred to a smaller one."""


class Asked(NamedTuple):
    """Cells that are asked about.

    Attributes
    ----------
    infer
        Gives their posterior from any of their modalities (cell, modality).
    seen
        The modalities that they may be inferred from (cell, modality).
    own
        Where each is in the reference, or -1.
    """

    infer: Callable[[Tensor], Posterior]
    seen: Tensor
    own: Tensor


class Group(NamedTuple):
    """Cells that are compared by one set of modalities.

    Attributes
    ----------
    given
        The set.
    rows
        Their positions among the cells asked about.
    q
        Their posteriors inferred from it.
    own
        Where each is in the reference, or -1.
    """

    given: Subset
    rows: Tensor
    q: DiagonalGaussian
    own: Tensor


class Comparison:
    """The reference on the device of a network.

    Parameters
    ----------
    reference
        The reference.
    network
        The network that it was inferred by.
    """

    def __init__(self, reference: Reference, network: MultimodalVAE) -> None:
        self.reference, self.network = reference, network
        self.device = network.membership.device
        self._labels = torch.from_numpy(reference.labels).to(self.device)
        self._held: dict[Subset, tuple[DiagonalGaussian, Tensor]] = {}

    def asked(
        self, infer: Callable[[Tensor], Posterior], seen: Tensor, names: "pd.Index[str]"
    ) -> Asked:
        """Return cells with these names, of which no training cell is compared with itself."""
        own = torch.from_numpy(self.reference.positions_of(names))
        return Asked(infer, seen, own.to(self.device))

    def log_votes(self, asked: Asked, n_labels: int) -> tuple[Tensor, list[Group]]:
        """Return log probabilities (cell, label), and by which sets the cells were compared.

        NaN where a cell has no modality that labelled cells have.
        """
        views = self.reference.views
        sizes = {s: len(self._labelled(s)[1]) for s, view in views.items() if view.votes}
        found = torch.full((len(asked.own), n_labels), torch.nan, device=self.device)
        groups = list(self._groups(asked, sizes, MIN_LABELLED))
        for group in groups:
            votes = views[group.given].votes
            assert votes is not None
            agreements, codes = self.agreements(group)
            found[group.rows] = log_votes(
                agreements, codes, n_labels, votes.temperature, votes.floor
            )
        return found, groups

    def agreements(self, group: Group) -> tuple[Tensor, Tensor]:
        """Return log agreements (cell, other) with labelled cells, and labels of these."""
        q, which = self._labelled(group.given)
        agreements = log_agreements(group.q, q, within=WITHIN_STATE)
        agreements.masked_fill_(group.own[:, None] == which, -torch.inf)
        return agreements, self._labels[which]

    def labelled_cells(self, given: Subset) -> tuple[Group, Tensor]:
        """Return the labelled reference cells of a set, as cells to compare, and their labels."""
        q, which = self._labelled(given)
        return Group(given, torch.arange(len(which)), q, which), self._labels[which]

    def novelty(self, asked: Asked) -> tuple[Tensor, Tensor]:
        """Return distance and p-value of each cell; NaN where it has no modality to compare by."""
        views = self.reference.views
        sizes = {given: len(view.distances) for given, view in views.items()}
        score, p_value = torch.full((2, len(asked.own)), torch.nan, device=self.device)
        for group in self._groups(asked, sizes, MIN_CALIBRATION):
            distance = self.distance(group)
            calibration = views[group.given].distances.to(self.device)
            score[group.rows] = distance
            p_value[group.rows] = conformal_p_values(distance, calibration)
        return score, p_value

    def distance(self, group: Group) -> Tensor:
        """Return the distance of each cell to the reference cells of its set."""
        q, which = self._view(group.given)
        place = torch.full((len(self._labels) + 1,), -1, device=self.device)
        place[which] = torch.arange(len(which), device=self.device)
        return neighbour_distance(group.q.mean, q.mean, place[group.own])

    def _groups(self, asked: Asked, sizes: Mapping[Subset, int], least: int) -> Iterator[Group]:
        """Split cells by the set that they are compared by, for which see `best_set`."""
        names = self.network.modalities
        patterns, member = torch.unique(asked.seen, dim=0, return_inverse=True)
        seen = [
            tuple(name for name, has in zip(names, pattern, strict=True) if has)
            for pattern in patterns.tolist()
        ]
        chosen = [best_set(pattern, sizes, least) for pattern in seen]
        masks = [[name in (given or ()) for name in names] for given in chosen]
        wanted = torch.tensor(masks, dtype=torch.bool, device=self.device).reshape(patterns.shape)
        q = asked.infer(wanted[member]).q
        for given in dict.fromkeys(one for one in chosen if one is not None):
            of_set = torch.tensor([one == given for one in chosen], device=self.device)
            rows = of_set[member].nonzero().squeeze(-1)
            yield Group(
                given, rows, DiagonalGaussian(q.mean[rows], q.logvar[rows]), asked.own[rows]
            )

    def _view(self, given: Subset) -> tuple[DiagonalGaussian, Tensor]:
        """Return posteriors of the reference cells of a set, and their positions."""
        if given not in self._held:
            half = self.reference.views[given].posterior
            mean, logvar = (part.to(self.device, torch.float32) for part in half)
            which = torch.from_numpy(self.reference.having(given)).to(self.device)
            self._held[given] = DiagonalGaussian(mean, logvar), which
        return self._held[given]

    def _labelled(self, given: Subset) -> tuple[DiagonalGaussian, Tensor]:
        q, which = self._view(given)
        known = (self._labels[which] >= 0).nonzero().squeeze(-1)
        return DiagonalGaussian(q.mean[known], q.logvar[known]), which[known]
