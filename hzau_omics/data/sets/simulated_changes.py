"""What conditions and donors do to single features of simulated counts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.checks import NOT_NEGATIVE, SHARE, check_integer, check_number
from hzau_omics.errors import ConfigError
from hzau_omics.messages import listed

Array = NDArray[np.float64]
Codes = NDArray[np.int64]

SMALLEST, LARGEST = 0.3, 2.0
"""Range of the log2 fold changes, up or down."""
DONORS, OF_DONORS, OF_CONDITIONS = [1, 4], [1, 5], [1, 6]
"""What follows the seed in generators of their own, which leave other draws as they are."""


@dataclass(frozen=True)
class Effects:
    """What conditions and donors do to features.

    Attributes
    ----------
    shares
        Modality -> share of its features that change in each condition but the first.
    conditions
        Names of the conditions.
    condition
        Condition of each cell (cell,).
    donors
        Names of the donors; none without donors.
    donor
        Donor of each cell (cell,).
    donor_effect
        Standard deviation of a feature's log rate over donors.
    seed
        Seed of all draws.
    """

    shares: Mapping[str, float]
    conditions: Sequence[str]
    condition: Codes
    donors: Sequence[str]
    donor: Codes
    donor_effect: float
    seed: int

    def of_donors(self, name: str, n: int) -> Array:
        """Return what its donor adds to each cell's logits (cell, feature); 0 without donors."""
        if name not in self.shares or not self.donors:
            return np.zeros((1, n))
        rng = np.random.default_rng([self.seed, crc32(name.encode()), *OF_DONORS])
        shifts = rng.normal(scale=self.donor_effect, size=(len(self.donors), n))
        return np.asarray(shifts[self.donor])

    def of_conditions(self, name: str, profile: Array) -> tuple[Array, pd.DataFrame]:
        """Change some features in all conditions but the first.

        Parameters
        ----------
        name
            Name of the modality.
        profile
            Shares of the features without a change (cell, feature).

        Returns
        -------
        The changed shares, which sum to 1, and one column per condition but the first: the log2
        fold change of each feature.
        """
        share = self.shares.get(name, 0.0)
        n = profile.shape[1]
        if not share:
            return profile, pd.DataFrame(index=range(n))
        mean = profile.mean(axis=0)
        rng = np.random.default_rng([self.seed, crc32(name.encode()), *OF_CONDITIONS])
        columns = {
            f"lfc_{condition}": _draw_changes(rng, mean, round(share * n))
            for condition in self.conditions[1:]
        }
        table = np.stack([np.zeros(n), *columns.values()])
        changed = profile * np.exp2(table)[self.condition]
        changed /= changed.sum(axis=1, keepdims=True)
        return changed, pd.DataFrame(columns)


def _draw_changes(rng: np.random.Generator, mean: Array, n_changed: int) -> Array:
    """Draw log2 fold changes whose signs leave the sum of all shares as it is.

    Otherwise all other features would change as well, since shares sum to 1.
    """
    chosen = rng.permutation(len(mean))[:n_changed]
    size = rng.uniform(SMALLEST, LARGEST, n_changed)
    change, added = np.zeros(len(mean)), 0.0
    # The largest first: what they leave is evened out by the smaller ones.
    for i in np.argsort(-mean[chosen], kind="stable"):
        feature = chosen[i]
        steps = [mean[feature] * (2.0 ** (sign * size[i]) - 1) for sign in (1, -1)]
        up = abs(added + steps[0]) <= abs(added + steps[1])
        change[feature] = size[i] if up else -size[i]
        added += steps[0 if up else 1]
    return change


def make_effects(
    obs: pd.DataFrame,
    counts: Mapping[str, bool],
    *,
    changed: float | Mapping[str, float],
    n_donors: int,
    donor_effect: float,
    seed: int,
) -> Effects:
    """Check the options, and draw the donor of each cell.

    Parameters
    ----------
    obs
        Cells, with a column ``condition`` if there are conditions. A column ``donor`` is added if
        there are donors.
    counts
        Modality -> whether its values are counts.
    changed, n_donors, donor_effect
        As in :func:`~hzau_omics.data.simulate`.
    seed
        Seed of all draws.

    Raises
    ------
    ConfigError
        An option is out of range, a modality has no counts, or there are no conditions in which
        features could change.
    """
    shares = _shares(changed, counts)
    conditions = list(obs["condition"].cat.categories) if "condition" in obs else ["all"]
    if any(shares.values()) and len(conditions) < 2:
        msg = (
            "Features change from the first condition to the others. Received changed="
            f"{changed!r} without conditions: give conditions, such as conditions=['well', 'ill']."
        )
        raise ConfigError(msg)
    several = len(conditions) > 1
    condition = np.zeros(len(obs), np.int64)
    if several:
        condition += obs["condition"].cat.codes.to_numpy()
    n_donors = check_integer("n_donors", n_donors, least=0)
    own = np.random.default_rng([seed, *DONORS]).integers(max(n_donors, 1), size=len(obs))
    numbers = [f"donor_{i}" for i in range(n_donors)]
    donors = [f"{name}_{one}" for name in conditions for one in numbers] if several else numbers
    donor = condition * n_donors + own
    if donors:
        obs["donor"] = pd.Categorical(np.array(donors)[donor], donors)
    return Effects(
        shares, conditions, condition, donors, donor,
        check_number("donor_effect", donor_effect, NOT_NEGATIVE), seed,
    )  # fmt: skip


def _shares(changed: float | Mapping[str, float], counts: Mapping[str, bool]) -> dict[str, float]:
    """Return the share of each modality with counts."""
    if not isinstance(changed, Mapping):
        share = check_number("changed", changed, SHARE)
        return {name: share for name, are in counts.items() if are}
    for name in changed:
        if not counts.get(name, False):
            able = [one for one, are in counts.items() if are]
            msg = (
                f"changed names the modality {name!r}, which is none with counts. With counts: "
                f"{listed(able)}. Name one of these, or give it a likelihood of counts."
            )
            raise ConfigError(msg)
    return {
        name: check_number(f"changed[{name!r}]", changed.get(name, 0.0), SHARE)
        for name, are in counts.items()
        if are
    }
