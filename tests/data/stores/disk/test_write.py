"""Writing several MuData into one store, and what is refused."""

import errno
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mudata import MuData

import hzau_omics as ho
from hzau_omics import processes
from hzau_omics.data import MosaicStore, StoreWriter, build_layout, open_store, write_store
from hzau_omics.data.contract.columns.category import natural_order, text_of
from hzau_omics.data.stores.disk import write as disk_write
from hzau_omics.data.stores.disk.folders import former_of
from hzau_omics.errors import ConfigError, DataContractError

PAIR = {"rna": "nb", "adt": "nb"}


def piece(seed, n_obs=30, **options):
    mdata = ho.data.simulate(n_obs, n_features={"rna": 12, "adt": 5}, seed=seed, **options)
    modalities = {}
    for name, adata in mdata.mod.items():
        adata.obs_names = [f"s{seed}_{cell}" for cell in adata.obs_names]
        modalities[name] = adata
    named = MuData(modalities)
    for column in mdata.obs:
        values = mdata.obs[column].set_axis([f"s{seed}_{cell}" for cell in mdata.obs_names])
        named.obs[column] = values.reindex(named.obs_names)
    return named


def together(pieces):
    """Put pieces into one MuData, cells one after another."""
    import anndata

    names = list(dict.fromkeys(name for p in pieces for name in p.mod))
    held = {n: anndata.concat([p[n] for p in pieces if n in p.mod], merge="same") for n in names}
    whole = MuData(held)
    whole = whole[np.concatenate([p.obs_names for p in pieces])].copy()
    for column in pieces[0].obs:
        whole.obs[column] = pd.concat([p.obs[column].astype(object) for p in pieces])
    return whole


def test_pieces_equal_one_mudata_of_all_cells(tmp_path, same_batch):
    pieces = [piece(i, missing=0.2) for i in range(3)]
    for i, one in enumerate(pieces):
        one.obs["sample"] = f"s{i}"
        one.obs["age"] = float(i)
    keys = {
        "batch_key": "sample",
        "labels_key": "cell_type",
        "continuous_covariate_keys": ["age"],
    }
    write_store(pieces, tmp_path / "c.zarr", PAIR, **keys)
    store = open_store(tmp_path / "c.zarr")
    whole = together(pieces)
    layout = build_layout(whole, PAIR, **keys)
    assert store.layout == layout
    assert list(store.obs_names) == list(whole.obs_names)
    memory = MosaicStore(whole, layout)
    order = np.random.default_rng(0).permutation(store.n_cells)
    for found, expected in zip(
        store.minibatches(order, 16), memory.minibatches(order, 16), strict=True
    ):
        same_batch(found, expected)


def test_pieces_may_lack_modalities_and_have_features_in_another_order(tmp_path):
    first, second, third = (piece(i) for i in range(3))
    only_rna = MuData({"rna": first["rna"]})
    only_adt = MuData({"adt": second["adt"][:, ::-1].copy()})
    other_order = [3, *range(3), *range(4, 12)]
    reordered = MuData({"adt": third["adt"], "rna": third["rna"][:, other_order].copy()})
    write_store([only_rna, only_adt, reordered], tmp_path / "c.zarr", PAIR)
    store = open_store(tmp_path / "c.zarr")
    assert store.present.sum(0).tolist() == [60, 60]
    # Features come in the order in which a modality was first seen.
    assert store.layout.modality("adt").var_names == tuple(second["adt"].var_names[::-1])
    batch = store.minibatch(np.arange(90))
    np.testing.assert_array_equal(batch.x["rna"][:30].numpy(), first["rna"].X.toarray())
    np.testing.assert_array_equal(batch.x["rna"][60:].numpy(), third["rna"].X.toarray())
    found = batch.x["adt"].numpy()[:, ::-1]
    np.testing.assert_array_equal(found[30:60], second["adt"].X.toarray())
    np.testing.assert_array_equal(found[60:], third["adt"].X.toarray())
    assert not batch.x["adt"][:30].any()
    assert not batch.present[:30, 1].any()


