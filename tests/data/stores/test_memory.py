import numpy as np
import pytest
import scipy.sparse as sp
import torch
from anndata import AnnData
from hypothesis import given, settings, strategies as st
from mudata import MuData

from hzau_omics.data.build import build_layout
from hzau_omics.data.contract.spec import ModalitySpec
from hzau_omics.data.stores.base import iterate
from hzau_omics.data.stores.memory import MosaicStore
from hzau_omics.errors import ConfigError, DataContractError

KEYS = {
    "batch_key": "batch",
    "labels_key": "celltype",
    "categorical_covariate_keys": ["donor"],
    "continuous_covariate_keys": ["age"],
    "panel_key": "measured",
}
FORMATS = {
    "csr": sp.csr_matrix,
    "csr_array": sp.csr_array,
    "csc": sp.csc_matrix,
    "csc_array": sp.csc_array,
    "dense": np.ascontiguousarray,
    "F": np.asfortranarray,
    "float64": lambda values: sp.csr_matrix(values.astype(np.float64)),
    "int": lambda values: sp.csr_matrix(values.astype(np.int64)),
    "dense_int": lambda values: values.astype(np.int32),
}


@pytest.fixture
def layout(mosaic, modalities):
    return build_layout(mosaic, modalities, **KEYS)


def _dense(values):
    return values.toarray() if sp.issparse(values) else np.asarray(values)


def _same(left, right):
    assert left.x.keys() == right.x.keys()
    for name in left.x:
        assert torch.equal(left.x[name], right.x[name])
    assert left.feature_mask.keys() == right.feature_mask.keys()
    for name in left.feature_mask:
        assert torch.equal(left.feature_mask[name], right.feature_mask[name])
    for field in ("present", "batch", "categorical", "continuous"):
        assert torch.equal(getattr(left, field), getattr(right, field))


def test_minibatches_agree_with_a_lookup_by_name(mosaic, layout):
    store = MosaicStore(mosaic, layout)
    cells = [7, 0, 9, 3, 3, 8]
    batch = store.minibatch(cells)
    names = mosaic.obs_names[cells]
    for column, name in enumerate(("rna", "adt", "emb")):
        adata = mosaic[name]
        for i, cell in enumerate(names):
            has = cell in adata.obs_names
            assert batch.present[i, column] == has
            expected = _dense(adata[cell].X)[0] if has else np.zeros(adata.n_vars)
            np.testing.assert_array_equal(batch.x[name][i], expected)
    obs = mosaic.obs.loc[names]
    assert batch.batch.tolist() == (obs["batch"] == "b2").astype(int).tolist()
    assert batch.categorical[:, 0].tolist() == (obs["donor"] == "d1").astype(int).tolist()
    np.testing.assert_allclose(
        batch.continuous[:, 0], (obs["age"] - 4.5) / np.sqrt(8.25), rtol=1e-6
    )
    np.testing.assert_array_equal(batch.feature_mask["adt"][:, 3], obs["batch"] == "b2")
    assert list(batch.feature_mask) == ["adt"]
    assert batch.rows.tolist() == cells


def test_types_of_the_tensors(mosaic, layout):
    batch = MosaicStore(mosaic, layout).minibatch([0, 1])
    assert {value.dtype for value in batch.x.values()} == {torch.float32}
    assert batch.continuous.dtype == torch.float32
    assert batch.batch.dtype == batch.categorical.dtype == batch.rows.dtype == torch.int64
    assert batch.present.dtype == batch.feature_mask["adt"].dtype == torch.bool


@given(cells=st.lists(st.integers(0, 9), min_size=1, max_size=12))
@settings(max_examples=30)
def test_rows_come_in_the_order_asked_for(store_of_mosaic, cells):
    together = store_of_mosaic.minibatch(cells)
    for i, cell in enumerate(cells):
        alone = store_of_mosaic.minibatch([cell])
        for name, value in alone.x.items():
            assert torch.equal(value[0], together.x[name][i])
        assert torch.equal(alone.present[0], together.present[i])


@pytest.fixture(scope="module")
def store_of_mosaic():
    mdata = MuData({"a": AnnData(np.arange(20, dtype=np.float32).reshape(10, 2))})
    other = AnnData(sp.csr_matrix(np.arange(15, dtype=np.float32).reshape(5, 3)))
    other.obs_names = ["7", "1", "3", "9", "0"]
    mdata = MuData({"a": mdata["a"], "b": other})
    return MosaicStore(mdata, build_layout(mdata, {"a": "nb", "b": "nb"}))


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_gives_the_same_minibatches(mosaic, layout, form):
    expected = MosaicStore(mosaic, layout).minibatch(range(10))
    other = mosaic.copy()
    for name in ("rna", "adt"):
        other[name].X = FORMATS[form](other[name].X.toarray())
    rebuilt = build_layout(other, {"rna": "nb", "adt": "nb", "emb": "normal"}, **KEYS)
    assert rebuilt == layout
    _same(MosaicStore(other, layout).minibatch(range(10)), expected)


