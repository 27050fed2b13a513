"""Failed measurements for training: what encoders are shown in place of some cells' values.

A gate that never saw a failure cannot know one. In training some cells have one modality replaced
by what a failed measurement would give; what is to be reconstructed stays clean.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hzau_omics.checks import PROPER_SHARE, check_number
from hzau_omics.minibatch import Minibatch, SparseEntries

Values = Float[Tensor, "row feature"]
Kept = Float[Tensor, "row 1"]
Ambient = Callable[[Values, Kept, Values], Values]
"""Values, the share of them that is kept, and the means of what comes in their place."""

Thinning = Callable[[Values, Kept], Values]

FAILED_AMBIENT, FAILED_THINNED = 0.5, 0.1
"""A measurement counts as failed if at most this share of it is its own (ambient), or at most this
share of its counts is left (thinned)."""

MOST_KEPT, LEAST_KEPT = 0.7, 0.01
"""Ambient leaves a share between 0 and the first, uniformly; thinning one between the second and 1,
whose log is uniform."""

MOST_SPARSE = 4
"""Steps of which at most one has failures, that many times as many: encoding a few more cells takes
long for the weights that are read, not for the cells."""

DONORS, FEWEST_DONORS = 32, 2
"""Cells of a minibatch that ambient profiles may be mixed from, and the fewest for one."""


def _where_positive(change: Callable[[Tensor, Tensor], Tensor], x: Values, kept: Kept) -> Values:
    """Change what is above 0, given the share that is kept; 0 stays 0."""
    share = kept.expand_as(x)
    if x.device.type != "cpu":
        return torch.where(x > 0, change(x, share), 0.0)
    # Most values are 0, and a draw takes long on a processor.
    where = x > 0
    return torch.zeros_like(x).masked_scatter_(where, change(x[where], share[where]))


def _some_of(x: Values, kept: Kept) -> Values:
    """Keep each count with a probability."""
    return _where_positive(torch.binomial, x, kept)


def _kept_or_0(value: Tensor, share: Tensor) -> Tensor:
    return torch.where(torch.rand_like(value) < share, value, 0.0)


def ambient_counts(x: Values, kept: Kept, profile: Values) -> Values:
    """Replace a share of the counts by counts from a profile that sums to 1, about as many."""
    return _some_of(x, kept) + torch.poisson((1 - kept) * x.sum(-1, keepdim=True) * profile)


def thinned_counts(x: Values, kept: Kept) -> Values:
    """Keep each count with a probability."""
    return _some_of(x, kept)


def ambient_values(x: Values, kept: Kept, profile: Values) -> Values:
    """Replace a share of values in [0, 1] by 0 or 1, drawn with a profile of means."""
    # Where nothing was, it does not matter whether a 0 is kept.
    own = _where_positive(_kept_or_0, x, kept)
    lost = torch.where((x > 0) & (own == 0), 1.0, 1 - kept)
    drawn = (torch.rand_like(x) < lost * profile).float()
    return torch.where(own > 0, own, drawn)


def thinned_values(x: Values, kept: Kept) -> Values:
    """Keep each value with a probability, and put 0 elsewhere."""
    return _where_positive(_kept_or_0, x, kept)


def another_category(x: Values, kept: Kept, profile: Values) -> Values:
    """Replace every row by another category, drawn from a profile of frequencies.

    One value cannot fail by halves: `kept` does not matter.
    """
    # A single category has no other.
    drawn = torch.multinomial((profile * (1 - x)).clamp_min(1e-9), 1)
    return torch.zeros_like(x).scatter_(-1, drawn, 1.0)


def another_text(x: Values, kept: Kept, other: Values) -> Values:
    """Replace every row by another cell's: a text fails by being about something else."""
    return other


def towards_mean(x: Values, kept: Kept, profile: Values) -> Values:
    """Move real values towards a profile of means."""
    return kept * x + (1 - kept) * profile


@dataclass(frozen=True)
class Damages:
    """What happens to a kind of values when a measurement fails.

    Attributes
    ----------
    ambient
        What comes from elsewhere.
    thinned
        What is lost; None where nothing can be.
    counts
        Whether profiles are shares of counts.
    whole
        Whether `ambient` leaves nothing, however much is to be kept.
    swaps
        Whether it takes another cell's values in place of a profile's.
    """

    ambient: Ambient
    thinned: Thinning | None = None
    counts: bool = False
    whole: bool = False
    swaps: bool = False


_COUNTS = Damages(ambient_counts, thinned_counts, counts=True)
DAMAGES: Mapping[str, Damages] = {
    **dict.fromkeys(("nb", "zinb", "poisson", "nb_mixture", "multinomial"), _COUNTS),
    "bernoulli": Damages(ambient_values, thinned_values),
    "categorical": Damages(another_category, whole=True),
    "normal": Damages(towards_mean),
}


