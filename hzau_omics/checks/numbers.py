"""Checks of numbers: integers, real numbers within an interval, seeds, positions."""

import math
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from numpy.typing import NDArray

from hzau_omics.checks.plain import unwrap
from hzau_omics.checks.refusal import refusal
from hzau_omics.errors import ConfigError

LARGEST_SEED = 2**63 - 1
"""Largest seed of PyTorch's generators, with room to count on from it."""

LARGEST_SEED_OF_SKLEARN = 2**32 - 1
"""Largest seed of scikit-learn and scanpy."""

NOT_NUMBERS = (bool, np.timedelta64)
"""Types that Python counts as integers, although users do not mean a number by them."""


@dataclass(frozen=True)
class Interval:
    """Finite numbers that an argument may take.

    Attributes
    ----------
    words
        How a message describes such a number.
    low, high
        Ends of the interval.
    low_is_in, high_is_in
        Whether the ends belong to it.
    """

    words: str
    low: float = -math.inf
    high: float = math.inf
    low_is_in: bool = True
    high_is_in: bool = True

    def __contains__(self, number: float) -> bool:
        """Return whether a number is finite and within the interval; NaN never is."""
        above = self.low <= number if self.low_is_in else self.low < number
        below = number <= self.high if self.high_is_in else number < self.high
        return above and below and math.isfinite(number)


FINITE = Interval("a finite number")
POSITIVE = Interval("a positive number", 0, low_is_in=False)
NOT_NEGATIVE = Interval("a number of at least 0", 0)
SHARE = Interval("a number in [0, 1]", 0, 1)
POSITIVE_SHARE = Interval("a number in (0, 1]", 0, 1, low_is_in=False)
PROPER_SHARE = Interval("a number in [0, 1)", 0, 1, high_is_in=False)
INNER_SHARE = Interval("a number in (0, 1)", 0, 1, low_is_in=False, high_is_in=False)


def check_integer(
    name: str, value: object, *, least: int = 1, most: int | None = None, remedy: str = ""
) -> int:
    """Return an integer as an ``int``.

    Parameters
    ----------
    name
        Name of the argument.
    value
        Value that was received.
    least, most
        Smallest and largest integer allowed; None for no upper limit.
    remedy
        What to do instead, where the rule does not say so.

    Raises
    ------
    ConfigError
        It is not an integer, or out of range.

    Examples
    --------
    >>> check_integer("batch_size", np.int32(64))
    64
    """
    number = unwrap(value)
    highest = math.inf if most is None else most
    if isinstance(number, Integral) and not isinstance(number, NOT_NUMBERS):
        plain = int(number)
        if least <= plain <= highest:
            return plain
    rule = "a positive integer" if least == 1 else f"an integer of at least {least}"
    if most is not None:
        rule = f"an integer from {least} to {most}"
    meant = _meant(number)
    if meant is not None and meant.is_integer() and least <= meant <= highest:
        remedy = f"Write {int(meant)}."
    raise refusal(value, name, rule, remedy)


def check_number(name: str, value: object, within: Interval = FINITE, *, remedy: str = "") -> float:
    """Return a real number as a ``float``.

    Parameters
    ----------
    name
        Name of the argument.
    value
        Value that was received.
    within
        Interval in which it must lie.
    remedy
        What to do instead, where the rule does not say so.

    Raises
    ------
    ConfigError
        It is not a number, is outside the interval, or is NaN or infinite.

    Examples
    --------
    >>> check_number("dropout", np.float32(0.1), PROPER_SHARE)
    0.1
    """
    number = unwrap(value)
    if isinstance(number, Real) and not isinstance(number, NOT_NUMBERS):
        plain = _as_float(number)
        if plain in within:
            return plain
    meant = _meant(number)
    if meant is not None and meant in within:
        remedy = f"Write {meant!r}."
    raise refusal(value, name, within.words, remedy)


def check_seed(name: str, value: object, *, most: int = LARGEST_SEED) -> int:
    """Return a seed.

    Raises
    ------
    ConfigError
        It is not an integer that all random generators accept.

    Examples
    --------
    >>> check_seed("seed", np.uint8(7))
    7
    """
    return check_integer(name, value, least=0, most=most)


def check_positions(name: str, value: object, n: int) -> NDArray[np.int64]:
    """Return positions among `n` things, in the order given; a boolean mask is accepted.

    Raises
    ------
    ConfigError
        They are not integers, are out of range, or one occurs twice.

    Examples
    --------
    >>> check_positions("indices", [True, False, True], 3).tolist()
    [0, 2]
    """
    try:
        given = np.asarray(value)
        if given.dtype == object and given.ndim:
            # From a nullable column: the type of the values tells more than the array's.
            given = np.asarray(given.tolist())
    except (TypeError, ValueError, RuntimeError):
        given = np.empty((0, 0))
    rule = f"positions from 0 to {n - 1}, or a boolean mask of {n} entries"
    if given.dtype == bool and given.shape == (n,):
        return np.flatnonzero(given)
    if given.ndim < 2 and not given.size:
        return np.empty(0, dtype=np.int64)
    if given.ndim > 1 or given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= n:
        are_names = given.dtype.kind in "UTS"
        remedy = "mdata.obs_names.get_indexer(names) gives positions of names." if are_names else ""
        raise refusal(value, name, rule, remedy)
    positions = given.reshape(-1).astype(np.int64)
    often = np.bincount(positions, minlength=n)
    if often.max() > 1:
        twice = int(often.argmax())
        msg = (
            f"{name} must hold each position once, because rows of results are named by cell. "
            f"Received {twice} {often[twice]} times. Pass unique, and take the rows inverse of the "
            f"result: unique, inverse = np.unique({name}, return_inverse=True)."
        )
        raise ConfigError(msg)
    return positions


def _as_float(number: Real) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _meant(value: object) -> float | None:
    """Return the number that a float or a text was probably meant to be, None for none."""
    if not isinstance(value, str | float):
        return None
    try:
        meant = float(value)
    except ValueError:
        return None
    return meant if math.isfinite(meant) else None
