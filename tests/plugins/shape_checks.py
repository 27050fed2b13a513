"""Check the annotations of `hzau_omics.nn` at run time, in each function's first calls of a test.

Later calls have the shapes of earlier ones, and checking all takes most of the time of a training.
"""

import sys
from collections import Counter
from collections.abc import Callable
from functools import wraps
from inspect import unwrap
from types import FunctionType
from typing import Any

from beartype import BeartypeConf, beartype

CALLS = 100
"""How many calls of a function are checked in one test."""

_with_numbers = beartype(conf=BeartypeConf(is_pep484_tower=True))
_calls: Counter[Callable[..., Any]] = Counter()
_checked_enough: list[FunctionType] = []


def check(annotated: FunctionType) -> Callable[..., None]:
    """Return a function that raises where arguments are not as annotated.

    jaxtyping makes two of them for each function and calls them beside it: one with the arguments,
    one with them and what was returned.
    """
    checked = _with_numbers(annotated)

    @wraps(annotated)
    def first_calls(*args: Any, **kwargs: Any) -> None:
        if _calls[annotated] < CALLS:
            _calls[annotated] += 1
            checked(*args, **kwargs)
        else:
            _leave_out(annotated)

    return first_calls


def start_again() -> None:
    """Check the next calls of every function, as those of another test."""
    _calls.clear()
    while _checked_enough:
        del _checked_enough.pop().__no_type_check__


def _leave_out(annotated: FunctionType) -> None:
    """Mark the function of that name as `typing.no_type_check` does: jaxtyping then only calls it.

    Functions inside others and properties cannot be found by name; they are only not checked.
    """
    found: Any = sys.modules[annotated.__module__]
    for name in annotated.__qualname__.split("."):
        found = getattr(found, name, None)
    function = unwrap(found) if callable(found) else None
    if isinstance(function, FunctionType) and not hasattr(function, "__no_type_check__"):
        function.__no_type_check__ = True  # type: ignore[attr-defined]
        _checked_enough.append(function)
