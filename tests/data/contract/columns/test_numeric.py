from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from hzau_omics.data.contract.columns.numeric import numbers_of
from hzau_omics.errors import DataContractError

CELLS = ["c0", "c1", "c2"]


def _column(values):
    return pd.Series(values, index=CELLS[: len(values)])


@given(
    values=st.lists(st.floats(-1e4, 1e4, width=16), min_size=3, max_size=3),
    dtype=st.sampled_from(
        ["f2", "f4", "f8", ">f4", "Float32", "Float64", "object", "str", "Sparse[float]"]
    ),
    category=st.booleans(),
)
def test_numbers_are_the_same_in_every_form(values, dtype, category):
    column = _column(values).astype(dtype)
    if category and dtype not in ("f2", ">f4"):
        column = column.astype("category")
    assert numbers_of(column, "age").tolist() == values


@pytest.mark.parametrize(
    "values",
    [
        [True, False, True],
        pd.array([True, False, True], dtype="boolean"),
        pd.Categorical([True, False, True]),
        np.array([True, 0, np.int8(1)], dtype=object),
        np.array([Decimal(1), "0", np.float16(1)], dtype=object),
    ],
)
def test_truth_values_and_mixed_numbers(values):
    assert numbers_of(_column(values), "age").tolist() == [1, 0, 1]


@pytest.mark.parametrize("values", [[1.0, np.nan, np.inf], ["1", None, "inf"], [1, pd.NA, 10**400]])
@pytest.mark.parametrize("dtype", ["object", "category"])
def test_missing_and_infinite_values_name_the_cells(values, dtype):
    with pytest.raises(DataContractError, match=r"'age' must be finite.*not for 2: 'c1', 'c2'"):
        numbers_of(_column(values).astype(dtype), "age")


@pytest.mark.parametrize("dtype", ["object", "str", "category"])
def test_names_are_no_numbers(dtype):
    column = _column(["1", "old", "2"]).astype(dtype)
    with pytest.raises(DataContractError, match=r"cell 'c1' has 'old' \(str\).*categorical_cov"):
        numbers_of(column, "age")


DAYS = ["2024-01-01", "2024-01-02", "2024-01-04"]
TIMES = {
    "datetimes": pd.to_datetime(DAYS),
    "in a zone": pd.to_datetime(DAYS).tz_localize("UTC"),
    "seconds": np.array(DAYS, dtype="M8[s]"),
    "categories": pd.Categorical(pd.to_datetime(DAYS)),
    "dates": [date.fromisoformat(day) for day in DAYS],
    "durations": pd.to_timedelta([0, 1, 3], unit="D"),
    "categories of durations": pd.Categorical(pd.to_timedelta([0, 1, 3], unit="D")),
    "periods": pd.PeriodIndex(DAYS, freq="D"),
    "categories of periods": pd.Categorical(pd.PeriodIndex(DAYS, freq="D")),
}


@pytest.mark.parametrize("values", TIMES.values(), ids=TIMES)
def test_times_are_refused_and_the_remedy_gives_numbers(values):
    column = _column(values)
    with pytest.raises(DataContractError, match=r"cell 'c0' has .*such as seconds: ") as caught:
        numbers_of(column, "day")
    code = str(caught.value).split("such as seconds: ")[1].removesuffix(".")
    seconds = pd.Series(eval(code, {"pd": pd, "column": column}), dtype=float)
    seconds.index = column.index
    assert (numbers_of(seconds, "day") / 86400).tolist() == [0, 1, 3]