def test_a_large_mudata_is_written_in_pieces(tmp_path, monkeypatch, mosaic, same_batch):
    monkeypatch.setattr(disk_write, "PIECE_SIZE", 3)
    mosaic.write(tmp_path / "cells.h5mu")
    layout = build_layout(mosaic, PAIR, batch_key="batch")
    memory = MosaicStore(mosaic, layout)
    for i, source in enumerate((mosaic, tmp_path / "cells.h5mu", [str(tmp_path / "cells.h5mu")])):
        write_store(source, tmp_path / f"{i}.zarr", PAIR, batch_key="batch")
        store = open_store(tmp_path / f"{i}.zarr")
        assert store.manifest.pieces == (3, 3, 3, 1)
        assert store.layout == layout
        same_batch(store.minibatch(np.arange(10)), memory.minibatch(np.arange(10)))
        assert store.obs_frame()["age"].tolist() == mosaic.obs["age"].tolist()


def test_a_file_of_layers_dense_and_column_sparse_values_is_read(tmp_path, monkeypatch, mosaic):
    monkeypatch.setattr(disk_write, "PIECE_SIZE", 4)
    mosaic["rna"].layers["counts"] = mosaic["rna"].X.tocsc()
    mosaic["rna"].X = mosaic["rna"].X.toarray() / 2
    mosaic.write(tmp_path / "cells.h5mu")
    write_store(
        tmp_path / "cells.h5mu", tmp_path / "c.zarr", {"rna": "nb", "emb": "normal", "adt": "nb"},
        layers={"rna": "counts"},
    )  # fmt: skip
    store = open_store(tmp_path / "c.zarr")
    rows = np.asarray(mosaic.obsmap["rna"]).reshape(-1)
    has = np.flatnonzero(rows > 0)
    found = store.minibatch(has).x["rna"].numpy()
    np.testing.assert_array_equal(found, mosaic["rna"].layers["counts"].toarray()[rows[has] - 1])


def test_panels_of_pieces_are_put_together(tmp_path):
    pieces = [piece(i, panels=True, n_batches=2) for i in range(2)]
    for i, one in enumerate(pieces):
        one.obs["batch"] = [f"{i}_{b}" for b in one.obs["batch"]]
        for adata in one.mod.values():
            adata.var.columns = [c.replace("batch", f"{i}_batch") for c in adata.var.columns]
    write_store(pieces, tmp_path / "c.zarr", PAIR, batch_key="batch", panel_key="measured")
    store = open_store(tmp_path / "c.zarr")
    assert store.layout.batch.categories == ("0_batch_0", "0_batch_1", "1_batch_0", "1_batch_1")
    table = store.feature_table("rna")
    np.testing.assert_array_equal(table[2], pieces[1]["rna"].var["measured_1_batch_0"])
    np.testing.assert_array_equal(table[1], pieces[0]["rna"].var["measured_0_batch_1"])


def test_two_panels_of_one_batch_are_refused(tmp_path):
    pieces = [piece(i, panels=True, n_batches=2) for i in range(2)]
    with pytest.raises(DataContractError, match=r"one feature panel.*'batch_0'"):
        write_store(pieces, tmp_path / "c.zarr", PAIR, batch_key="batch", panel_key="measured")


def test_categories_keep_an_order_that_pieces_share(tmp_path):
    pieces = [piece(i) for i in range(2)]
    for one, order in zip(pieces, (["late", "early"], ["late", "early", "alone"]), strict=True):
        values = [order[i % len(order)] for i in range(30)]
        one.obs["day"] = pd.Categorical(values, categories=order)
    write_store(pieces, tmp_path / "c.zarr", PAIR, batch_key="day")
    store = open_store(tmp_path / "c.zarr")
    assert store.layout.batch.categories == ("late", "early", "alone")
    assert store.batch[:3].tolist() == [0, 1, 0]
    pieces[1].obs["day"] = pieces[1].obs["day"].cat.reorder_categories(["early", "alone", "late"])
    write_store(pieces, tmp_path / "d.zarr", PAIR, batch_key="day")
    assert open_store(tmp_path / "d.zarr").layout.batch.categories == ("alone", "early", "late")


def test_repeated_cell_names_are_refused_with_the_name(tmp_path):
    with pytest.raises(DataContractError, match=r"occurred in an earlier one, first 's0_cell_0'"):
        write_store([piece(0), piece(0)], tmp_path / "c.zarr", PAIR)
    assert list(tmp_path.iterdir()) == []


