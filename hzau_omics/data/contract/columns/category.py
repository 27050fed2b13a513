"""From the values of a column to categories: their texts, and the order of the texts."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed, number

UNKNOWN = -1

DIGITS_OF_FLOAT32 = 9
"""Digits that distinguish all float32 numbers; further ones come from a conversion to float64."""

TIMES = (date, np.datetime64, timedelta, np.timedelta64, pd.Period)
"""Dates, times, durations and periods in Python, numpy and pandas."""


def text_of(value: Any) -> str:
    """Write a value as the name of a category, whatever type holds it.

    Numbers are written with the fewest digits that their own precision needs, integers without a
    decimal point; a float32 gives the same text after a conversion to float64. Points in time are
    written in ISO 8601, in UTC if they have a time zone.

    Examples
    --------
    >>> [text_of(value) for value in (np.float32(0.1), float(np.float32(0.1)), -0.0, np.int8(1))]
    ['0.1', '0.1', '0', '1']
    >>> text_of(np.datetime64("2024-03-01", "s")), text_of(pd.Timestamp("2024-03-01 12:00"))
    ('2024-03-01', '2024-03-01T12:00:00')
    """
    if isinstance(value, bool | np.bool_):
        return str(bool(value))
    if isinstance(value, timedelta | np.timedelta64):
        return str(pd.Timedelta(value))
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating | Decimal):
        return _float_text(value)
    if isinstance(value, date | np.datetime64):
        return _time_text(value)
    return str(value)


def _float_text(value: Any) -> str:
    if float(value).is_integer():
        return str(int(value))
    text = number(value if isinstance(value, np.floating) else float(value))
    digits = re.sub(r"e.*|\D", "", text).lstrip("0")
    if len(digits) > DIGITS_OF_FLOAT32 and abs(float(value)) < np.finfo(np.float32).max:
        narrow = np.float32(value)
        if float(narrow) == float(value):
            return number(narrow)
    return text


def _time_text(value: Any) -> str:
    moment = pd.Timestamp(value)
    if moment.tzinfo is not None:
        return str(moment.tz_convert("UTC").isoformat())
    return str(moment.isoformat()).removesuffix("T00:00:00")


def _kind_of(value: Any) -> str:
    """Name the kind of a value: values of the same kind and text are the same."""
    if isinstance(value, bool | np.bool_):
        return "truth"
    if isinstance(value, TIMES):
        return "time"
    if isinstance(value, int | float | np.integer | np.floating | Decimal):
        return "number"
    return "text" if isinstance(value, str) else type(value).__name__


def natural_order(texts: Iterable[str]) -> tuple[str, ...]:
    """Sort categories: numbers by value, digits within other texts as numbers too.

    Examples
    --------
    >>> natural_order(["10", "9.5", "-1"]), natural_order(["b10", "b9", "a"])
    (('-1', '9.5', '10'), ('a', 'b9', 'b10'))
    """
    given = sorted(set(texts))
    read = ((_as_number(text), text) for text in given)
    numbers = [(value, text) for value, text in read if value is not None]
    if len(numbers) == len(given):
        return tuple(text for _, text in sorted(numbers))
    return tuple(sorted(given, key=_digits_apart))


def _digits_apart(text: str) -> list[str | int]:
    # Texts and numbers alternate, so that values of one type are compared.
    return [int(part) if i % 2 else part for i, part in enumerate(re.split(r"([0-9]+)", text))]


def _as_number(text: str) -> float | None:
    """Return the number that a category stands for, None for any other text."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if text in (repr(value), _float_text(value)) and np.isfinite(value) else None


@dataclass(frozen=True)
class Distinct:
    """The distinct values of a column.

    Attributes
    ----------
    rows
        Position of each row's value in `values`, -1 where it is missing.
    values
        The values; those of a pandas categorical in the order of its categories.
    in_order
        Whether the column defines the order of its values.
    """

    rows: NDArray[np.int64]
    values: tuple[Any, ...]
    in_order: bool = False

    @property
    def texts(self) -> tuple[str, ...]:
        """Text of each value."""
        return tuple(text_of(value) for value in self.values)

    @property
    def missing(self) -> NDArray[np.bool_]:
        """Boolean array (row): which values are missing."""
        return self.rows < 0

    def categories(self, key: str, role: str) -> tuple[str, ...]:
        """Return the texts in the column's own order, else in natural order.

        Raises
        ------
        DataContractError
            If two different values, such as 1 and "1", have the same text.
        """
        first: dict[str, Any] = {}
        for text, value in zip(self.texts, self.values, strict=True):
            other = first.setdefault(text, value)
            if _kind_of(other) != _kind_of(value):
                msg = (
                    f"The {role} {key!r} has different values that read alike: {other!r} "
                    f"({type(other).__name__}) and {value!r} ({type(value).__name__}). Merge them "
                    "with .astype(str) on the column, or rename one of them."
                )
                raise DataContractError(msg)
        return tuple(first) if self.in_order else natural_order(first)

    def codes(self, categories: Sequence[str]) -> NDArray[np.int64]:
        """Return each row's position among categories, -1 for missing and unknown values.

        A number that was rounded to another precision is found if only one category rounds to it.
        """
        place = {text: i for i, text in enumerate(categories)}
        found = [place.get(text, UNKNOWN) for text in self.texts]
        if UNKNOWN in found:
            read = {i: _as_number(text) for i, text in enumerate(categories)}
            numbers = {i: n for i, n in read.items() if n is not None}
            found = [
                _rounded_alike(value, numbers) if code == UNKNOWN else code
                for value, code in zip(self.values, found, strict=True)
            ]
        return np.asarray([*found, UNKNOWN], dtype=np.int64)[self.rows]


