"""What :mod:`hzau_omics.arrays` makes of the containers that users hold numbers in."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hzau_omics.arrays import dense

FULL = np.array([[0.0, 1.5], [2.0, 0.0]])


@pytest.mark.parametrize(
    "values",
    [
        pytest.param(FULL, id="numpy"),
        pytest.param(FULL.tolist(), id="list"),
        pytest.param(sparse.csr_matrix(FULL), id="csr matrix"),
        pytest.param(sparse.coo_array(FULL), id="coo array"),
        pytest.param(pd.DataFrame(FULL), id="DataFrame"),
        pytest.param(pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(FULL)), id="sparse frame"),
        pytest.param(np.ma.masked_array(FULL), id="masked array without masked entries"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_container_gives_the_same_plain_array(values: Any, dtype: type[np.floating]) -> None:
    found = dense(values, dtype)
    assert type(found) is np.ndarray
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, FULL.astype(dtype))


def test_masked_and_missing_values_are_nan() -> None:
    masked = np.ma.masked_array([[1, 2]], mask=[[False, True]])
    frame = pd.DataFrame({"a": pd.array([1], dtype="Int64"), "b": pd.array([None], dtype="Int64")})
    for values in (masked, frame):
        np.testing.assert_array_equal(dense(values), [[1.0, np.nan]])


def test_an_array_of_the_wanted_type_is_not_copied() -> None:
    assert np.shares_memory(dense(FULL), FULL)
