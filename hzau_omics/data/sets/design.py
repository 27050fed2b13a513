"""Which types and conditions the batches of simulated cells have, and what a condition does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.checks import (
    NOT_NEGATIVE,
    check_integer,
    check_names,
    check_number,
    refusal,
)
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean, listed

Array = NDArray[np.float64]
Codes = NDArray[np.int64]
type Conditions = int | Sequence[str] | Mapping[str, str | Sequence[str]]
type AbsentTypes = Mapping[str, str | Sequence[str]]

TYPES, CONDITIONS, SHIFTS = [1, 1], [1, 2], [1, 3]
"""What follows the seed in generators of their own, which leave other draws as they are."""


@dataclass(frozen=True)
class Design:
    """Which types and conditions the cells of each batch have.

    Attributes
    ----------
    types
        Boolean table (batch, type): which types each batch has.
    conditions
        Boolean table (batch, condition): which conditions; no columns without conditions.
    effect
        Distance in the latent from the first condition to each other.
    """

    types: pd.DataFrame
    conditions: pd.DataFrame
    effect: float

    def replace_absent(self, types: Codes, batch: Codes, seed: int) -> Codes:
        """Return the types of cells, redrawn where a cell's batch lacks its type."""
        held = self.types.to_numpy()
        absent = ~held[batch, types]
        if not absent.any():
            return types
        drawn = _draw_among(held[batch], np.random.default_rng([seed, *TYPES]))
        return np.where(absent, drawn, types)

    def draw_conditions(self, batch: Codes, seed: int) -> Codes:
        """Draw the condition of each cell among those of its batch."""
        held = self.conditions.to_numpy()
        return _draw_among(held[batch], np.random.default_rng([seed, *CONDITIONS]))

    def draw_shifts(self, n_latent: int, seed: int) -> pd.DataFrame:
        """Draw the shift of each condition (condition, n_latent); that of the first is 0."""
        names = self.conditions.columns
        rng = np.random.default_rng([seed, *SHIFTS])
        shift = rng.normal(size=(len(names), n_latent))
        shift *= self.effect / np.linalg.norm(shift, axis=1, keepdims=True)
        shift[0] = 0.0
        return pd.DataFrame(shift, names, [f"z_{i}" for i in range(n_latent)])


def make_design(
    batches: Sequence[str],
    n_cell_types: int,
    *,
    absent_types: AbsentTypes | None,
    conditions: Conditions | None,
    effect: float,
) -> Design:
    """Check the options of a design.

    Parameters
    ----------
    batches
        Names of the batches.
    n_cell_types
        Number of types.
    absent_types, conditions
        As in :func:`~hzau_omics.data.simulate`.
    effect
        Its ``condition_effect``.

    Raises
    ------
    ConfigError
        If an option is out of range, names an unknown batch or type, leaves a batch without a type
        or a type without a batch.
    """
    types = [f"type_{i}" for i in range(n_cell_types)]
    return Design(
        types=_types_held(batches, types, {} if absent_types is None else absent_types),
        conditions=_conditions_held(batches, conditions),
        effect=check_number("condition_effect", effect, NOT_NEGATIVE),
    )


def _draw_among(held: NDArray[np.bool_], rng: np.random.Generator) -> Codes:
    """Draw one of the columns that each row holds."""
    return np.argmax(np.where(held, rng.random(held.shape), -1.0), axis=1)


def _types_held(batches: Sequence[str], types: Sequence[str], absent: AbsentTypes) -> pd.DataFrame:
    if not isinstance(absent, Mapping):
        rule = "a mapping from batches to types, like {'batch_1': ['type_0']}"
        raise refusal(absent, "absent_types", rule)
    _check_batches("absent_types", absent, batches)
    held = pd.DataFrame(data=True, index=list(batches), columns=list(types))
    for batch, given in absent.items():
        lacking = list(check_names(f"absent_types[{batch!r}]", given, what="type"))
        unknown = [name for name in lacking if name not in types]
        if unknown:
            msg = (
                f"absent_types[{batch!r}] must list types ({listed(types)}). Received "
                f"{listed(unknown)}: correct the name, or raise n_cell_types."
                + did_you_mean(unknown[0], types)
            )
            raise ConfigError(msg)
        held.loc[batch, lacking] = False
    for axis, whole, part in ((1, "batch", "type"), (0, "type", "batch")):
        empty = held.index[~held.any(axis=1)] if axis else held.columns[~held.any(axis=0)]
        if len(empty):
            msg = (
                f"Each {whole} needs at least one {part}. Received absent_types that leaves none "
                f"to {listed(empty)}: take it out of absent_types."
            )
            raise ConfigError(msg)
    return held


def _conditions_held(batches: Sequence[str], conditions: Conditions | None) -> pd.DataFrame:
    if conditions is None:
        return pd.DataFrame(index=list(batches))
    if isinstance(conditions, Mapping):
        return _conditions_of_batches(batches, conditions)
    if isinstance(conditions, str | Sequence):
        names = list(check_names("conditions", conditions, what="condition"))
    else:
        n = check_integer("conditions", conditions, least=2, remedy="Leave it out for none.")
        names = [f"condition_{i}" for i in range(n)]
    _check_several(conditions, names)
    return pd.DataFrame(data=True, index=list(batches), columns=names)


def _conditions_of_batches(
    batches: Sequence[str], conditions: Mapping[str, str | Sequence[str]]
) -> pd.DataFrame:
    _check_batches("conditions", conditions, batches)
    left_out = [batch for batch in batches if batch not in conditions]
    if left_out:
        msg = (
            f"conditions must say of each batch which conditions it has. Received none for "
            f"{listed(left_out)}: add them, or give names alone, which all batches then have."
        )
        raise ConfigError(msg)
    own = {
        batch: check_names(f"conditions[{batch!r}]", conditions[batch], what="condition")
        for batch in batches
    }
    names = list(dict.fromkeys(name for batch in batches for name in own[batch]))
    _check_several(conditions, names)
    held = pd.DataFrame(data=False, index=list(batches), columns=names)
    for batch, given in own.items():
        held.loc[batch, list(given)] = True
    return held


def _check_several(conditions: Conditions, names: Sequence[str]) -> None:
    if len(names) < 2:
        rule = "a number of at least 2, several names, or a mapping from batches to several names"
        raise refusal(conditions, "conditions", rule, "Leave it out for none.")


def _check_batches(what: str, option: Mapping[str, object], batches: Sequence[str]) -> None:
    unknown = [batch for batch in option if batch not in batches]
    if unknown:
        msg = (
            f"{what} must name batches ({listed(batches)}). Received {listed(unknown)}: correct "
            f"the name, or raise n_batches." + did_you_mean(unknown[0], batches)
        )
        raise ConfigError(msg)