def test_other_features_are_refused(tmp_path):
    other = piece(1)
    other.mod["rna"] = other["rna"][:, 1:].copy()
    other.update()
    with pytest.raises(DataContractError, match=r"same features of modality 'rna'.*lacks 'rna_0'"):
        write_store([piece(0), other], tmp_path / "c.zarr", PAIR)


def test_bad_values_are_refused_before_anything_is_left_behind(tmp_path, mosaic):
    mosaic["rna"].X.data[3] = 0.5
    with pytest.raises(DataContractError, match="non-negative integers"):
        write_store(mosaic, tmp_path / "c.zarr", PAIR)
    assert list(tmp_path.iterdir()) == []


def test_a_modality_that_no_piece_has_is_refused(tmp_path):
    with pytest.raises(DataContractError, match=r"No piece has 'atac'"):
        write_store([piece(0)], tmp_path / "c.zarr", {"rna": "nb", "atac": "nb"})
    with pytest.raises(DataContractError, match="has no modality 'atac'"):
        write_store([piece(0)], tmp_path / "d.zarr", {"atac": "nb"})


def test_a_store_without_cells_is_refused(tmp_path):
    with pytest.raises(DataContractError, match="at least one cell"):
        write_store([], tmp_path / "c.zarr", PAIR)
    writer = StoreWriter(tmp_path / "c.zarr", PAIR)
    with pytest.raises(DataContractError, match="at least one cell"):
        writer.close()


def test_what_exists_is_replaced_only_if_it_is_a_store_and_asked_for(tmp_path):
    target = tmp_path / "c.zarr"
    write_store(piece(0), target, PAIR)
    with pytest.raises(ConfigError, match=r"exists. Pass overwrite=True"):
        write_store(piece(1), target, PAIR)
    write_store(piece(1), target, PAIR, overwrite=True)
    assert open_store(target).obs_names[0] == "s1_cell_0"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("do not delete")
    with pytest.raises(ConfigError, match="is not a store"):
        write_store(piece(0), tmp_path / "mine", PAIR, overwrite=True)
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "do not delete"


def test_a_failed_overwrite_leaves_the_former_store(tmp_path):
    target = tmp_path / "c.zarr"
    write_store(piece(0), target, PAIR)
    with pytest.raises(DataContractError):
        write_store([piece(1), piece(1)], target, PAIR, overwrite=True)
    assert open_store(target).n_cells == 30


class _FullDisk:
    """A disk that takes some files of zarr and no more."""

    def __init__(self, monkeypatch, room):
        from zarr.storage import LocalStore

        self.asked = 0
        put = LocalStore.set

        async def set_or_fail(store, *rest, **options):
            self.asked += 1
            if self.asked > room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return await put(store, *rest, **options)

        monkeypatch.setattr(LocalStore, "set", set_or_fail)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("has_former", [True, False])
def test_a_full_disk_is_named_and_leaves_what_was_there(tmp_path, share, has_former):
    target = tmp_path / "c.zarr"
    if has_former:
        write_store(piece(0), target, PAIR)
    with pytest.MonkeyPatch.context() as patch:
        counter = _FullDisk(patch, 10**9)
        write_store(piece(1), tmp_path / "other.zarr", PAIR)
        room = int(share * counter.asked)
    shutil.rmtree(tmp_path / "other.zarr")
    with pytest.MonkeyPatch.context() as patch:
        _FullDisk(patch, room)
        with pytest.raises(OSError, match=r"store .*c.zarr could not be written: No space") as got:
            write_store(piece(1), target, PAIR, overwrite=True)
    assert got.value.errno == errno.ENOSPC
    assert ("The former one is unchanged" in str(got.value)) == has_former
    assert [path.name for path in tmp_path.iterdir()] == (["c.zarr"] if has_former else [])
    if has_former:
        assert open_store(target).obs_names[0] == "s0_cell_0"
    write_store(piece(1), target, PAIR, overwrite=True)
    assert open_store(target).obs_names[0] == "s1_cell_0"