def _rounded_alike(value: Any, numbers: dict[int, float]) -> int:
    """Find the only number that equals a value once one of the two is rounded, else -1."""
    if _kind_of(value) != "number" or not np.isfinite(wide := float(value)):
        return UNKNOWN
    types: list[Callable[[float], Any]] = [float]
    if not wide.is_integer():
        # Integers are names, such as 20240101, and must not be rounded to a neighbour.
        types.append(np.float32)
        with np.errstate(over="ignore"):
            types += [np.float16] if float(np.float16(wide)) == wide else []
    for narrow in types:
        with np.errstate(over="ignore"):
            alike = [i for i, n in numbers.items() if narrow(n) == narrow(wide)]
        if len(alike) == 1:
            return alike[0]
    return UNKNOWN


def distinct(column: "pd.Series[Any]") -> Distinct:
    """Find the distinct values of a column of any dtype.

    Values of different kinds differ: True, 1 and "1" are three values, although True == 1.

    Raises
    ------
    DataContractError
        If a value is not a single value, for example a list.
    """
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        inner = distinct(pd.Series(dtype.categories))
        return _used(np.append(inner.rows, -1)[column.cat.codes], inner.values, in_order=True)
    if isinstance(dtype, pd.SparseDtype):
        return distinct(pd.Series(np.asarray(column), index=column.index, name=column.name))
    if isinstance(dtype, np.dtype) and (dtype == np.float16 or not dtype.isnative):
        # pandas widens half precision, and does not support foreign byte orders.
        values, rows = np.unique(column.to_numpy(), return_inverse=True)
        return _used(rows, tuple(values))
    if not pd.api.types.is_object_dtype(dtype):
        rows, found = pd.factorize(column, use_na_sentinel=True)
        return _used(rows, tuple(found))
    return _of_objects(column)


def _of_objects(column: "pd.Series[Any]") -> Distinct:
    values = column.to_numpy()
    present = column.notna().to_numpy()
    types = pd.factorize(np.array([*map(type, values), None], dtype=object)[:-1])[0]
    rows = np.full(len(values), -1, dtype=np.int64)
    every: list[Any] = []
    for kind in pd.unique(types[present]):
        own = np.flatnonzero(present & (types == kind))
        try:
            inner, found = pd.factorize(values[own])
        except TypeError:
            first = values[own[0]]
            msg = (
                f"The column {column.name!r} must hold single values, such as text or numbers. "
                f"Cell {column.index[own[0]]!r} has {first!r} ({type(first).__name__}). Convert "
                "such values to text."
            )
            raise DataContractError(msg) from None
        rows[own] = inner + len(every)
        every += list(found)
    return _used(rows, tuple(every))


def differing(one: NDArray[np.object_], other: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Return where two arrays have different values: 1 and "1" differ, 1 and 1.0 do not.

    Examples
    --------
    >>> differing(np.array([1, 1, 1], object), np.array([1.0, "1", True], object)).tolist()
    [False, True, True]
    """
    known: dict[tuple[str, str], int] = {}

    def identities(values: NDArray[np.object_]) -> NDArray[np.int64]:
        found = distinct(pd.Series(values, dtype=object))
        named = zip(map(_kind_of, found.values), found.texts, strict=True)
        own = np.array([known.setdefault(name, len(known)) for name in named], dtype=np.int64)
        return own[found.rows]

    return np.asarray(identities(one) != identities(other))


def _used(rows: NDArray[Any], values: tuple[Any, ...], *, in_order: bool = False) -> Distinct:
    """Drop values that are missing or that no row has; keep the order of the others."""
    occurs = np.bincount(rows[rows >= 0], minlength=len(values)) > 0
    keep = np.flatnonzero(occurs & ~np.asarray([bool(pd.isna(v)) for v in values], dtype=bool))
    new = np.full(len(values) + 1, -1, dtype=np.int64)
    new[keep] = np.arange(len(keep))
    return Distinct(new[rows], tuple(values[i] for i in keep), in_order)


def require_all(found: Distinct, column: "pd.Series[Any]", key: str, role: str) -> Distinct:
    """Return the distinct values of a column unless some are missing.

    Raises
    ------
    DataContractError
        If a value is missing; the message names the first cells.
    """
    if found.missing.any():
        cells = column.index[found.missing]
        msg = (
            f"The {role} {key!r} must have a value for every cell; {len(cells)} have none: "
            f"{listed(cells)}. Fill in their values, or remove these cells."
        )
        raise DataContractError(msg)
    return found
