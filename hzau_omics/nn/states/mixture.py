"""A mixture of states whose centres are shifted in each group of cells.

A batch is not shifted as a whole: what differs between two stainings depends on the cell. Points of
all groups are therefore described by one mixture of Gaussians, in which the centre of a component,
a state, may lie elsewhere in each group. How far is learned for each group, so that a group which
lies among the others is left where it is (docs/method.md, equations 53 and 54).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

MOST_STATES, CELLS_PER_STATE = 100, 30
"""Number of states: at most, and one for so many cells."""

ROUNDS, COOLING = 40, 24
"""Rounds of the fit, and those in which it cools down."""

HOTTEST = 5.0
"""Factor of the variance in the first round: groups that lie apart find their common states."""

FIRST_RATIO, LEAST_RATIO, LARGEST_RATIO = 10.0, 0.1, 1000.0
"""Variance within a state over that of a group's shifts: in the first round, and its range."""


LONGEST = 1.5
"""Longest shift of a further group, over that of its median cell."""


@dataclass(frozen=True, eq=False)
class States:
    """A mixture of states.

    Attributes
    ----------
    centre
        Centre of each state (state, latent).
    weight
        Share of each state (state), mean over groups.
    variance
        Variance of points around their centre, in each direction (scalar).
    """

    centre: Float[Tensor, "state latent"]
    weight: Float[Tensor, " state"]
    variance: Float[Tensor, ""]

    def to(self, device: torch.device) -> "States":
        """Return the states on a device."""
        return States(*(part.to(device) for part in (self.centre, self.weight, self.variance)))

    def memberships(
        self,
        points: Float[Tensor, "cell latent"],
        shift: Float[Tensor, "state latent"],
        temperature: float = 1.0,
    ) -> tuple[Float[Tensor, "cell state"], Float[Tensor, ""]]:
        """Return the probability of each state, and the squared distance to it summed over both."""
        centre = self.centre + shift
        lengths = points.square().sum(1, keepdim=True) + centre.square().sum(1)
        squares = (lengths - 2 * points @ centre.T).clamp_min(0)
        logits = self.weight.clamp_min(1e-12).log() - squares / (2 * self.variance * temperature)
        share = logits.softmax(-1)
        return share, (share * squares).sum()

    def unshifted(
        self, points: Float[Tensor, "cell latent"], shift: Float[Tensor, "state latent"]
    ) -> Float[Tensor, "cell latent"]:
        """Return points of a group without its shifts."""
        share, _ = self.memberships(points, shift)
        return points - share @ shift


@dataclass
class _Group:
    """What a round of the fit knows of a group: size and mean of its share of each state."""

    size: Float[Tensor, " state"]
    mean: Float[Tensor, "state latent"]
    ratio: float

    @property
    def kept(self) -> Float[Tensor, "state 1"]:
        """How much of its distance from the centre counts as a shift of the group."""
        return (self.size / (self.size + self.ratio)).unsqueeze(1)

    def shift(self, states: States) -> Float[Tensor, "state latent"]:
        """Return its expected shifts."""
        return self.kept * (self.mean - states.centre)

    def learned_ratio(self, states: States, shift: Float[Tensor, "state latent"]) -> float:
        """Return the variance within states over that of shifts, given the present one."""
        of_shift = states.variance / (self.size + self.ratio)
        spread = (shift.square().mean(1) + of_shift).mean()
        return float((states.variance / spread).clamp(LEAST_RATIO, LARGEST_RATIO))


def _group(share: Tensor, points: Tensor, ratio: float) -> _Group:
    size = share.sum(0)
    return _Group(size, share.T @ points / size.clamp_min(1e-9).unsqueeze(1), ratio)