@pytest.mark.parametrize("has_new", [True, False])
def test_a_replacement_that_was_interrupted_loses_nothing(tmp_path, monkeypatch, has_new):
    target = tmp_path / "c.zarr"
    write_store(piece(0), target, PAIR)
    rename = Path.rename

    def killed(path, to):
        if path.name.endswith(".partial") and not has_new:
            raise KeyboardInterrupt
        found = rename(path, to)
        if path.name.endswith(".partial"):
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        write_store(piece(1), target, PAIR, overwrite=True)
    monkeypatch.undo()
    assert open_store(target).obs_names[0] == ("s1_cell_0" if has_new else "s0_cell_0")
    assert [path.name for path in tmp_path.iterdir()] == ["c.zarr"]


def test_a_process_that_ends_between_two_names_loses_nothing(tmp_path):
    target = tmp_path / "c.zarr"
    write_store(piece(0), target, PAIR)
    target.rename(former_of(target))
    with pytest.raises(DataContractError, match=r"was interrupted.*rename .*c.zarr") as caught:
        open_store(target)
    assert former_of(target).name in str(caught.value)
    # The next one that writes here finds the former store in its place.
    with pytest.raises(ConfigError, match="Pass overwrite=True"):
        write_store(piece(1), target, PAIR)
    write_store(piece(1), target, PAIR, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["c.zarr"]
    # Renaming it is the other remedy.
    target.rename(former_of(target))
    former_of(target).rename(target)
    assert open_store(target).obs_names[0] == "s1_cell_0"


def test_a_store_that_came_into_being_meanwhile_is_not_replaced(tmp_path):
    target = tmp_path / "c.zarr"
    writer = StoreWriter(target, PAIR)
    writer.append(piece(0))
    write_store(piece(1), tmp_path / "d.zarr", PAIR)
    (tmp_path / "d.zarr").rename(target)
    with pytest.raises(ConfigError, match="exists"):
        writer.close()
    assert open_store(target).obs_names[0] == "s1_cell_0"


def test_a_half_written_store_is_not_opened(tmp_path):
    writer = StoreWriter(tmp_path / "c.zarr", PAIR)
    writer.append(piece(0))
    for name in ("c.zarr", "c.zarr.partial"):
        with pytest.raises(DataContractError, match="is incomplete: writing it was interrupted"):
            open_store(tmp_path / name)
    # A second attempt starts anew.
    write_store(piece(1), tmp_path / "c.zarr", PAIR)
    assert open_store(tmp_path / "c.zarr").n_cells == 30


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "A store must be a folder with"),
        ("{", "is damaged"),
        ("[]", "does not describe a store"),
        ('{"kind": "hzau_omics cell store", "format": 9}', "has format 9"),
        ('{"kind": "hzau_omics cell store", "format": 1}', "incomplete or damaged"),
    ],
)
def test_a_folder_that_is_no_store_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / "hzau_omics.json").write_text(content)
    with pytest.raises(DataContractError, match=message):
        open_store(tmp_path)


def test_files_that_are_no_mudata_are_refused(tmp_path):
    (tmp_path / "x.h5mu").write_text("nothing")
    with pytest.raises(DataContractError, match=r"Cannot read .*x.h5mu as a MuData"):
        write_store(tmp_path / "x.h5mu", tmp_path / "c.zarr", PAIR)
    with pytest.raises(FileNotFoundError):
        write_store(tmp_path / "y.h5mu", tmp_path / "c.zarr", PAIR)


def test_a_column_that_the_store_needs_is_not_overwritten(tmp_path, mosaic):
    mosaic.obs["_has_rna"] = "mine"
    with pytest.raises(DataContractError, match=r"obs\['_has_rna'\].*rename it"):
        write_store(mosaic, tmp_path / "c.zarr", PAIR)
    # A plain name is the user's own, and comes back.
    del mosaic.obs["_has_rna"]
    mosaic.obs["has_rna"] = "mine"
    write_store(mosaic, tmp_path / "c.zarr", PAIR)
    assert set(open_store(tmp_path / "c.zarr").obs_frame()["has_rna"]) == {"mine"}


