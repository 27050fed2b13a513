"""Checks of options other than numbers: switches, paths, words, names, mappings."""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from hzau_omics.checks.plain import as_list, unwrap
from hzau_omics.checks.refusal import refusal
from hzau_omics.errors import ConfigError


def check_flag(name: str, value: object) -> bool:
    """Return a switch as a ``bool``; no other type is converted.

    Raises
    ------
    ConfigError
        It is neither True nor False.

    Examples
    --------
    >>> import numpy as np
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
        It is not a path.

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
        It holds no name, one twice, or something that is not a string.

    Examples
    --------
    >>> check_names("given", "rna"), check_names("given", ["rna", "adt"])
    (('rna',), ('rna', 'adt'))
    """
    names = as_list(value)
    if not names or not all(isinstance(one, str) for one in names):
        remedy = "" if names else "Leave it out, or give at least one."
        if names and all(isinstance(unwrap(one), bool) for one in names):
            remedy = "Give the names that the mask selects: names[mask]."
        raise refusal(value, name, f"a {what} or a list of such", remedy)
    check_distinct(name, names)
    return tuple(str(one) for one in names)


def check_mapping(name: str, value: object) -> dict[str, Any]:
    """Return options by name.

    Raises
    ------
    ConfigError
        They are not a mapping.

    Examples
    --------
    >>> check_mapping("plan_kwargs", {"lr": 1e-3})
    {'lr': 0.001}
    """
    if isinstance(value, Mapping):
        return dict(value)
    raise refusal(value, name, "a mapping from names to values")


def check_distinct(name: str, values: Sequence[object]) -> None:
    """Refuse a list that holds a value twice.

    Raises
    ------
    ConfigError
        A value occurs twice.

    Examples
    --------
    >>> check_distinct("features", ["CD3", "CD4"])
    """
    if len(set(values)) < len(values):
        twice = next(value for value in values if values.count(value) > 1)
        msg = f"{name} must hold each value once. Received {twice!r} {values.count(twice)} times."
        raise ConfigError(msg)


def if_given[T](
    check: Callable[..., T], name: str, value: object, *rules: Any, **more: Any
) -> T | None:
    """Return None for None, else the checked value.

    Examples
    --------
    >>> if_given(check_flag, "shuffle", None), if_given(check_flag, "shuffle", True)
    (None, True)
    """
    return None if value is None else check(name, value, *rules, **more)
