"""Whether a value of a configuration has the type that a signature declares."""

import inspect
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAliasType, Union, get_args, get_origin

from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean

_LISTS = (list, tuple, Sequence, Iterable)
_MAPPINGS = (dict, Mapping)
_PLAIN: dict[Any, tuple[type, ...]] = {
    bool: (bool,),
    int: (int,),
    float: (int, float),
    str: (str,),
    Path: (str, Path),
    type(None): (type(None),),
}
"""Types of values that YAML gives for a declared type."""

_WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "an integer",
    float: "a number",
    str: "a text",
    Path: "a path",
    type(None): "null",
}


def check_value(where: str, value: object, hint: Any) -> None:
    """Refuse a value that does not have the declared type; an unknown type allows all values.

    Parameters
    ----------
    where
        What the message calls the option, such as ``train.max_epochs``.
    value
        Value as YAML gives it.
    hint
        Type annotation of the option.

    Raises
    ------
    ConfigError
        The value has another type, or is none of the allowed words.

    Examples
    --------
    >>> check_value("train.max_epochs", 3, int | None)
    >>> check_value("train.max_epochs", "3", int | None)
    Traceback (most recent call last):
    hzau_omics.errors.ConfigError: train.max_epochs must be an integer or null. Received '3'.
    """
    if fits(value, hint):
        return
    hints = _members(hint)
    words = [word for one in hints if get_origin(one) is Literal for word in get_args(one)]
    close = did_you_mean(value, words) if isinstance(value, str) and words else ""
    msg = f"{where} must be {described(hint)}. Received {value!r}.{close}"
    raise ConfigError(msg)


def fits(value: object, hint: Any) -> bool:
    """Return whether a value has the declared type.

    Examples
    --------
    >>> fits(1, float), fits(True, int), fits(["a"], str | list[str]), fits("a", list[str])
    (True, False, True, False)
    """
    return any(_fits_one(value, one) for one in _members(hint))


def described(hint: Any) -> str:
    """Return a type in words.

    Examples
    --------
    >>> described(int | None)
    'an integer or null'
    """
    words: list[str] = []
    for one in _members(hint):
        kind = get_origin(one) or one
        if kind is Literal:
            words += [repr(word) for word in get_args(one)]
        elif kind in _LISTS:
            words.append("a list")
        elif kind in _MAPPINGS:
            words.append("a mapping")
        elif kind in _WORDS:
            words.append(_WORDS[kind])
    return " or ".join(dict.fromkeys(words))


def _members(hint: Any) -> list[Any]:
    """Return the parts of a union, with names of types resolved."""
    while isinstance(hint, TypeAliasType):
        hint = hint.__value__
    if get_origin(hint) in {Union, types.UnionType}:
        return [member for one in get_args(hint) for member in _members(one)]
    return [type(None) if hint is None else hint]


def _fits_one(value: object, hint: Any) -> bool:
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if kind is Literal:
        return any(value == word and type(value) is type(word) for word in inner)
    if kind in _LISTS:
        found: Iterable[Any] | None = value if isinstance(value, list | tuple) else None
        return found is not None and (not inner or all(fits(one, inner[0]) for one in found))
    if kind in _MAPPINGS:
        values = value.values() if isinstance(value, Mapping) else None
        return values is not None and (not inner or all(fits(one, inner[1]) for one in values))
    if kind in _PLAIN:
        is_switch = isinstance(value, bool) and kind in {int, float}
        return isinstance(value, _PLAIN[kind]) and not is_switch
    # An annotation that is not resolved allows all values; a class has no notation in YAML.
    return kind is Any or isinstance(hint, str) or not inspect.isclass(kind)
