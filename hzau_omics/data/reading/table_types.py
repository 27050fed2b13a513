"""Types of the columns of a table that was read as text: numbers and flags if nothing is lost."""

import re

import pandas as pd

_WHOLE = re.compile(r"0|-?[1-9]\d{0,14}")
# An exponent has a sign as programs write it, so that a well 1E5 is no number.
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?(e[+-]\d+)?", re.IGNORECASE)
_MISSING = ("NA", "NaN", "nan")
"""How programs write numbers that are missing."""
_FLAGS = (("True", "False"), ("TRUE", "FALSE"), ("true", "false"))


def with_types(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of texts in which columns of numbers and of flags have these types.

    A column becomes numbers if all its texts are written as numbers, without zeros in front, and
    different texts are different numbers; beside numbers, ``NA`` and ``NaN`` are missing ones. It
    becomes flags if all are ``True`` or ``False``, in one spelling. Else it stays as it is.

    Examples
    --------
    >>> table = pd.DataFrame({"donor": ["01", "NA"], "age": ["61", "40"], "passed": ["TRUE", None]})
    >>> with_types(table).to_dict("list")
    {'donor': ['01', 'NA'], 'age': [61, 40], 'passed': [True, None]}
    """
    return table.apply(_typed)


def _typed(column: "pd.Series[str]") -> pd.Series:
    texts = set(column.dropna())
    for true, false in _FLAGS:
        if texts and texts <= {true, false}:
            flags = column.astype(object).map({true: True, false: False})
            return flags.where(column.notna(), None) if column.isna().any() else flags.astype(bool)
    numbers = texts.difference(_MISSING)
    whole = all(_WHOLE.fullmatch(one) for one in numbers)
    if not whole and not all(_NUMBER.fullmatch(one) for one in numbers):
        return column
    if len({float(one) for one in numbers}) < len(numbers) or (texts and not numbers):
        return column
    values = column.where(~column.isin(_MISSING)).astype(float)
    return values.astype("int64") if whole and values.notna().all() and len(values) else values