def test_sparse_entries_are_those_of_the_dense_values(mosaic, layout):
    batch = MosaicStore(mosaic, layout).minibatch([7, 0, 9, 3, 3, 8])
    assert set(batch.sparse) == {
        name for name in ("rna", "adt", "emb") if not isinstance(mosaic[name].X, np.ndarray)
    }
    assert batch.sparse
    for name, entries in batch.sparse.items():
        dense = torch.zeros_like(batch.x[name])
        dense[entries.row, entries.feature] = entries.value
        assert torch.equal(dense, batch.x[name])
        assert (entries.row.diff() >= 0).all()
        assert torch.equal(entries.start.diff(), (batch.x[name] != 0).sum(1))


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
def test_features_in_another_order_change_nothing(mosaic, layout, form):
    expected = MosaicStore(mosaic, layout).minibatch(range(10))
    mods = {}
    for name in ("emb", "adt", "rna"):
        mods[name] = mosaic[name][:, ::-1].copy()
        mods[name].X = FORMATS[form](_dense(mods[name].X))
    other = MuData(mods)
    other.obs = mosaic.obs.loc[other.obs_names]
    index = other.obs_names.get_indexer(mosaic.obs_names)
    _same(MosaicStore(other, layout).minibatch(index), expected)


@pytest.mark.parametrize("copy", [False, True])
def test_a_subset_in_another_order_keeps_every_cell(mosaic, layout, copy):
    store = MosaicStore(mosaic, layout)
    chosen = [8, 1, 9, 4]
    part = mosaic[chosen].copy() if copy else mosaic[chosen]
    other = MosaicStore(part, layout)
    assert other.obs_names.tolist() == mosaic.obs_names[chosen].tolist()
    _same(other.minibatch(range(4)), store.minibatch(chosen))


def test_extra_features_and_modalities_are_ignored(mosaic, layout):
    expected = MosaicStore(mosaic, layout).minibatch(range(10))
    wide = AnnData(sp.csr_matrix(np.hstack([np.ones((8, 2)), mosaic["rna"].X.toarray()])))
    wide.obs_names = mosaic["rna"].obs_names
    wide.var_names = ["x0", "x1", *mosaic["rna"].var_names]
    other = MuData({"rna": wide, "adt": mosaic["adt"], "emb": mosaic["emb"], "z": wide.copy()})
    other.obs = mosaic.obs.loc[other.obs_names]
    index = other.obs_names.get_indexer(mosaic.obs_names)
    _same(MosaicStore(other, layout).minibatch(index), expected)


@pytest.mark.parametrize("empty", [False, True])
def test_held_out_cells_may_lack_a_modality(mosaic, layout, empty):
    mods = {"rna": mosaic["rna"]}
    if empty:
        mods["adt"] = AnnData(sp.csr_matrix((0, 2), dtype=np.float32))
    other = MuData(mods)
    other.obs = mosaic.obs.loc[other.obs_names]
    batch = MosaicStore(other, layout).minibatch(range(8))
    assert batch.present.tolist() == [[True, False, False]] * 8
    assert batch.x["adt"].shape == (8, 4)
    assert not batch.x["adt"].any()
    assert torch.equal(batch.feature_mask["adt"][:, 3], batch.batch == 1)


