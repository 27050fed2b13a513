"""A store gives the very minibatches that the MuData in memory gives."""

import json
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings, strategies as st
from mudata import MuData

import hzau_omics as ho
from hzau_omics.data import DiskStore, ModalitySpec, MosaicStore, build_layout
from hzau_omics.data.stores.disk import store as disk_store, write as disk_write
from hzau_omics.errors import ConfigError, DataContractError

OPEN = ModalitySpec(likelihood="bernoulli", binarize=True)
"""How the store was written: protein as open or not, to have a modality that is binarised."""


def test_layout_table_and_names_are_those_of_the_mudata(store, mosaic, layout):
    memory = MosaicStore(mosaic, layout)
    assert store.layout == layout
    assert store.n_cells == len(store) == memory.n_cells
    assert list(store.obs_names) == list(memory.obs_names)
    for name in ("present", "batch", "categorical", "continuous"):
        np.testing.assert_array_equal(getattr(store, name), getattr(memory, name))
    for name in layout.names:
        np.testing.assert_array_equal(store.feature_table(name), memory.feature_table(name))
    assert repr(store) == (
        "DiskStore of 10 cells: rna (6 features), adt (4 features), emb (3 features)"
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(cells=st.lists(st.integers(0, 9), max_size=12), size=st.integers(1, 12))
def test_minibatches_equal_those_in_memory(store, mosaic, layout, same_batch, cells, size):
    memory = MosaicStore(mosaic, layout)
    found = list(store.minibatches(cells, size))
    expected = list(memory.minibatches(cells, size))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        same_batch(one, other)
    if cells:
        same_batch(store.minibatch(cells), memory.minibatch(cells))


def test_an_epoch_shows_every_cell_once_in_an_order_of_the_seed(store):
    orders = [store.shuffled(np.arange(1, 10), np.random.default_rng(i)) for i in (0, 0, 1)]
    assert sorted(orders[0]) == list(range(1, 10))
    np.testing.assert_array_equal(orders[0], orders[1])
    assert orders[0].tolist() != orders[2].tolist()


def test_parts_are_in_order_and_hold_the_same_cells(store, mosaic, layout, same_batch, monkeypatch):
    monkeypatch.setattr(disk_store, "WINDOW", 4)
    memory = MosaicStore(mosaic, layout)
    cells = np.array([9, 1, 2, 8, 0, 7, 3])
    seen = []
    for part, own in store.parts(cells):
        batch = part.minibatch(own)
        chosen = cells[len(seen) : len(seen) + len(own)]
        same_batch(batch, _with_rows(memory.minibatch(chosen), np.arange(len(own))))
        assert list(part.obs_names) == list(memory.obs_names[chosen])
        seen += list(part.obs_names)
    assert seen == list(memory.obs_names[cells])
    with pytest.raises(ConfigError, match="another model"):
        part.aligned(build_layout(mosaic, {"rna": "nb", "adt": "nb"}))


def _with_rows(batch, rows):
    batch.rows = batch.rows.new_tensor(rows)
    return batch


def test_obs_columns_come_back(store, mosaic):
    frame = store.obs_frame()
    assert list(frame.index) == list(mosaic.obs_names)
    for column in mosaic.obs:
        assert frame[column].tolist() == mosaic.obs[column].tolist()
    assert store.obs("donor").tolist() == mosaic.obs["donor"].tolist()
    with pytest.raises(DataContractError, match=r"no column 'donors'.*Did you mean 'donor'"):
        store.obs("donors")


def test_the_mudata_stays_as_it_was(tmp_path, mosaic):
    obs, values = mosaic.obs.copy(), mosaic["rna"].X.copy()
    ho.data.write_store(mosaic, tmp_path / "c.zarr", {"rna": "nb", "adt": "nb"}, batch_key="batch")
    pd.testing.assert_frame_equal(mosaic.obs, obs)
    assert (values != mosaic["rna"].X).nnz == 0


def test_another_layout_matches_by_name(store, mosaic, layout, same_batch):
    other = mosaic.copy()
    other.mod["rna"] = other["rna"][:, ::-1].copy()
    other.obs["batch"] = other.obs["batch"].cat.reorder_categories(["b2", "b1"])
    other.update()
    other.mod["new"] = other["adt"].copy()
    other.update()
    specs = {"new": "nb", "adt": OPEN, "emb": "normal", "rna": "nb"}
    wanted = build_layout(other, specs, batch_key="batch", panel_key="measured")
    found = store.aligned(wanted).minibatch(np.arange(10))
    same_batch(found, MosaicStore(mosaic, wanted).minibatch(np.arange(10)))
    assert not found.present[:, 0].any()
    assert found.batch.tolist() == (1 - store.batch).tolist()
    assert store.aligned(layout) is store


def test_a_layout_that_leaves_cells_without_anything_is_refused(store, mosaic):
    only = build_layout(MuData({"rna": mosaic["rna"]}), {"rna": "nb"})
    with pytest.raises(DataContractError, match=r"2 have none: 'c9', 'c8'"):
        store.aligned(only)


def test_a_store_of_another_data_set_is_refused(store, mosaic):
    other = MuData({"rna": mosaic["rna"].copy()})
    other["rna"].var_names = [f"x{i}" for i in range(6)]
    with pytest.raises(DataContractError, match=r"lacks 6 of 6 registered features.*'rna'"):
        store.aligned(build_layout(other, {"rna": "nb"}))
    other = MuData({"atac": mosaic["rna"].copy()})
    with pytest.raises(DataContractError, match=r"none of the registered modalities \(atac\)"):
        store.aligned(build_layout(other, {"atac": "nb"}))
    other = MuData({"rna": mosaic["rna"].copy()})
    other.obs["batch"] = "b9"
    other.mod["adt"] = mosaic["adt"].copy()
    other.update()
    other.obs["batch"] = "b9"
    with pytest.raises(DataContractError, match="were not in the training data: 'b1', 'b2'"):
        store.aligned(build_layout(other, {"rna": "nb", "adt": OPEN}, batch_key="batch"))


def test_panels_of_the_store_override_the_registered_ones(store, mosaic):
    plain = build_layout(mosaic, {"adt": OPEN, "rna": "nb"}, batch_key="batch")
    found = store.aligned(plain).feature_table("adt")
    assert found.tolist() == [[True, True, True, False], [True] * 4]
    assert store.aligned(plain).feature_table("rna") is None


@pytest.mark.parametrize("cells", [[10], [-1], [0.5], [[1]]])
def test_cells_outside_are_refused(store, cells):
    with pytest.raises(IndexError, match="Cells must be"):
        store.minibatches(cells, 2)


@pytest.mark.parametrize("kind", ["missing", "short", "long"])
def test_a_damaged_file_is_named_when_the_store_is_opened(path, kind):
    shard = sorted(p for p in (path / "dataset_0" / "X" / "data").rglob("*") if p.is_file())[0]
    if kind == "missing":
        shard.unlink()
    else:
        content = shard.read_bytes()
        shard.write_bytes(content[:-5] if kind == "short" else content + b"x")
    with pytest.raises(DataContractError, match=r"is damaged: its file dataset_0/X/data"):
        DiskStore(path)


def test_a_file_damaged_later_is_named_when_it_is_read(store, path):
    for shard in (path / "dataset_0" / "X" / "data").rglob("*"):
        if shard.is_file() and shard.name != "zarr.json":
            shard.write_bytes(b"\0" * shard.stat().st_size)
    with pytest.raises(DataContractError, match="cannot be read"):
        list(store.minibatches(np.arange(10), 4))


def test_a_damaged_column_is_named(path):
    opened = DiskStore(path)
    for shard in (path / "dataset_0" / "obs" / "age").rglob("*"):
        if shard.is_file() and shard.name != "zarr.json":
            shard.write_bytes(b"\0" * shard.stat().st_size)
    with pytest.raises(DataContractError, match="Column 'age' of the store"):
        opened.obs("age")


def test_reading_stops_when_nobody_listens(store):
    import threading

    batches = store.minibatches(np.tile(np.arange(10), 200), 1)
    next(batches)
    batches.close()
    assert not [t for t in threading.enumerate() if t.name == "hzau-omics-reader"]


def test_without_the_extra_the_error_says_what_to_install(monkeypatch, tmp_path):
    from hzau_omics.data.stores.disk import large

    monkeypatch.setattr(large, "find_spec", lambda name: None if name == "annbatch" else name)
    with pytest.raises(ConfigError, match=r"need annbatch.*pip install '\.\[large\]'"):
        ho.data.open_store(tmp_path)


def test_annbatch_itself_reads_the_pieces(path, mosaic, layout):
    # The pieces are ordinary AnnData in zarr, so that other tools can use them.
    import anndata

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adata = anndata.read_zarr(path / "dataset_0")
    assert adata.obs["_has_adt"].tolist() == (np.asarray(mosaic.obsmap["adt"]) > 0).tolist()
    memory = MosaicStore(mosaic, layout)
    expected = np.hstack([memory.minibatch(np.arange(10)).x[name].numpy() for name in layout.names])
    np.testing.assert_array_equal(adata.X.toarray(), expected)
    assert adata.var_names[6] == "adt:p0"


def test_values_of_another_kind_are_refused_or_read_as_asked(tmp_path, mosaic):
    specs = {"rna": "poisson", "adt": "nb", "emb": "normal"}
    ho.data.write_store(mosaic, tmp_path / "c.zarr", specs)
    store = ho.data.open_store(tmp_path / "c.zarr")
    opened = ModalitySpec(likelihood="bernoulli", binarize=True)
    binary = build_layout(mosaic, {**specs, "rna": opened})
    found = store.aligned(binary).minibatch(np.arange(10)).x["rna"]
    assert found.equal(MosaicStore(mosaic, binary).minibatch(np.arange(10)).x["rna"])
    assert found.max() == 1
    counts = {"rna": "nb", "adt": "nb"}
    for own, wanted in (({"rna": "normal"}, {"rna": "nb"}), ({"rna": opened}, {"rna": "nb"})):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        ho.data.write_store(mosaic, folder, {**counts, **own})
        with pytest.raises(DataContractError, match="holds modality 'rna' as"):
            ho.data.open_store(folder).aligned(build_layout(mosaic, {**counts, **wanted}))


def test_a_covariate_that_is_missing_somewhere_is_refused(tmp_path, mosaic):
    counts = {"rna": "nb", "adt": "nb"}
    wanted = build_layout(mosaic, counts, continuous_covariate_keys=["age"])
    mosaic.obs["age"] = mosaic.obs["age"].where(mosaic.obs_names != "c3")
    ho.data.write_store(mosaic, tmp_path / "c.zarr", counts)
    with pytest.raises(DataContractError, match=r"'age' must be finite .* for 1: 'c3'"):
        ho.data.open_store(tmp_path / "c.zarr").aligned(wanted)


READS = {
    "minibatches": lambda store: list(store.minibatches(np.arange(10), 4)),
    "minibatch": lambda store: store.minibatch([0]),
    "values": lambda store: store.values([0]),
    "parts": lambda store: list(store.parts(np.arange(10))),
    "shuffled": lambda store: store.shuffled(np.arange(10), np.random.default_rng(0)),
    "obs_names": lambda store: store.obs_names,
    "obs": lambda store: store.obs("donor"),
    "obs_frame": lambda store: store.obs_frame(),
    "obsm": lambda store: store.obsm,
    "aligned": lambda store: store.aligned(replace(store.layout, panel_key=None)),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("change", ["replaced", "removed"])
def test_a_store_that_was_changed_since_it_was_opened_is_refused(path, store, mosaic, read, change):
    if change == "removed":
        shutil.rmtree(path)
    else:
        mosaic["rna"].X.data[0] += 1
        options = {"batch_key": "batch", "labels_key": "celltype", "overwrite": True}
        ho.data.write_store(mosaic, path, {"rna": "nb", "adt": "nb"}, **options)
    with pytest.raises(DataContractError, match=f"was {change}.*Open it again"):
        READS[read](store)
    if change == "replaced":
        # What the message says to do.
        READS[read](ho.data.open_store(path))


def test_a_store_that_is_replaced_while_it_is_read_is_refused(path, store, mosaic):
    batches = store._read(np.arange(10), 4)
    next(batches)
    shutil.rmtree(path)
    with pytest.raises(DataContractError, match="was removed"):
        next(batches)


def test_a_copy_of_the_same_store_is_the_same(path, store, tmp_path, same_batch):
    expected = store.minibatch(np.arange(10))
    shutil.copytree(path, tmp_path / "copy.zarr")
    shutil.rmtree(path)
    (tmp_path / "copy.zarr").rename(path)
    same_batch(store.minibatch(np.arange(10)), expected)


def _renamed(mdata):
    for adata in mdata.mod.values():
        adata.obs_names = [name.replace("c3", "d3") for name in adata.obs_names]
    obs = mdata.obs.set_axis([name.replace("c3", "d3") for name in mdata.obs_names])
    found = MuData(dict(mdata.mod))
    found.obs = obs.reindex(found.obs_names)
    return found


def _other_feature(mdata):
    mdata["rna"].var_names = ["x", *mdata["rna"].var_names[1:]]
    mdata.update()
    return mdata


def _other_value(mdata):
    mdata["adt"].X.data[0] += 1
    return mdata


def _other_batch(mdata):
    mdata.obs["batch"] = mdata.obs["batch"].cat.rename_categories({"b1": "b3"})
    return mdata


def _other_age(mdata):
    mdata.obs["age"] += 1
    return mdata


def _other_order(mdata):
    return mdata[::-1].copy()


CHANGES = [_other_value, _other_batch, _other_age, _other_order, _renamed, _other_feature]


@pytest.mark.parametrize("change", CHANGES)
def test_the_fingerprint_tells_other_cells(tmp_path, mosaic, change):
    options = {"batch_key": "batch", "continuous_covariate_keys": ["age"]}
    specs = {"rna": "nb", "adt": "nb"}
    ho.data.write_store(mosaic, tmp_path / "a.zarr", specs, **options)
    ho.data.write_store(change(mosaic.copy()), tmp_path / "b.zarr", specs, **options)
    found = [ho.data.open_store(tmp_path / name).fingerprint for name in ("a.zarr", "b.zarr")]
    assert found[0] != found[1]


def test_the_fingerprint_is_that_of_the_cells_however_they_are_held(tmp_path, mosaic, monkeypatch):
    options = {"batch_key": "batch", "continuous_covariate_keys": ["age"]}
    specs = {"rna": "nb", "adt": "nb", "emb": "normal"}
    ho.data.write_store(mosaic, tmp_path / "a.zarr", specs, labels_key="celltype", **options)
    mosaic["rna"].X = mosaic["rna"].X.toarray().astype("int16")
    mosaic["emb"].X = sp.csc_matrix(mosaic["emb"].X)
    mosaic.obs["celltype"] = "renamed"
    mosaic.obs["other"] = "column"
    halves = [mosaic[:4].copy(), mosaic[4:].copy()]
    ho.data.write_store(halves, tmp_path / "b.zarr", specs, **options)
    monkeypatch.setattr(disk_write, "PIECE_SIZE", 3)
    ho.data.write_store(mosaic, tmp_path / "c.zarr", specs, labels_key="celltype", **options)
    found = {ho.data.open_store(tmp_path / f"{name}.zarr").fingerprint for name in "abc"}
    assert len(found) == 1


def test_a_store_from_before_there_were_fingerprints_is_opened(path):
    manifest = path / "hzau_omics.json"
    record = json.loads(manifest.read_text())
    del record["fingerprint"]
    manifest.write_text(json.dumps(record))
    store = ho.data.open_store(path)
    assert store.fingerprint is None
    assert store.minibatch([0]).present.any()
