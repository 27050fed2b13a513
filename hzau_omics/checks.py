"""One check for each kind of argument; each returns the plain Python value.

A NumPy scalar of any width, and an array or a tensor without axes, stand for the number that they
hold. Text stands for no number, a float for no count, and a bool for neither.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hzau_omics.errors import ConfigError

LARGEST_SEED = 2**63 - 1
"""What PyTorch's generators take, with room to count on from it."""

LARGEST_SEED_OF_SKLEARN = 2**32 - 1
"""What scikit-learn and scanpy take."""

LONGEST_SHOWN = 80
NO_NUMBER = (bool, np.timedelta64)
"""What Python counts among the integers."""

NARROW = {"float16": np.float16, "float32": np.float32}


@dataclass(frozen=True)
class Interval:
    """Numbers that an argument may have.

    Attributes
    ----------
    words
        What such a number is called in a message.
    low, high
        Ends; the number itself is always finite.
    low_is_in, high_is_in
        Whether the ends belong to it.
    """

    words: str
    low: float = -math.inf
    high: float = math.inf
    low_is_in: bool = True
    high_is_in: bool = True

    def __contains__(self, number: float) -> bool:
        """Whether a number lies in it; NaN lies nowhere."""
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
        What was given for it.
    least, most
        Smallest and largest one allowed; None for no largest one.
    remedy
        What to do instead, where the rule does not say it.

    Raises
    ------
    ConfigError
        It is none, or out of range.

    Examples
    --------
    >>> check_integer("batch_size", np.int32(64))
    64
    """
    number = unwrap(value)
    highest = math.inf if most is None else most
    if isinstance(number, Integral) and not isinstance(number, NO_NUMBER):
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
        What was given for it.
    within
        Where it must lie.
    remedy
        What to do instead, where the rule does not say it.

    Raises
    ------
    ConfigError
        It is none, lies elsewhere, or is NaN or infinite.

    Examples
    --------
    >>> check_number("dropout", np.float32(0.1), PROPER_SHARE)
    0.1
    """
    number = unwrap(value)
    if isinstance(number, Real) and not isinstance(number, NO_NUMBER):
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
        It is no integer that all random generators take.

    Examples
    --------
    >>> check_seed("seed", np.uint8(7))
    7
    """
    return check_integer(name, value, least=0, most=most)


def check_flag(name: str, value: object) -> bool:
    """Return a switch as a ``bool``: nothing else is read as yes or no.

    Raises
    ------
    ConfigError
        It is neither True nor False.

    Examples
    --------
    >>> check_flag("give_mean", np.False_)
    False
    """
    switch = unwrap(value)
    if not isinstance(switch, bool):
        raise refusal(value, name, "True or False")
    return switch


def check_path(name: str, value: object) -> Path:
    """Return the name of a file or folder as a path.

    Raises
    ------
    ConfigError
        It is none.

    Examples
    --------
    >>> check_path("path", "cells.zarr").suffix
    '.zarr'
    """
    if isinstance(value, str | PathLike):
        return Path(value)
    raise refusal(value, name, "a path")


def check_choice(name: str, value: object, known: Sequence[str]) -> str:
    """Return one of several words.

    Raises
    ------
    ConfigError
        It is not among them.

    Examples
    --------
    >>> check_choice("kind", "score", ("score", "pvalue"))
    'score'
    """
    if isinstance(value, str) and value in known:
        return str(value)
    raise refusal(value, name, f"one of {', '.join(map(repr, known))}")


def if_given[T](
    check: Callable[..., T], name: str, value: object, *rules: Any, **more: Any
) -> T | None:
    """Return None for None, and else what a check makes of the value.

    Examples
    --------
    >>> if_given(check_integer, "max_epochs", None), if_given(check_integer, "max_epochs", 3)
    (None, 3)
    """
    return None if value is None else check(name, value, *rules, **more)


def check_names(name: str, value: object, *, what: str = "name") -> tuple[str, ...]:
    """Return one name, or several different ones, as a tuple.

    Parameters
    ----------
    name
        Name of the argument.
    value
        A string, or anything that lists strings.
    what
        What they are names of, in a word.

    Raises
    ------
    ConfigError
        It holds none, one twice, or something that is no string.

    Examples
    --------
    >>> check_names("given", "rna"), check_names("given", np.array(["rna", "adt"]))
    (('rna',), ('rna', 'adt'))
    """
    found = as_list(value)
    if not found or not all(isinstance(one, str) for one in found):
        remedy = "" if found else "Leave it out, or give one at least."
        if found and all(isinstance(unwrap(one), bool) for one in found):
            remedy = "Give the names that a mask marks: names[mask]."
        raise refusal(value, name, f"a {what} or a list of such", remedy)
    check_distinct(name, found)
    return tuple(str(one) for one in found)


def check_mapping(name: str, value: object) -> dict[str, Any]:
    """Return options by name.

    Raises
    ------
    ConfigError
        They are no mapping.

    Examples
    --------
    >>> check_mapping("plan_kwargs", {"lr": 1e-3})
    {'lr': 0.001}
    """
    if isinstance(value, Mapping):
        return dict(value)
    raise refusal(value, name, "a mapping from names to values")


def check_distinct(name: str, values: Sequence[object]) -> None:
    """Refuse a list that holds something twice.

    Raises
    ------
    ConfigError
        It does.

    Examples
    --------
    >>> check_distinct("features", ["CD3", "CD4"])
    """
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        msg = f"{name} must hold each value once. Received {twice!r} {values.count(twice)} times."
        raise ConfigError(msg)


def as_list(value: object) -> list[Any]:
    """Return one value, or what holds several, as a list.

    Text, numbers and arrays without axes are one value; so is what cannot be walked over, and what
    has more than one axis or is a mapping. A set has no order: it is sorted.

    Examples
    --------
    >>> as_list("rna"), as_list(np.float32(0.5)), as_list(("rna", "adt")), as_list({"b", "a"})
    (['rna'], [0.5], ['rna', 'adt'], ['a', 'b'])
    """
    one = unwrap(value)
    several = isinstance(one, Iterable) and not isinstance(one, str | bytes | Mapping)
    if not several or getattr(one, "ndim", 1) != 1:
        return [one]
    assert isinstance(one, Iterable)
    return sorted(one, key=str) if isinstance(one, set | frozenset) else list(one)


def check_positions(name: str, value: object, n: int) -> NDArray[np.int64]:
    """Return positions among `n` things, in the order given; a boolean mask is accepted.

    Raises
    ------
    ConfigError
        They are no integers, out of range, or one occurs twice.

    Examples
    --------
    >>> check_positions("indices", [True, False, True], 3).tolist()
    [0, 2]
    """
    try:
        given = np.asarray(value)
        if given.dtype == object and given.ndim:
            # As of nullable columns: the values themselves know better.
            given = np.asarray(given.tolist())
    except (TypeError, ValueError, RuntimeError):
        given = np.empty((0, 0))
    rule = f"positions from 0 to {n - 1}, or a boolean mask of {n} entries"
    if given.dtype == bool and given.shape == (n,):
        return np.flatnonzero(given)
    if given.ndim < 2 and not given.size:
        return np.empty(0, dtype=np.int64)
    if given.ndim > 1 or given.dtype.kind not in "iu" or given.min() < 0 or given.max() >= n:
        named = given.dtype.kind in "UTS"
        remedy = "mdata.obs_names.get_indexer(names) gives positions of names." if named else ""
        raise refusal(value, name, rule, remedy)
    found = given.reshape(-1).astype(np.int64)
    often = np.bincount(found, minlength=n)
    if often.max() > 1:
        twice = int(often.argmax())
        msg = (
            f"{name} must hold each position once, since rows of results have names. Received "
            f"{twice} {often[twice]} times. Ask for np.unique({name}, return_inverse=True)[0], and "
            "take rows [1] of it from the result."
        )
        raise ConfigError(msg)
    return found


def unwrap(value: object) -> object:
    """Return the Python value in a NumPy scalar, or in an array or a tensor without axes.

    A float of less than 64 bits stands for the shortest decimal number that it may have been.

    Examples
    --------
    >>> unwrap(np.float32(0.1)), unwrap(np.array(3, dtype=np.uint8)), unwrap("text")
    (0.1, 3, 'text')
    """
    if getattr(value, "ndim", None) != 0 or not hasattr(value, "item") or np.ma.is_masked(value):
        return value
    dtype = str(getattr(value, "dtype", "")).removeprefix("torch.")
    if "time" in dtype:
        # The number of nanoseconds is nothing that anybody meant.
        return value
    found = value.item()
    return float(str(NARROW[dtype](found))) if dtype in NARROW else found


def shown(value: object) -> str:
    """Return a value for a message: one line, of bearable length.

    Examples
    --------
    >>> len(shown([0] * 1000)), shown("x")
    (80, "'x'")
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def refusal(value: object, name: str, rule: str, remedy: str = "") -> ConfigError:
    """Return the error of an argument whose value breaks a rule.

    Examples
    --------
    >>> refusal(-1, "batch_size", "a positive integer")
    ConfigError('batch_size must be a positive integer. Received -1.')
    """
    return ConfigError(f"{name} must be {rule}. Received {shown(value)}. {remedy}".rstrip())


def _as_float(number: Real) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _meant(value: object) -> float | None:
    """Return the number that a float or a text was probably meant as."""
    if not isinstance(value, str | float):
        return None
    try:
        meant = float(value)
    except ValueError:
        return None
    return meant if math.isfinite(meant) else None