def test_the_mudata_stays_as_it_is(mosaic, modalities):
    mosaic["rna"].X = np.asfortranarray(mosaic["rna"].X.toarray())
    mosaic["adt"].X = sp.csr_matrix(
        (mosaic["adt"].X.data[::-1].copy(), mosaic["adt"].X.indices, mosaic["adt"].X.indptr),
        shape=mosaic["adt"].shape,
    )[:, ::-1]
    mosaic["adt"].X.has_sorted_indices = False
    for batch in ("b1", "b2"):
        mosaic["adt"].var[f"measured_{batch}"] = True
    before, obs = mosaic.copy(), mosaic.obs.copy()
    held = {name: mosaic[name].X for name in mosaic.mod}
    spec = {**modalities, "adt": ModalitySpec(likelihood="bernoulli", binarize=True)}
    store = MosaicStore(mosaic, build_layout(mosaic, spec, **KEYS))
    store.minibatch([1, 2]).x["emb"].fill_(9)
    store.minibatch([0, 2]).x["emb"].fill_(9)
    store.obs("age"), store.labels, store.totals("adt")
    assert mosaic.obs.equals(obs)
    assert dict(mosaic.uns) == dict(before.uns)
    assert list(mosaic.mod) == list(before.mod)
    for name in mosaic.mod:
        np.testing.assert_array_equal(mosaic.obsmap[name], before.obsmap[name])
        now, then = mosaic[name], before[name]
        assert now.X is held[name]
        assert now.obs.equals(then.obs)
        assert now.var.equals(then.var)
        assert dict(now.uns) == dict(then.uns)
        assert now.X.dtype == then.X.dtype
    assert mosaic["rna"].X.flags.f_contiguous
    assert not mosaic["rna"].X.flags.c_contiguous
    np.testing.assert_array_equal(mosaic["rna"].X, before["rna"].X)
    np.testing.assert_array_equal(mosaic["emb"].X, before["emb"].X)
    np.testing.assert_array_equal(mosaic["adt"].X.data, before["adt"].X.data)
    np.testing.assert_array_equal(mosaic["adt"].X.indices, before["adt"].X.indices)


def test_float32_csr_is_not_copied(mosaic, layout):
    store = MosaicStore(mosaic, layout)
    assert np.shares_memory(store._blocks["rna"].matrix.data, mosaic["rna"].X.data)


def test_binarized_counts(mosaic):
    spec = ModalitySpec(likelihood="bernoulli", binarize=True)
    store = MosaicStore(mosaic, build_layout(mosaic, {"rna": spec, "adt": "nb"}))
    counts = store._mdata["rna"].X.toarray()
    assert counts.max() > 1
    cells = mosaic.obs_names.get_indexer(mosaic["rna"].obs_names)
    np.testing.assert_array_equal(store.minibatch(cells).x["rna"], counts > 0)


def test_values_totals_and_columns(mosaic, layout):
    store = MosaicStore(mosaic, layout)
    for name in layout.names:
        rows = store.rows(name)
        dense = _dense(mosaic[name].X)
        expected = np.where(rows[:, None] >= 0, dense[rows], 0)
        np.testing.assert_array_equal(_dense(store.values(name)), expected)
        np.testing.assert_array_equal(_dense(store.values(name, [4, 2])), expected[[4, 2]])
        totals = np.where(rows >= 0, expected.astype(float).sum(axis=1), np.nan)
        np.testing.assert_allclose(store.totals(name), totals)
        assert store.totals(name).dtype == np.float64
    assert store.obs("age").equals(mosaic.obs["age"])
    assert store.labels.tolist() == (mosaic.obs["celltype"] == "T").astype(int).tolist()
    assert len(store) == store.n_cells == 10


def test_a_cell_with_only_zero_counts_is_present(mosaic, modalities):
    values = mosaic["rna"].X.toarray()
    values[2] = 0
    mosaic["rna"].X = sp.csr_matrix(values)
    store = MosaicStore(mosaic, build_layout(mosaic, modalities))
    cell = mosaic.obs_names.get_loc("c2")
    assert store.present[cell, 0]
    assert store.totals("rna")[cell] == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: m.obs.__setitem__("batch", "b9"),
            "batch key 'batch' has values.*'b9'. Known: 'b1'",
        ),
        (
            lambda m: m.obs.__setitem__("donor", "d9"),
            "categorical covariate 'donor'.*'d9'. Known: 'd0'",
        ),
        (lambda m: m.obs.pop("batch"), "batch key 'batch' is not a column"),
        (lambda m: m.obs.pop("age"), "continuous covariate 'age' is not a column"),
        (lambda m: m.obs.__setitem__("age", np.nan), "continuous covariate 'age' must be finite"),
        (lambda m: m.mod.__setitem__("rna", m["rna"][::-1].copy()), "call mdata.update"),
    ],
)
def test_held_out_data_that_break_the_layout_are_refused(mosaic, layout, change, message):
    change(mosaic)
    with pytest.raises(DataContractError, match=message):
        MosaicStore(mosaic, layout)


def test_held_out_data_need_a_registered_modality(mosaic, modalities):
    layout = build_layout(mosaic, modalities)
    rule = r"needs one of the registered modalities \(rna, adt, emb\)\. Received 'atac'"
    with pytest.raises(DataContractError, match=rule):
        MosaicStore(MuData({"atac": mosaic["rna"]}), layout)
    with pytest.raises(TypeError, match=r"Wrap it: mudata.MuData\(\{'rna': adata\}\)"):
        MosaicStore(mosaic["rna"], layout)


