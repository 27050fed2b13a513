"""What corruption does to values: counts, values in [0, 1], categories, texts and real values."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from hzau_omics.nn.decoding.likelihoods.damage_loops import ambient_rows, thinned_rows

Rows = Float[Tensor, "row feature"]
Kept = Float[Tensor, "row 1"]
Source = Literal["shares", "means", "cells"]
"""Where replacements come from: the batch's mean profile, as shares of a total or as means, or the
values of other cells."""

LEAST_KEPT = 0.01
"""Smallest kept share, where its logarithm is uniform."""


@dataclass(frozen=True)
class Kind:
    """A kind of corruption, and how much of a measurement it keeps.

    Attributes
    ----------
    name
        Its name.
    failed_at
        Largest kept share at which the measurement counts as failed.
    most_kept
        Largest kept share in training.
    logarithmic
        Whether the logarithm of the kept share is uniform, instead of the share.
    """

    name: str
    failed_at: float
    most_kept: float
    logarithmic: bool = False

    def draw_kept(
        self, uniform: Float[Tensor, " row"], *, failed_only: bool
    ) -> Float[Tensor, " row"]:
        """Turn uniform draws into kept shares; with `failed_only`, all count as failed."""
        most = self.failed_at if failed_only else self.most_kept
        if not self.logarithmic:
            return most * uniform
        return (math.log(LEAST_KEPT) * uniform + math.log(most) * (1 - uniform)).exp()


AMBIENT = Kind("ambient", failed_at=0.5, most_kept=0.7)
"""A share of the measurement comes from elsewhere."""

THINNED = Kind("thinned", failed_at=0.1, most_kept=1.0, logarithmic=True)
"""A share of the measurement is lost."""

KINDS = (AMBIENT, THINNED)
"""All kinds, in the order in which reliability models number them."""


@dataclass(frozen=True)
class Damage:
    """What one kind of corruption does to values.

    Attributes
    ----------
    kind
        The kind.
    change
        Function of values and of the share that is kept; with a source, also of replacements.
    source
        Where replacements come from; None where values are only lost.
    whole
        Whether nothing is kept, whatever share was drawn.
    """

    kind: Kind
    change: Callable[..., Rows]
    source: Source | None = None
    whole: bool = False

    def apply(self, x: Rows, kept: Kept, replacement: Callable[[Source], Rows]) -> Rows:
        """Corrupt values; `replacement` is called only if there is a source."""
        if self.source is None:
            return self.change(x, kept)
        return self.change(x, kept, replacement(self.source))


def text_damages(damages: tuple[Damage, ...]) -> tuple[Damage, ...]:
    """Return the damages of texts: swapped texts in place of ambient contamination."""
    swapped = Damage(AMBIENT, another_text, "cells", whole=True)
    return swapped, *(damage for damage in damages if damage.kind is not AMBIENT)


def ambient_counts(x: Rows, kept: Kept, profile: Rows) -> Rows:
    """Replace a share of the counts by about as many from a profile that sums to 1."""
    if x.device.type == "cpu":
        return ambient_rows(x, kept, profile)
    return thinned_counts(x, kept) + torch.poisson((1 - kept) * x.sum(-1, keepdim=True) * profile)


def thinned_counts(x: Rows, kept: Kept) -> Rows:
    """Keep each count with a probability."""
    if x.device.type == "cpu":
        return thinned_rows(x, kept)
    return _where_positive(torch.binomial, x, kept)


def ambient_values(x: Rows, kept: Kept, profile: Rows) -> Rows:
    """Replace a share of values in [0, 1] by 0 or 1, drawn with the frequencies of a profile."""
    # Whether a 0 is kept is not drawn: its chance of being lost enters the replacement's.
    own = _where_positive(_kept_or_0, x, kept)
    lost = torch.where((x > 0) & (own == 0), 1.0, 1 - kept)
    drawn = (torch.rand_like(x) < lost * profile).float()
    return torch.where(own > 0, own, drawn)


def thinned_values(x: Rows, kept: Kept) -> Rows:
    """Keep each value with a probability, and put 0 elsewhere."""
    return _where_positive(_kept_or_0, x, kept)


def another_category(x: Rows, kept: Kept, profile: Rows) -> Rows:
    """Replace every row by another category, drawn from a profile of frequencies.

    A category cannot be kept in part: `kept` is ignored.
    """
    # The floor keeps the draw valid if there is no other category.
    weight = (profile * (1 - x)).clamp_min(1e-9)
    # The largest of exponential draws over weights: multinomial would make a GPU wait.
    drawn = (torch.empty_like(weight).exponential_() / weight).argmin(-1, keepdim=True)
    return torch.zeros_like(x).scatter_(-1, drawn, 1.0)


def another_text(x: Rows, kept: Kept, other: Rows) -> Rows:
    """Replace every row by another cell's, as in a swap of texts."""
    return other


def towards_mean(x: Rows, kept: Kept, profile: Rows) -> Rows:
    """Move real values towards a profile of means."""
    return kept * x + (1 - kept) * profile


def _where_positive(change: Callable[[Tensor, Tensor], Tensor], x: Rows, kept: Kept) -> Rows:
    """Change positive values, given the share that is kept; zeros stay 0."""
    share = kept.expand_as(x)
    if x.device.type != "cpu":
        return torch.where(x > 0, change(x, share), 0.0)
    # Most values are 0, and random draws are slow on a CPU: draw only where they matter.
    where = x > 0
    return torch.zeros_like(x).masked_scatter_(where, change(x[where], share[where]))


def _kept_or_0(value: Tensor, share: Tensor) -> Tensor:
    return torch.where(torch.rand_like(value) < share, value, 0.0)