def test_pieces_of_very_different_width_are_read_together(tmp_path):
    # Windows span pieces written before and after a wide modality was first seen.
    first = ho.data.simulate(700, n_features={"rna": 200}, seed=1)
    second = ho.data.simulate(700, n_features={"rna": 200, "atac": 500}, seed=2)
    pieces = []
    for i, mdata in enumerate((first, second)):
        for adata in mdata.mod.values():
            adata.obs_names = [f"s{i}_{name}" for name in adata.obs_names]
        pieces.append(MuData(dict(mdata.mod)))
    write_store(pieces, tmp_path / "c.zarr", {"rna": "nb", "atac": "nb"})
    store = open_store(tmp_path / "c.zarr")
    order = store.shuffled(np.arange(1400), np.random.default_rng(0))
    rna = np.concatenate([p["rna"].X.toarray() for p in pieces])
    atac = np.concatenate([np.zeros((700, 500)), pieces[1]["atac"].X.toarray()])
    seen = 0
    for batch in store.minibatches(order, 100):
        cells = order[seen : seen + 100]
        np.testing.assert_array_equal(batch.x["rna"], rna[cells])
        np.testing.assert_array_equal(batch.x["atac"], atac[cells])
        seen += 100
    assert seen == 1400
    assert (rna > 0).sum() > 65_535


@pytest.mark.parametrize(
    "values",
    [
        (pd.Categorical(["a", "b"], ordered=True), pd.Categorical(["b", "c"], ordered=True)),
        (pd.Categorical(["a", "b"], ordered=True), pd.Categorical(["a", "b"])),
        (["a", "b"], pd.Categorical([1, 2])),
        ([None, None], ["a", "b"]),
        (["a", None], ["b", "b"]),
    ],
    ids=["ordered", "one ordered", "numbers", "nothing", "gap"],
)
def test_columns_of_different_kinds_are_put_together(tmp_path, values):
    pieces = [piece(i, n_obs=2) for i in range(2)]
    for one, column in zip(pieces, values, strict=True):
        one.obs["kind"] = column
    write_store(pieces, tmp_path / "c.zarr", PAIR)
    found = open_store(tmp_path / "c.zarr").obs_frame()["kind"]
    expected = [v for column in values for v in column]
    assert [None if pd.isna(v) else str(v) for v in found] == [
        None if v is None else str(v) for v in expected
    ]


HALF = np.array([0.1, 0.25] * 15, dtype=np.float16)
DAYS = pd.to_datetime(["2024-01-01", "2023-12-31"] * 15)
COLUMNS = {
    "half floats": HALF,
    "floats": HALF.astype(np.float32) / 3,
    "nullable floats": pd.array([0.1, 2.5] * 15, dtype="Float32"),
    "nullable integers": pd.array([10, 9] * 15, dtype="Int16"),
    "truth": pd.array([True, False] * 15, dtype="boolean"),
    "categories of floats": pd.Categorical([0.5, 10.0] * 15, categories=[10.0, 0.5]),
    "dates": DAYS,
    "dates in a zone": pd.Categorical(DAYS.tz_localize("Asia/Tokyo")),
    "durations": DAYS - DAYS[0],
    "periods": DAYS.to_period("M"),
    "mixed": np.array([1, True, "one"] * 10, dtype=object),
    "numbers as text": ["10", "9"] * 15,
}