def fit_states(
    points: Float[Tensor, "cell latent"], group: Int[Tensor, " cell"], seed: int = 0
) -> tuple[States, Float[Tensor, "group state latent"]] | None:
    """Return the states of cells, and the shift of each group in each state.

    None if there are fewer than 60 cells: states need 30 each.
    """
    n_states = min(MOST_STATES, len(points) // CELLS_PER_STATE)
    if n_states < 2:
        return None
    x = points.double()
    parts = [x[group == g] for g in range(int(group.max()) + 1)]
    states = _first_states(x, n_states, seed)
    shifts = [torch.zeros_like(states.centre)] * len(parts)
    ratios = [FIRST_RATIO] * len(parts)
    for round_ in range(ROUNDS):
        found, squares = [], x.new_zeros(())
        for part, shift, ratio in zip(parts, shifts, ratios, strict=True):
            share, of_part = states.memberships(part, shift, _temperature(round_))
            found.append(_group(share, part, ratio))
            squares = squares + of_part
        states = _updated(states, found, squares / x.numel())
        shifts = [one.shift(states) for one in found]
        ratios = [one.learned_ratio(states, s) for one, s in zip(found, shifts, strict=True)]
    if len(parts) == 1:
        # Its centres are the centres, but for rounding.
        shifts = [torch.zeros_like(states.centre)]
    return states, torch.stack(shifts)


def fit_shift(
    states: States, points: Float[Tensor, "cell latent"]
) -> Float[Tensor, "state latent"]:
    """Return the shifts of a further group of cells in given states.

    Cells that are in none of these states are nearest to one that is not theirs, and are not to be
    moved onto it: no shift is longer than 1.5 times that of the group's median cell.
    """
    x = points.double()
    shift, ratio = torch.zeros_like(states.centre), FIRST_RATIO
    for round_ in range(ROUNDS):
        share, _ = states.memberships(x, shift, _temperature(round_))
        found = _group(share, x, ratio)
        shift = _bounded(found.shift(states), found.size)
        ratio = found.learned_ratio(states, shift)
    return shift


def _bounded(
    shift: Float[Tensor, "state latent"], size: Float[Tensor, " state"]
) -> Float[Tensor, "state latent"]:
    """Return shifts of which none is much longer than that of the median cell."""
    length = shift.norm(dim=1)
    ascending = length.argsort()
    middle = (size[ascending].cumsum(0) < size.sum() / 2).sum().clamp_max(len(size) - 1)
    longest = LONGEST * length[ascending[middle]]
    bounded: Tensor = shift * (longest / length.clamp_min(1e-12)).clamp_max(1).unsqueeze(1)
    return bounded


def _temperature(round_: int) -> float:
    return 1 + (HOTTEST - 1) * max(0.0, 1 - round_ / COOLING)


def _first_states(x: Tensor, n_states: int, seed: int) -> States:
    """Return states around cells that lie apart (k-means++, Arthur and Vassilvitskii 2007)."""
    generator = torch.Generator().manual_seed(seed)
    chosen = [int(torch.randint(len(x), (), generator=generator))]
    nearest = torch.full((len(x),), torch.inf, dtype=x.dtype)
    for _ in range(n_states):
        nearest = torch.minimum(nearest, (x - x[chosen[-1]]).square().sum(1))
        weights = nearest + 1e-12
        chosen.append(int(torch.multinomial(weights, 1, generator=generator)))
    variance = nearest.mean() / x.shape[1]
    weight = torch.full((n_states,), 1 / n_states, dtype=x.dtype)
    return States(x[chosen[:n_states]], weight, variance.clamp_min(1e-12))


def _updated(states: States, groups: list[_Group], variance: Tensor) -> States:
    """Return states whose centres count each group as far as it need not be shifted."""
    size = torch.stack([one.size for one in groups])
    mean = torch.stack([one.mean for one in groups])
    kept = torch.stack([one.kept for one in groups])
    counts = size.unsqueeze(-1) * (1 - kept) + 1e-9
    centre = (counts * mean).sum(0) / counts.sum(0)
    weight = (size / size.sum(1, keepdim=True)).mean(0)
    return States(centre, weight, variance.clamp_min(1e-12))
