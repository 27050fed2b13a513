"""Failed measurements, made from good ones of held-out cells: independent of those of training."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Values = NDArray[np.float32]

SEEN = ("ambient", "thinned")
"""Kinds that training makes too; the others are new to a model."""


@dataclass(frozen=True, kw_only=True)
class Donors:
    """What a failed measurement may take its counts from.

    Attributes
    ----------
    profile
        Mean of every feature over training cells.
    other_profile
        The same of another batch than the cell's, row by row; None where there is one batch.
    partner
        Another held-out cell for each.
    """

    profile: Values
    other_profile: Values | None
    partner: NDArray[np.int64]


type Corruption = Callable[[Values, float, Donors, np.random.Generator], Values]


def ambient(x: Values, strength: float, donors: Donors, rng: np.random.Generator) -> Values:
    """Replace a share `strength` of what was measured by the mean profile of training cells."""
    return _from_profile(x, strength, np.broadcast_to(donors.profile, x.shape), rng)


def foreign_ambient(x: Values, strength: float, donors: Donors, rng: np.random.Generator) -> Values:
    """Replace a share by the mean profile of another batch."""
    assert donors.other_profile is not None
    return _from_profile(x, strength, donors.other_profile, rng)


def thinned(x: Values, strength: float, donors: Donors, rng: np.random.Generator) -> Values:
    """Lose each count, or each 1, with probability `strength`."""
    return rng.binomial(x.astype(np.int64), 1 - strength).astype(np.float32)


def mixed(x: Values, strength: float, donors: Donors, rng: np.random.Generator) -> Values:
    """Replace a share of the counts by as large a share of another cell's."""
    whole = x.astype(np.int64)
    mixture = rng.binomial(whole, 1 - strength) + rng.binomial(whole[donors.partner], strength)
    most = 1 if _is_binary(x) else mixture.max()
    return np.asarray(np.minimum(mixture, most), np.float32)


def zeroed(x: Values, strength: float, donors: Donors, rng: np.random.Generator) -> Values:
    """Set a share of the features, the same ones in all cells, to 0."""
    lost = np.random.default_rng(0).permutation(x.shape[1])[: round(strength * x.shape[1])]
    out = x.copy()
    out[:, lost] = 0
    return out


def swapped(x: Values, strength: float, donors: Donors, rng: np.random.Generator) -> Values:
    """Take another cell's measurement."""
    return np.asarray(x[donors.partner])


def another_category(
    x: Values, strength: float, donors: Donors, rng: np.random.Generator
) -> Values:
    """Move the 1 of one-hot rows to another place, with probability `strength`."""
    shift = rng.integers(1, x.shape[1], len(x)) * (rng.random(len(x)) < strength)
    moved = (x.argmax(1) + shift) % x.shape[1]
    return np.asarray(np.eye(x.shape[1], dtype=np.float32)[moved])


KINDS: dict[str, tuple[Corruption, tuple[float, ...]]] = {
    "ambient": (ambient, (0.1, 0.3, 0.5, 0.7, 1.0)),
    "thinned": (thinned, (0.3, 0.5, 0.7, 0.9, 0.97)),
    "mixed": (mixed, (0.25, 0.5)),
    "zeroed": (zeroed, (0.2, 0.5)),
    "foreign_ambient": (foreign_ambient, (0.5,)),
    "swapped": (swapped, (1.0,)),
    "another_category": (another_category, (1.0,)),
}
"""Each kind, and the strengths at which it is tried."""


def kinds_for(x: Values, donors: Donors) -> list[str]:
    """Return which kinds suit some values."""
    if np.allclose(x.sum(1), 1) and _is_binary(x):
        return ["another_category"]
    kinds = [kind for kind in KINDS if kind != "another_category"]
    return [k for k in kinds if k != "foreign_ambient" or donors.other_profile is not None]


def _from_profile(
    x: Values, strength: float, profile: NDArray[np.float32], rng: np.random.Generator
) -> Values:
    if _is_binary(x):
        drawn = rng.random(x.shape) < profile
        return np.where(rng.random(x.shape) < strength, drawn, x).astype(np.float32)
    own = rng.binomial(x.astype(np.int64), 1 - strength)
    share = profile / profile.sum(1, keepdims=True)
    return (own + rng.poisson(strength * x.sum(1, keepdims=True) * share)).astype(np.float32)


def _is_binary(x: Values) -> bool:
    return bool(x.max(initial=0) <= 1)
