"""From the values of a column to numbers, for continuous covariates."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.data.contract.columns.category import TIMES, distinct
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed


def numbers_of(column: "pd.Series[Any]", key: str) -> NDArray[np.float64]:
    """Return the values of a continuous covariate as numbers; True and False become 1 and 0.

    Raises
    ------
    DataContractError
        If a value is not a number, missing or infinite; the message names cells.

    Examples
    --------
    >>> numbers_of(pd.Series([True, "0.5", 2], index=["a", "b", "c"]), "dose").tolist()
    [1.0, 0.5, 2.0]
    """
    dtype = column.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biuf":
        values = column.to_numpy(dtype=np.float64)
    else:
        found = distinct(column)
        numbers = [_number_of(value) for value in found.values]
        if None in numbers:
            wrong = numbers.index(None)
            cell = column.index[int(np.argmax(found.rows == wrong))]
            raise _no_number(key, cell, found.values[wrong])
        values = np.asarray([*numbers, np.nan], dtype=np.float64)[found.rows]
    bad = ~np.isfinite(values)
    if bad.any():
        msg = (
            f"The continuous covariate {key!r} must be finite for every cell; it is not for "
            f"{int(bad.sum())}: {listed(column.index[bad])}. Fill in their values, or remove these "
            "cells."
        )
        raise DataContractError(msg)
    return values


def _number_of(value: Any) -> float | None:
    is_number = isinstance(value, bool | np.bool_ | int | float | np.integer | np.floating)
    if isinstance(value, TIMES) or not (is_number or isinstance(value, str | Decimal)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return np.inf


def _no_number(key: str, cell: Any, value: Any) -> DataContractError:
    if isinstance(value, TIMES):
        remedy = f"Turn it into a number first, such as seconds: {_seconds(value)}."
    else:
        remedy = "A column of names belongs in categorical_covariate_keys."
    return DataContractError(
        f"The continuous covariate {key!r} must hold numbers; cell {cell!r} has "
        f"{value!r} ({type(value).__name__}). {remedy}"
    )


def _seconds(value: Any) -> str:
    """Write the code that turns a column of times into numbers."""
    if isinstance(value, timedelta | np.timedelta64):
        return "pd.to_timedelta(column).dt.total_seconds()"
    if isinstance(value, pd.Period):
        start = value.start_time.date()
        return f"(pd.PeriodIndex(column).to_timestamp() - pd.Timestamp('{start}')).total_seconds()"
    assert isinstance(value, date | np.datetime64)
    start = pd.Timestamp(value).date()
    return (
        f"(pd.to_datetime(column, utc=True) - pd.Timestamp('{start}', tz='UTC')).dt.total_seconds()"
    )
