from copy import deepcopy

import numpy as np
import pytest
import scipy.sparse as sp
from anndata import AnnData
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from hzau_omics.data.contract.matrix import (
    chunks,
    read_matrix,
    select_features,
    to_float32,
    to_rows,
)
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


UNUSUAL = {
    "masked": np.ma.array,
    "masked, shrunk": lambda values: np.ma.masked_equal(values, 999),
    "subclass": lambda values: values.view(type("Own", (np.ndarray,), {})),
    "big-endian": lambda values: values.astype(values.dtype.newbyteorder(">")),
    "strided": lambda values: np.repeat(values, 2, axis=1)[:, ::2],
    "reversed": lambda values: values[::-1].copy()[::-1],
    "half": lambda values: values.astype(np.float16),
    "long": lambda values: values.astype(np.longdouble),
    **{
        name: lambda values, name=name: sp.csr_array(values).asformat(name)
        for name in ("coo", "lil", "dok", "bsr", "dia", "csr", "csc")
    },
    "csr_matrix, half": lambda values: _spoiled(values, np.float16),
    "csr_matrix, big-endian": lambda values: _spoiled(values, values.dtype.newbyteorder(">")),
    "csr_matrix, masked": lambda values: _spoiled(values, values.dtype, np.ma.array),
}


def _spoiled(values, dtype, kind=np.array):
    matrix = sp.csr_matrix(values)
    matrix.data = kind(matrix.data.astype(dtype))
    return matrix


@pytest.mark.parametrize("form", UNUSUAL.values(), ids=UNUSUAL)
@pytest.mark.parametrize("read_only", [False, True])
def test_unusual_containers_read_as_their_values(form, read_only):
    expected = np.random.default_rng(0).poisson(0.7, size=(5, 4)).astype(np.float32)
    held = form(expected.copy())
    for part in ("data", "indices", "indptr") if sp.issparse(held) else ():
        if read_only and isinstance(getattr(held, part, None), np.ndarray):
            getattr(held, part).setflags(write=False)
    if read_only and not sp.issparse(held):
        held.setflags(write=False)
    adata = AnnData(np.zeros((5, 4)), layers={"x": np.zeros((5, 4))})
    adata.layers._data["x"] = held
    kind, before = type(held), deepcopy(held)
    rows = to_float32(to_rows(read_matrix(adata, "rna", "x")))
    assert type(rows) in (np.ndarray, sp.csr_array)
    assert rows.dtype == np.float32
    assert rows.dtype.isnative
    np.testing.assert_array_equal(_dense(rows), expected)
    assert adata.layers._data["x"] is held
    assert type(held) is kind
    assert held.dtype == before.dtype
    for part in ("data", "indices", "indptr") if sp.issparse(held) else ():
        if hasattr(before, part):
            np.testing.assert_array_equal(getattr(held, part), getattr(before, part))
    if not sp.issparse(held):
        np.testing.assert_array_equal(held, before)


@pytest.mark.parametrize("name", ["coo", "csr", "csc"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32])
def test_entries_of_one_place_are_added_up_without_wrapping(name, dtype):
    entries = np.array([100, 100, 100, 5], dtype=dtype)
    held = sp.coo_matrix((entries, ([0, 0, 0, 1], [1, 1, 1, 0])), shape=(2, 2))
    if name != "coo":
        parts = (entries, [1, 1, 1, 0], [0, 3, 4]) if name == "csr" else None
        parts = parts or (entries[[3, 0, 1, 2]], [1, 0, 0, 0], [0, 1, 4])
        held = getattr(sp, f"{name}_matrix")(parts, shape=(2, 2))
    adata = AnnData(np.zeros((2, 2)), layers={"x": np.zeros((2, 2))})
    adata.layers._data["x"] = held
    assert to_rows(read_matrix(adata, "rna", "x")).toarray().tolist() == [[0, 300], [5, 0]]
    assert held.nnz == 4


def _masked(sparse):
    values = np.array([[0, 2, 1], [3, 777, 0], [777, 0, 5]], dtype=np.float32)
    if not sparse:
        return np.ma.array(values, mask=values == 777)
    matrix = sp.csr_matrix(values)
    matrix.data = np.ma.array(matrix.data, mask=matrix.data == 777)
    return matrix


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("layer", [None, "raw"])
@pytest.mark.parametrize("part", ["all", "view"])
def test_masked_entries_are_refused_and_filled_ones_read(sparse, layer, part):
    adata = AnnData(_masked(sparse), layers={"raw": _masked(sparse)})
    adata.obs_names, adata.var_names = ["a", "b", "c"], ["x", "y", "z"]
    seen = adata if part == "all" else adata[1:]
    where = "X" if layer is None else "Layer 'raw'"
    message = rf"{where} of modality 'adt'.* 2 are masked, .*'b', feature 'y'.*panel_key.*\.filled"
    with pytest.raises(DataContractError, match=message):
        read_matrix(seen, "adt", layer)
    if part == "view":
        assert _dense(read_matrix(adata[:1], "adt", layer)).tolist() == [[0, 2, 1]]
        return
    holder = adata.X if layer is None else adata.layers["raw"]
    if sparse:
        holder.data = holder.data.filled(0)
    elif layer is None:
        adata.X = holder.filled(0)
    else:
        adata.layers["raw"] = holder.filled(0)
    assert _dense(read_matrix(adata, "adt", layer))[[1, 2], [1, 0]].tolist() == [0, 0]


def test_unknown_layers_list_what_exists():
    adata = AnnData(np.eye(2), layers={"counts": np.eye(2)})
    with pytest.raises(
        DataContractError, match=r"'rna' has no layer 'count'.*'counts'.*Did you mean"
    ):
        read_matrix(adata, "rna", "count")


def test_an_empty_x_asks_for_a_layer():
    adata = AnnData(shape=(2, 2), layers={"counts": np.eye(2)})
    with pytest.raises(DataContractError, match=r"'rna' must hold a matrix.*'counts'"):
        read_matrix(adata, "rna", None)


def test_only_numbers_in_memory_are_read(tmp_path):
    import anndata

    adata = AnnData(np.eye(2))
    adata.layers._data["text"] = np.array([["a", "b"], ["c", "d"]])
    with pytest.raises(DataContractError, match="Layer 'text' of modality 'rna' must hold numbers"):
        read_matrix(adata, "rna", "text")
    AnnData(sp.csr_matrix(np.eye(2))).write_h5ad(tmp_path / "x.h5ad")
    backed = anndata.read_h5ad(tmp_path / "x.h5ad", backed="r")
    with pytest.raises(DataContractError, match=r"in memory. Received .*Read it into memory"):
        read_matrix(backed, "rna", None)