def test_cells_without_modality_need_permission(mosaic, modalities):
    layout = build_layout(mosaic, modalities)
    other = MuData({"rna": mosaic["rna"], "atac": mosaic["adt"]})
    with pytest.raises(DataContractError, match=r"2 have none: 'c9', 'c8'|2 have none: 'c8', 'c9'"):
        MosaicStore(other, layout)
    store = MosaicStore(other, layout, allow_empty_cells=True)
    assert store.present.any(axis=1).sum() == 8


def test_unknown_names_are_refused(mosaic, layout):
    store = MosaicStore(mosaic, layout)
    for call in (store.values, store.totals, store.rows, store.feature_table):
        with pytest.raises(DataContractError, match="'prot' is not registered"):
            call("prot")
    with pytest.raises(DataContractError, match="column 'lane' is not a column"):
        store.obs("lane")


def test_labels_need_a_key(mosaic, modalities):
    store = MosaicStore(mosaic, build_layout(mosaic, modalities))
    with pytest.raises(ConfigError, match="give labels_key at set-up"):
        _ = store.labels


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([10], "positions from 0 to 9. Received 10 to 10"),
        ([-1, 3], "positions from 0 to 9. Received -1 to 3"),
        ([True, False], "integer positions. Received bool"),
        ([0.5], "integer positions. Received float64"),
        ([[1, 2]], r"integer positions. Received int64 of shape \(1, 2\)"),
    ],
)
def test_wrong_positions_are_refused(mosaic, layout, cells, message):
    with pytest.raises(IndexError, match=message):
        MosaicStore(mosaic, layout).minibatch(cells)


@pytest.mark.parametrize("size", [1, 3, 10, 99])
def test_iteration_covers_all_cells_in_order(mosaic, layout, size):
    store = MosaicStore(mosaic, layout)
    rows = [batch.rows.tolist() for batch in iterate(store, batch_size=size)]
    assert [row for part in rows for row in part] == list(range(10))
    assert max(map(len, rows)) <= size
    chosen = [batch.rows.tolist() for batch in iterate(store, [5, 2, 7], batch_size=2)]
    assert chosen == [[5, 2], [7]]


@pytest.mark.parametrize("size", [0, -1, 1.5, True])
def test_wrong_batch_sizes_are_refused(mosaic, layout, size):
    with pytest.raises(ConfigError, match="batch_size must be a positive integer"):
        iterate(MosaicStore(mosaic, layout), batch_size=size)
    with pytest.raises(ConfigError, match="batch_size must be a positive integer"):
        MosaicStore(mosaic, layout).minibatches([0], size)


def test_two_batches_with_panels_of_real_protein(real):
    mdata = real("citeseq_pbmc_2batch_labelled.h5mu")
    layout = build_layout(
        mdata, {"rna": "nb", "prot": "nb"}, batch_key="batch", panel_key="measured"
    )
    store = MosaicStore(mdata, layout, check=False)
    batch = store.minibatch(np.random.default_rng(0).permutation(store.n_cells)[:200])
    panels = {
        name: mdata["prot"].var[f"measured_{name}"].to_numpy() for name in layout.batch.categories
    }
    expected = np.stack([panels[layout.batch.categories[code]] for code in batch.batch])
    np.testing.assert_array_equal(batch.feature_mask["prot"], expected)
    assert expected.sum(axis=1).min() < expected.sum(axis=1).max() < 16
    assert not batch.x["prot"][~batch.feature_mask["prot"]].any()


def test_real_mosaic(real):
    mdata = real("citeseq_pbmc_mosaic_midas_quickstart.h5mu")
    layout = build_layout(
        mdata, {"rna": "nb", "adt": "nb"}, batch_key="batch", labels_key="celltype"
    )
    store = MosaicStore(mdata, layout)
    assert store.present.sum(axis=0).tolist() == [1200, 1200]
    assert store.present.all(axis=1).sum() == 800
    assert layout.modality("rna").measured.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(store.labels, mdata.obs["celltype"].cat.codes)


def test_real_chromatin_counts_ask_for_binarize(real):
    mdata = real("multiome_snareseq_mouse_cortex.h5mu")
    with pytest.raises(DataContractError, match=r"'atac'.*binarize=True"):
        build_layout(mdata, {"rna": "nb", "atac": "bernoulli"}, batch_key="batch")
    spec = ModalitySpec(likelihood="bernoulli", binarize=True)
    store = MosaicStore(mdata, build_layout(mdata, {"atac": spec}), check=False)
    assert store.values("atac", range(100)).max() == 1