def damages_of(likelihood: str, *, is_text: bool = False) -> Damages:
    """Return what happens to a modality's values; a text is also swapped for another cell's."""
    damages = DAMAGES[likelihood]
    if not is_text:
        return damages
    return Damages(another_text, damages.thinned, whole=True, swaps=True)


@dataclass(frozen=True)
class Corrupted:
    """Some cells of a minibatch, one modality of each of which is corrupted.

    Attributes
    ----------
    batch
        These cells as encoders see them.
    cells
        Their positions in the minibatch that they come from, in the processor's memory.
    modality
        Position of each one's corrupted modality, in the processor's memory.
    thinned
        Whether counts are lost, instead of being ambient, in the processor's memory.
    failed
        Whether it is corrupted so much that it counts as failed, in the processor's memory.
    """

    batch: Minibatch
    cells: Int[Tensor, " row"]
    modality: Int[Tensor, " row"]
    thinned: Bool[Tensor, " row"]
    failed: Bool[Tensor, " row"]


class Corruptor:
    """Draws failed measurements, in one of every `every` steps.

    An ambient profile is the mean of the cell's batch or, as often, a random mixture of a few cells
    of the minibatch, since no two suspensions have the same.

    Parameters
    ----------
    share
        Share of the cells of which one modality, drawn at random, is corrupted.
    likelihoods
        Likelihood of each modality by name, in registered order.
    profiles
        Mean of each feature by batch (batch, feature), of the same modalities.
    texts
        Names of those that are made of text.

    Raises
    ------
    ConfigError
        The share is not in [0, 1).
    """

    def __init__(
        self,
        share: float,
        likelihoods: Mapping[str, str],
        profiles: Mapping[str, Float[Tensor, "batch feature"]],
        *,
        texts: Collection[str] = (),
    ) -> None:
        share = check_number("corruption", share, PROPER_SHARE)
        self.every = min(MOST_SPARSE, int(1 / share)) if share else 1
        self.share = share * self.every
        self.names = tuple(likelihoods)
        self.damages = [
            damages_of(likelihood, is_text=name in texts)
            for name, likelihood in likelihoods.items()
        ]
        self.profiles = [
            _as_shares(profiles[name]) if damages.counts else profiles[name]
            for name, damages in zip(self.names, self.damages, strict=True)
        ]

    def __call__(self, batch: Minibatch) -> Corrupted | None:
        """Corrupt some cells of a minibatch; None if none were drawn."""
        present = batch.present_on_host
        # Where nothing else is at hand, there is nobody to turn to.
        drawn = (torch.rand(len(present)) < self.share) & (present.sum(-1) > 1)
        cells = drawn.nonzero().squeeze(-1)
        if not len(cells):
            return None
        modality = torch.multinomial(present[cells].float(), 1).squeeze(-1)
        return self._corrupt(batch, cells, modality, failed_only=False)

    def fail(self, batch: Minibatch, modality: int, cells: Tensor | None = None) -> Corrupted:
        """Let one modality of all cells, or of some that have it, fail."""
        cells = torch.arange(len(batch)) if cells is None else cells
        which = torch.full_like(cells, modality)
        return self._corrupt(batch, cells, which, failed_only=True)

    def _corrupt(
        self, batch: Minibatch, cells: Tensor, modality: Tensor, *, failed_only: bool
    ) -> Corrupted:
        can_thin = torch.tensor([d.thinned is not None for d in self.damages])
        thin = (torch.rand(len(cells)) < 0.5) & can_thin[modality]
        limit = torch.where(thin, FAILED_THINNED, FAILED_AMBIENT)
        u = torch.rand(len(cells))
        most = torch.where(thin, 1.0, MOST_KEPT)
        if failed_only:
            most = limit
        log_kept = math.log(LEAST_KEPT) * u + most.log() * (1 - u)
        kept = torch.where(thin, log_kept.exp(), most * u)
        whole = torch.tensor([d.whole for d in self.damages])[modality] & ~thin
        kept = torch.where(whole, 0.0, kept)
        values: dict[str, Values] = {}
        for m in range(len(self.names)):
            if not (modality == m).any():
                continue
            x = values[self.names[m]] = _dense_rows(batch, self.names[m], cells)
            for thinned in (False, True):
                rows = ((modality == m) & (thin == thinned)).nonzero().squeeze(-1)
                if len(rows):
                    where, share = rows.to(x.device), kept[rows].to(x.device).unsqueeze(-1)
                    failed = self._damaged(x[where], share, batch, m, cells[rows], thinned=thinned)
                    x.index_copy_(0, where, failed)
        spoilt = batch.take(cells).with_values(values)
        return Corrupted(spoilt, cells, modality, thin, kept <= limit)

    def _damaged(
        self, x: Values, kept: Kept, batch: Minibatch, m: int, cells: Tensor, *, thinned: bool
    ) -> Values:
        """Return failed measurements in place of some cells'."""
        damages = self.damages[m]
        if thinned and damages.thinned is not None:
            return damages.thinned(x, kept)
        if damages.swaps:
            return damages.ambient(x, kept, self._of_others(batch, m, x))
        index = cells.to(x.device)
        profile = self._some_mixed(batch, m, self.profiles[m].to(x.device)[batch.batch[index]])
        profile = profile * _measured(batch, self.names[m], index)
        return damages.ambient(x, kept, _as_shares(profile) if damages.counts else profile)

    def _of_others(self, batch: Minibatch, m: int, x: Values) -> Values:
        """Return values of other cells of the minibatch, different ones where there are any."""
        donors = _dense_rows(batch, self.names[m], self._donors(batch, m))
        # Differences, not products: equal rows must be at a distance of exactly 0.
        apart = torch.cdist(x, donors, compute_mode="donot_use_mm_for_euclid_dist")
        differs = (apart > 0).float()
        return donors[torch.multinomial(differs + 1e-6, 1).squeeze(-1)]

    @staticmethod
    def _donors(batch: Minibatch, m: int) -> Tensor:
        """Return some cells that have a modality."""
        having = batch.present_on_host[:, m].nonzero().squeeze(-1)
        return having[torch.randperm(len(having))[:DONORS]]

    def _some_mixed(self, batch: Minibatch, m: int, profile: Values) -> Values:
        """Replace half of the profiles by random mixtures of a few cells each."""
        donors = self._donors(batch, m)
        if len(donors) < FEWEST_DONORS:
            return profile
        x = _dense_rows(batch, self.names[m], donors)
        if self.damages[m].counts:
            x = _as_shares(x)
        chosen = (torch.rand(len(profile)) < 0.5).nonzero().squeeze(-1)
        n_rows = len(chosen)
        n_donors = torch.randint(FEWEST_DONORS, len(donors) + 1, (n_rows, 1))
        rank = torch.rand(n_rows, len(donors)).argsort(-1)
        weight = torch.where(rank < n_donors, torch.rand(n_rows, len(donors)), 0.0)
        weight = weight / weight.sum(-1, keepdim=True).clamp_min(1e-6)
        return profile.index_copy(0, chosen.to(profile.device), weight.to(profile.device) @ x)


