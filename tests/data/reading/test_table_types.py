"""Tables keep what is written in them: no name or label is taken for a number or for missing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

import hzau_omics as ho
from hzau_omics.data.reading.files import read_table_file
from hzau_omics.data.reading.table_types import with_types


def read(tmp_path, *lines):
    path = tmp_path / "notes.csv"
    path.write_text("\n".join(lines) + "\n")
    return read_table_file(path)


def test_labels_stay_as_they_are_written(tmp_path):
    table = read(tmp_path, "cell,donor,type", "a,NA,None", "b,01,T", "c,02,null", "d,,")
    assert table["donor"].tolist()[:3] == ["NA", "01", "02"]
    assert table["type"].tolist()[:3] == ["None", "T", "null"]
    assert table.isna().sum(axis=1).tolist() == [0, 0, 0, 2]


def test_cells_that_are_named_by_numbers_with_zeros_in_front_are_found(lane, tmp_path):
    adata = lane(n=3).adata()
    adata.obs_names = ["001", "002", "010"]
    for names in ("cell,", ""):
        lines = [f"{names}type", "010,B", "001,NA", "002,T"]
        (tmp_path / "notes.csv").write_text("\n".join(lines))
        mdata = ho.data.read({"rna": adata}, tables=tmp_path / "notes.csv")
        assert mdata.obs["type"].tolist() == ["NA", "T", "B"]


@pytest.mark.parametrize(
    ("texts", "values"),
    [
        (["1", "20", "-3"], [1, 20, -3]),
        (["0.50", "1e-05", "-2"], [0.5, 1e-5, -2]),
        (["1", "NA", "2"], [1, np.nan, 2]),
        (["1.5", None, "nan"], [1.5, np.nan, np.nan]),
        ([None, None], [np.nan, np.nan]),
    ],
)
def test_numbers_become_numbers(texts, values):
    column = with_types(pd.DataFrame({"n": texts}))["n"]
    assert pd.api.types.is_numeric_dtype(column)
    np.testing.assert_array_equal(column, values)


@pytest.mark.parametrize(
    "texts",
    [
        ["01", "2"],
        ["1.1", "1.10"],
        ["1E5", "2E5"],
        ["+1", "2"],
        ["9007199254740993", "1"],
        ["1_0", "2"],
        [" 1", "2"],
        ["NA", "NA"],
        ["True", "TRUE"],
        ["True", "1"],
        ["-0", "0"],
    ],
)
def test_what_would_not_be_the_same_as_a_number_stays_text(texts):
    assert with_types(pd.DataFrame({"n": texts}))["n"].tolist() == texts


@pytest.mark.parametrize(("true", "false"), [("True", "False"), ("TRUE", "FALSE")])
def test_flags_become_flags(true, false):
    table = pd.DataFrame({"a": [true, false], "b": [true, None], "c": [false, false]})
    found = with_types(table)
    assert found["a"].dtype == found["c"].dtype == bool
    assert found["a"].tolist() == [True, False]
    assert found["b"].isna().tolist() == [False, True]


@given(st.lists(st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False)))
def test_numbers_as_python_writes_them_come_back(numbers):
    table = pd.DataFrame({"n": [str(one) for one in numbers]}, dtype=str)
    column = with_types(table)["n"]
    if pd.api.types.is_numeric_dtype(column):
        assert column.tolist() == numbers
    else:
        # The same number in two spellings, or one that is not safe to read.
        assert column.tolist() == [str(one) for one in numbers]
