"""Labels that cells were given: what means none is missing, and other labels stay."""

import pandas as pd
import pytest

from hzau_omics.report.given_labels import given


@pytest.mark.parametrize("dtype", [object, "category", "string"])
def test_values_that_mean_no_label_are_missing_and_other_labels_stay(dtype):
    column = pd.Series(["B", "unknown", None, "of a query", "NA"], dtype=dtype, name="kind")
    found = given(column, ("unknown", "NA"))
    assert found.isna().tolist() == [False, True, True, False, True]
    assert found.dropna().tolist() == ["B", "of a query"]
    assert found.index.equals(column.index)
    assert column.isna().sum() == 1
    assert list(found.cat.categories) == ["B", "of a query"]


def test_numbers_that_mean_no_label_are_missing():
    assert given(pd.Series([1, -1]), ("-1",)).isna().tolist() == [False, True]
    assert given(pd.Series([1, 2]), ("-1",)).tolist() == [1, 2]