# All columns change together, which set-up warns of.
@pytest.mark.filterwarnings("ignore:.* cannot be told from the batch")
@pytest.mark.parametrize("place", ["global", "modality"])
@pytest.mark.parametrize("batch", ["dates", "half floats"])
def test_a_store_has_the_table_of_the_mudata_whatever_the_dtypes(tmp_path, place, batch):
    mdata = piece(0)
    doses = {"dose": pd.array([1, 2.5, 0] * 10, dtype="Float32"), "fed": [True, 0, 2.5] * 10}
    columns = {name: pd.Series(v, index=mdata.obs_names) for name, v in (COLUMNS | doses).items()}
    holders = [mdata] if place == "global" else list(mdata.mod.values())
    for holder in holders:
        for name, column in columns.items():
            holder.obs[name] = column[holder.obs_names]
    keys = {
        "batch_key": batch,
        "labels_key": "mixed",
        "categorical_covariate_keys": list(COLUMNS),
        "continuous_covariate_keys": list(doses),
    }
    before = [holder.obs.copy() for holder in holders]
    write_store(mdata, tmp_path / "c.zarr", PAIR, **keys)
    for holder, obs in zip(holders, before, strict=True):
        pd.testing.assert_frame_equal(holder.obs, obs)
    layout = build_layout(mdata, PAIR, **keys)
    memory, disk = MosaicStore(mdata, layout), open_store(tmp_path / "c.zarr")
    assert disk.layout == layout
    for column in ("batch", "categorical", "continuous"):
        np.testing.assert_array_equal(getattr(disk, column), getattr(memory, column))
    labels = [None if pd.isna(label) else str(label) for label in disk.obs("mixed")]
    assert labels == [layout.labels.categories[code] for code in memory.labels]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (np.float32([0.1, 10] * 15), np.array([0.1, 9] * 15)),
        ([2, 10] * 15, ["3", "11"] * 15),
        (["b2", "b10"] * 15, ["b1", "b9"] * 15),
        (DAYS, [str(day.date()) for day in DAYS]),
    ],
    ids=["widths", "numbers and text", "text", "dates and text"],
)
def test_pieces_of_different_types_have_one_natural_order(tmp_path, first, second):
    pieces = [piece(i) for i in range(2)]
    for mdata, values in zip(pieces, (first, second), strict=True):
        mdata.obs["site"] = values
    write_store(pieces, tmp_path / "c.zarr", PAIR, batch_key="site")
    store = open_store(tmp_path / "c.zarr")
    categories = store.layout.batch.categories
    assert categories == natural_order(categories)
    found = [categories[code] for code in store.batch]
    assert found == [text_of(value) for values in (first, second) for value in values]


def test_panels_and_labels_may_be_in_some_pieces_only(tmp_path):
    pieces = [piece(i, panels=True, n_batches=2) for i in range(2)]
    bare = MuData({"rna": pieces[0]["rna"]})
    bare.obs["batch"], bare.obs["cell_type"] = "other", None
    bare["rna"].var = bare["rna"].var[[]]
    options = {"batch_key": "batch", "panel_key": "measured", "labels_key": "cell_type"}
    write_store([bare, pieces[1]], tmp_path / "c.zarr", PAIR, **options)
    store = open_store(tmp_path / "c.zarr")
    table = dict(zip(store.layout.batch.categories, store.feature_table("rna"), strict=True))
    assert table["other"].all()
    assert not table["batch_0"].all()
    with pytest.raises(DataContractError, match="has no value for any cell of any piece"):
        write_store(bare, tmp_path / "d.zarr", {"rna": "nb"}, labels_key="cell_type")
    with pytest.raises(DataContractError, match="which no modality of any piece has"):
        write_store(
            bare, tmp_path / "d.zarr", {"rna": "nb"}, batch_key="batch", panel_key="measured"
        )


def test_a_writer_that_refused_a_piece_is_given_up(tmp_path):
    writer = StoreWriter(tmp_path / "c.zarr", PAIR)
    writer.append(piece(0))
    bad = piece(1)
    bad["rna"].X.data[0] = 0.5
    with pytest.raises(DataContractError, match="non-negative integers"):
        writer.append(bad)
    assert list(tmp_path.iterdir()) == []
    for call in (lambda: writer.append(piece(1)), writer.close):
        with pytest.raises(ConfigError, match=r"has failed: create a new one"):
            call()
    with StoreWriter(tmp_path / "d.zarr", PAIR) as other:
        other.append(piece(0))
        other.close()
    with pytest.raises(ConfigError, match="was closed"):
        other.append(piece(1))
    assert open_store(tmp_path / "d.zarr").n_cells == 30


def test_later_processes_do_not_write(tmp_path, monkeypatch):
    write_store(piece(0), tmp_path / "c.zarr", PAIR)
    for name, value in {"LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processes, "_trained_alone", None)
    write_store(piece(1), tmp_path / "c.zarr", PAIR, overwrite=True)
    assert open_store(tmp_path / "c.zarr").obs_names[0] == "s0_cell_0"
    monkeypatch.setenv("LOCAL_RANK", "0")
    write_store(piece(1), tmp_path / "c.zarr", PAIR, overwrite=True)
    assert open_store(tmp_path / "c.zarr").obs_names[0] == "s1_cell_0"
