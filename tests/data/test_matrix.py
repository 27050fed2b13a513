import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from hzau_omics.data.matrix import chunks, read_matrix, select_features, to_float32, to_rows
from hzau_omics.errors import DataContractError

FORMATS = {
    "csr": sp.csr_matrix,
    "csr_array": sp.csr_array,
    "csc": sp.csc_matrix,
    "csc_array": sp.csc_array,
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
}
small = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=st.integers(0, 3)
)


def _dense(values):
    return values if isinstance(values, np.ndarray) else values.toarray()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint8, bool])
def test_every_format_reads_as_the_same_rows(form, dtype):
    values = np.random.default_rng(0).poisson(0.7, size=(5, 4)).astype(dtype)
    adata = AnnData(FORMATS[form](values))
    rows = to_float32(to_rows(read_matrix(adata, "rna", None)))
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(_dense(rows), values.astype(np.float32))


def test_other_sparse_formats_are_converted():
    adata = AnnData(np.zeros((2, 2)))
    adata.layers["x"] = sp.csr_matrix(np.eye(2))
    adata.layers._data["x"] = sp.coo_matrix(np.eye(2))
    np.testing.assert_array_equal(to_rows(read_matrix(adata, "rna", "x")).toarray(), np.eye(2))


def test_float32_csr_is_shared():
    matrix = sp.csr_matrix(np.eye(3, dtype=np.float32))
    rows = to_float32(to_rows(read_matrix(AnnData(matrix), "rna", None)))
    assert np.shares_memory(rows.data, matrix.data)


def test_unsorted_and_repeated_entries_are_summed_on_a_copy():
    matrix = sp.csr_matrix(
        (np.array([1.0, 2.0, 3.0]), np.array([2, 0, 2]), np.array([0, 3])), shape=(1, 3)
    )
    adata = AnnData(matrix)
    np.testing.assert_array_equal(to_rows(read_matrix(adata, "r", None)).toarray(), [[2, 0, 4]])
    assert adata.X.indices.tolist() == [2, 0, 2]


@given(values=small, data=st.data(), sparse=st.booleans())
def test_selected_features_follow_their_source(values, data, sparse):
    source = np.array(
        data.draw(st.permutations(range(values.shape[1])))[: data.draw(st.integers(1, 6))]
        + [-1] * data.draw(st.integers(0, 2))
    )
    expected = np.where(source >= 0, values[:, source], 0)
    taken = select_features(sp.csr_array(values) if sparse else values, source)
    np.testing.assert_array_equal(_dense(taken), expected)


def test_registered_order_is_not_copied():
    values = sp.csr_array(np.eye(3))
    assert select_features(values, np.arange(3)) is values
    assert select_features(values, np.arange(2)) is not values


@given(values=small, size=st.integers(1, 7), form=st.sampled_from(sorted(FORMATS)))
def test_chunks_cover_every_value_once(values, size, form):
    matrix = read_matrix(AnnData(FORMATS[form](values)), "rna", None)
    seen = np.full(values.shape, np.nan)
    for chunk in chunks(matrix, size=size):
        rows, columns = chunk.locate(np.arange(len(chunk.values)))
        assert np.isnan(seen[rows, columns]).all()
        seen[rows, columns] = chunk.values
    np.testing.assert_array_equal(np.nan_to_num(seen), values)
    if form in "CF":
        assert not np.isnan(seen).any()


def test_binarized_values_stop_at_one():
    dense = np.array([[0, 3], [1, 2]], dtype=np.float32)
    for values in (dense, sp.csr_array(dense)):
        cast = to_float32(values, binarize=True)
        np.testing.assert_array_equal(_dense(cast), np.minimum(dense, 1))
    assert dense.max() == 3


def test_unknown_layers_list_what_exists():
    adata = AnnData(np.eye(2), layers={"counts": np.eye(2)})
    with pytest.raises(
        DataContractError, match=r"'rna' has no layer 'count'.*'counts'.*Did you mean"
    ):
        read_matrix(adata, "rna", "count")


def test_an_empty_x_asks_for_a_layer():
    adata = AnnData(shape=(2, 2), layers={"counts": np.eye(2)})
    with pytest.raises(DataContractError, match=r"X of modality 'rna' is empty.*'counts'"):
        read_matrix(adata, "rna", None)


def test_only_numbers_in_memory_are_read(tmp_path):
    import anndata

    adata = AnnData(np.eye(2))
    adata.layers._data["text"] = np.array([["a", "b"], ["c", "d"]])
    with pytest.raises(DataContractError, match="Layer 'text' of modality 'rna' must hold numbers"):
        read_matrix(adata, "rna", "text")
    AnnData(sp.csr_matrix(np.eye(2))).write_h5ad(tmp_path / "x.h5ad")
    backed = anndata.read_h5ad(tmp_path / "x.h5ad", backed="r")
    with pytest.raises(DataContractError, match=r"in memory, got .*Read it into memory"):
        read_matrix(backed, "rna", None)