def _dense_rows(batch: Minibatch, name: str, cells: Tensor) -> Values:
    """Return a copy of the values of some cells, without making all others dense."""
    sparse = batch.sparse.get(name)
    if sparse is not None:
        return sparse.take(cells).dense()
    return batch.x[name][cells.to(batch.present.device)]


def _measured(batch: Minibatch, name: str, index: Tensor) -> Tensor | float:
    """Return which features of some cells were measured, or 1 where all were."""
    mask = batch.feature_mask.get(name)
    return 1.0 if mask is None else mask[index].float()


def _as_shares(profile: Float[Tensor, "row feature"]) -> Float[Tensor, "row feature"]:
    return profile / profile.sum(-1, keepdim=True).clamp_min(1e-12)


class MeanProfile:
    """Mean of every feature of a modality by batch, of minibatches of cells that have it.

    A batch's mean is drawn towards that of all cells, as much as if it had one count more per
    feature from there: few cells say little of features that are seldom seen.
    """

    def __init__(self, n_batches: int, n_features: int) -> None:
        self._total = torch.zeros(n_batches, n_features)
        self._count = torch.zeros(n_batches)
        self._amount = 0.0

    def add(self, batch: Minibatch, name: str) -> None:
        """Count more cells in."""
        entries = batch.sparse.get(name)
        entries = SparseEntries.of(batch.x[name]) if entries is None else entries
        where = batch.batch[entries.row], entries.feature
        self._total.index_put_(where, entries.value, accumulate=True)
        self._count += torch.bincount(batch.batch, minlength=len(self._count))
        self._amount += float(entries.value.abs().sum())

    def mean(self) -> Float[Tensor, "batch feature"]:
        """Return the means; 0 without any cell."""
        n_cells = self._count.sum().clamp_min(1)
        overall = self._total.sum(0) / n_cells
        extra = self._total.shape[1] * n_cells / max(self._amount, 1.0)
        count = self._count.unsqueeze(1)
        return (self._total + extra * overall) / (count + extra)
