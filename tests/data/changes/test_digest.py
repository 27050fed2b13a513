import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays

from hzau_omics.data.changes import digest
from hzau_omics.data.changes.digest import IGNORED, row_digests

FORMATS = [np.asfortranarray, sp.csr_array, sp.csc_array, sp.csr_matrix, sp.csc_matrix]
COUNTS = arrays(np.float32, (6, 5), elements=st.integers(0, 3).map(float))


def digests(values, codes=None):
    return row_digests(values, np.arange(values.shape[1]) if codes is None else codes)


@pytest.fixture(params=[1 << 22, 4], ids=["whole", "in_parts"])
def _parts(request, monkeypatch):
    monkeypatch.setattr(digest, "ENTRIES_AT_ONCE", request.param)


@pytest.mark.usefixtures("_parts")
@pytest.mark.parametrize("build", FORMATS)
@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "uint16", "int64"])
def test_the_digest_of_a_row_knows_neither_format_nor_dtype(build, dtype):
    values = np.random.default_rng(0).poisson(0.7, (9, 7)).astype(np.float32)
    np.testing.assert_array_equal(digests(build(values).astype(dtype)), digests(values))
    np.testing.assert_array_equal(digests(values.astype(">f8")), digests(values))


@pytest.mark.usefixtures("_parts")
@settings(max_examples=30)
@given(values=COUNTS, row=st.integers(0, 5), column=st.integers(0, 4), change=st.floats(0.5, 9))
def test_one_changed_value_changes_its_row_alone(values, row, column, change):
    changed = values.copy()
    changed[row, column] += np.float32(change)
    differs = digests(changed) != digests(values)
    assert differs.tolist() == [i == row for i in range(len(values))]
    np.testing.assert_array_equal(digests(sp.csc_array(changed)), digests(changed))


@settings(max_examples=30)
@given(values=COUNTS, order=st.permutations(range(6)), columns=st.permutations(range(5)))
def test_rows_and_columns_can_be_moved(values, order, columns):
    moved = values[order][:, columns]
    np.testing.assert_array_equal(digests(moved, np.array(columns)), digests(values)[order])


def test_two_values_that_trade_places_are_noticed():
    values = np.array([[1, 2, 0], [0, 1, 2]], np.float32)
    assert (digests(values) != digests(values[:, [1, 0, 2]])).all()
    assert len(set(digests(np.eye(50, dtype=np.float32)))) == 50


def test_ignored_columns_and_zeros_do_not_count():
    values = np.array([[1, 5, 0], [0, 0, 3]], np.float32)
    codes = np.array([0, IGNORED, 1])
    np.testing.assert_array_equal(digests(values, codes), digests(values[:, [0, 2]]))
    stored = sp.csr_array((np.array([1.0, -0.0, 0.0]), [0, 1, 2], [0, 3]), shape=(1, 3))
    assert digests(stored) == digests(np.array([[1, 0, 0]]))


@pytest.mark.parametrize("build", [sp.csr_array, sp.csc_array])
def test_entries_that_repeat_count_as_their_sum_and_stay_as_they_are(build):
    repeated = build((np.ones(4, np.float32), [1, 1, 0, 2], [0, 3, 4]))
    entries = repeated.indices.copy()
    np.testing.assert_array_equal(digests(repeated), digests(repeated.toarray()))
    np.testing.assert_array_equal(repeated.indices, entries)


def test_values_beyond_float32_have_a_digest_too():
    values = np.array([[1e300, np.nan, np.inf]])
    assert digests(values)[0] not in (0, digests(np.array([[1e300, np.nan, 0.0]]))[0])
