"""One reader: from memory and from a file comes the same store, bit for bit."""

import h5py
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from hypothesis import HealthCheck, example, given, settings, strategies as st
from mudata import MuData

import hzau_omics as ho
from hzau_omics.data import MosaicStore, build_layout, open_store, write_store
from hzau_omics.data.stores.disk import row_readers, write as disk_write
from hzau_omics.errors import DataContractError, HzauWarning

PAIR = {"rna": "nb", "adt": "nb"}

FORMS = {
    "csr": sp.csr_matrix,
    "csc": sp.csc_matrix,
    "dense": np.asarray,
    "unsorted": lambda values: _unsorted(sp.csr_matrix(values)),
    "zeros": lambda values: _with_zeros(sp.csr_matrix(values)),
}


def _unsorted(matrix):
    for start, stop in zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True):
        for part in (matrix.indices, matrix.data):
            part[start:stop] = part[start:stop][::-1].copy()
    matrix.has_sorted_indices = False
    return matrix


def _with_zeros(matrix):
    if matrix.nnz:
        matrix.data[0] = 0
    return matrix


def content(folder):
    """Return every file of a store."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


WAYS = st.fixed_dictionaries(
    {
        "form": st.sampled_from(sorted(FORMS)),
        "dtype": st.sampled_from(["float32", "float64", "int32", "uint8", "bool"]),
        "layer": st.sampled_from([None, "counts"]),
        "in_order": st.booleans(),
    }
)


def mosaic_in(ways, n_cells, n_kinds, seed):
    """Cells that have rna, adt or both, and a modality without values that nobody asks for."""
    rng = np.random.default_rng(seed)
    # Cells of the kind 0 have both, of the kind 1 only adt, of the kind 2 only rna.
    kinds = rng.permutation(np.arange(n_cells) % n_kinds)
    held = {}
    for (name, way), absent, n_features in zip(ways.items(), (1, 2), (5, 3), strict=True):
        cells = np.flatnonzero(kinds != absent)
        if not way["in_order"]:
            cells = rng.permutation(cells)
        values = rng.poisson(0.8, size=(len(cells), n_features)).astype(way["dtype"])
        values = FORMS[way["form"]](values)
        obs = pd.DataFrame({"sample": kinds[cells].astype(str)}, [f"c{cell}" for cell in cells])
        var = pd.DataFrame(index=[f"{name}{i}" for i in range(n_features)])
        for batch in "01":
            var[f"measured_{batch}"] = True
        held[name] = AnnData(None if way["layer"] else values, obs=obs, var=var)
        if way["layer"]:
            held[name].layers[way["layer"]] = values
    held["adt"].uns["text"] = {"kind": "words", "vocabulary": ["b", "t"], "texts": ["t b", "b"]}
    everyone = pd.DataFrame(index=[f"c{cell}" for cell in range(n_cells)])
    mdata = MuData({**held, "hto": AnnData(obs=everyone)})
    cells = np.array([int(name[1:]) for name in mdata.obs_names])
    mdata.obs["batch"] = pd.Categorical((cells % 2).astype(str))
    mdata.obs["age"] = pd.array(np.where(cells == 1, None, cells), dtype="Int64")
    mdata.obs["donor"] = np.where(cells % 3 == 0, "d", "e")
    return mdata


_TURNED = {"form": "csc", "dtype": "float32", "layer": None, "in_order": False}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=5)
@example(  # a batch without cells of a modality whose columns are there
    ways={"rna": _TURNED, "adt": _TURNED},
    n_cells=3,
    n_kinds=2,
    seed=1,
    n_pieces=2,
    block=1,
    keys={"batch_key": "batch", "panel_key": "measured"},
)
@given(
    ways=st.fixed_dictionaries({"rna": WAYS, "adt": WAYS}),
    n_cells=st.integers(3, 11),
    n_kinds=st.integers(1, 3),
    seed=st.integers(0, 99),
    n_pieces=st.integers(1, 3),
    block=st.sampled_from([1, 4, 2**23]),
    keys=st.sampled_from(
        [{}, {"batch_key": "batch", "panel_key": "measured"}, {"batch_key": "sample"}]
    ),
)
def test_memory_and_file_give_the_same_store(
    tmp_path_factory, ways, n_cells, n_kinds, seed, n_pieces, block, keys
):
    mdata = mosaic_in(ways, n_cells, n_kinds, seed)
    layers = {name: way["layer"] for name, way in ways.items()}
    folder = tmp_path_factory.mktemp("same")
    mdata.write(folder / "cells.h5mu")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_readers, "BLOCK", block)
        patch.setattr(disk_write, "PIECE_SIZE", -(-n_cells // n_pieces))
        write_store(mdata, folder / "a", PAIR, layers=layers, **keys)
        write_store(folder / "cells.h5mu", folder / "b", PAIR, layers=layers, **keys)
    assert content(folder / "a") == content(folder / "b")
    store = open_store(folder / "b")
    memory = MosaicStore(mdata, build_layout(mdata, PAIR, layers=layers, **keys))
    assert store.layout == memory.layout
    cells = np.arange(n_cells)
    found, expected = store.minibatch(cells), memory.minibatch(cells)
    for name in PAIR:
        assert found.x[name].equal(expected.x[name]), name
    assert found.present.equal(expected.present)
    assert found.batch.equal(expected.batch)
    age = store.obs_frame()["age"]
    assert age.fillna(-1).tolist() == mdata.obs["age"].fillna(-1).tolist()


def _no_obsmap(file):
    del file["obsmap"]


def _no_order(file):
    del file["mod"].attrs["mod-order"]


def _other_things(file):
    """Things that nobody asks for, and that no reader knows."""
    for place in ("mod/rna/layers/strange", "mod/rna/obsm/strange", "mod/adt/uns/strange", "uns/x"):
        file.require_group(place).attrs["encoding-type"] = "of the future"
    file["mod/rna/obs"].create_group("strange").attrs["encoding-type"] = "of the future"
    file["mod/rna/obs"].attrs["column-order"] = ["strange"]


def _no_layers(file):
    for name in ("layers", "obsm", "uns", "varm"):
        del file["mod/rna"][name]


def _old_frames(file):
    """Data frames as anndata 0.7 wrote them: categories beside the columns."""
    for place in ("obs", "mod/rna/obs", "mod/rna/var"):
        group = file[place]
        group.attrs["encoding-version"] = "0.1.0"
        for key in group.attrs["column-order"]:
            element = group[key]
            if isinstance(element, h5py.Group):
                codes, categories = element["codes"][:], element["categories"].asstr()[:]
                del group[key]
                kept = group.require_group("__categories").create_dataset(
                    key, data=categories.astype(object), dtype=h5py.string_dtype()
                )
                kept.attrs["ordered"] = False
                group[key] = codes
                group[key].attrs["categories"] = kept.ref


@pytest.mark.parametrize("change", [_no_obsmap, _no_order, _other_things, _no_layers, _old_frames])
def test_files_of_other_writers_give_the_same_store(tmp_path, change):
    mdata = ho.data.simulate(30, n_features={"rna": 6, "adt": 3}, missing=0.3, seed=1)
    mdata = MuData(dict(mdata.mod))
    mdata.obs["donor"] = ["d", "e", "f"] * 10
    write_store(mdata, tmp_path / "a.zarr", PAIR, batch_key="donor")
    mdata.write(tmp_path / "cells.h5mu")
    with h5py.File(tmp_path / "cells.h5mu", "r+") as file:
        change(file)
    write_store(tmp_path / "cells.h5mu", tmp_path / "b.zarr", PAIR, batch_key="donor")
    assert content(tmp_path / "a.zarr") == content(tmp_path / "b.zarr")


TIMES = {
    "date": pd.to_datetime(["2024-01-01", "2024-01-02"] * 5),
    "pause": pd.to_timedelta([1, 2] * 5, unit="h"),
}
UNKNOWN_TO_ZARR = {
    "month": pd.arrays.PeriodArray(pd.period_range("2024-01", periods=10, freq="M")),
    "wide": np.array([1.5, 2.0] * 5, dtype=np.longdouble),
}
COLUMNS = {
    "mixed": np.array([1, "a"] * 5, dtype=object),
    "nullable": pd.array([1.5, 2.0] * 5, dtype="Float64"),
    "half": np.array([1.5, 2.0] * 5, dtype="float16"),
    "flag": pd.array([True, False] * 5, dtype="boolean"),
    "range": pd.cut(np.arange(10), 2),
    "day": pd.Categorical(pd.to_datetime(["2024-01-01", "2024-01-02"] * 5)),
    "CD4/CD8": np.arange(10.0) % 2,
    ".": ["a", "b"] * 5,
    "_index": ["a", "b"] * 5,
    "x" * 300: ["a", "b"] * 5,
}


@pytest.mark.parametrize("key", [*COLUMNS, *UNKNOWN_TO_ZARR], ids=lambda key: key[:10])
def test_a_registered_column_is_kept_whatever_it_is(tmp_path, mosaic, key):
    mosaic.obs[key] = (COLUMNS | UNKNOWN_TO_ZARR)[key]
    write_store(mosaic, tmp_path / "c.zarr", PAIR, batch_key=key)
    layout = build_layout(mosaic, PAIR, batch_key=key)
    store = open_store(tmp_path / "c.zarr")
    assert store.layout == layout
    np.testing.assert_array_equal(store.batch, MosaicStore(mosaic, layout).batch)
    assert key in store.obs_frame()


@pytest.mark.parametrize("key", COLUMNS, ids=lambda key: key[:10])
def test_another_column_is_kept_under_its_name(tmp_path, mosaic, key):
    mosaic.obs[key] = COLUMNS[key]
    write_store(mosaic, tmp_path / "c.zarr", PAIR)
    found = open_store(tmp_path / "c.zarr").obs_frame()[key]
    assert [str(value) for value in found] == [str(value) for value in mosaic.obs[key]]


@pytest.mark.parametrize("key", [*TIMES, *UNKNOWN_TO_ZARR, "list", "twice"])
def test_a_column_that_zarr_cannot_hold_is_left_out_and_named(tmp_path, mosaic, key):
    columns = TIMES | UNKNOWN_TO_ZARR | {"list": [[1], [2]] * 5, "twice": range(10)}
    mosaic.obs[key] = columns[key]
    if key == "twice":
        mosaic.obs = pd.concat([mosaic.obs, mosaic.obs[[key]]], axis=1)
    before = mosaic.obs.copy()
    with pytest.warns(HzauWarning, match=rf"1 columns of obs .* are left out: '{key} \("):
        write_store(mosaic, tmp_path / "c.zarr", PAIR)
    pd.testing.assert_frame_equal(mosaic.obs, before)
    assert key not in open_store(tmp_path / "c.zarr").obs_frame()
    if key == "twice":
        return
    # What the warning says to do.
    mosaic.obs[key] = mosaic.obs[key].astype(str)
    write_store(mosaic, tmp_path / "c.zarr", PAIR, overwrite=True)
    assert open_store(tmp_path / "c.zarr").obs(key).tolist() == mosaic.obs[key].tolist()


def test_a_column_that_a_file_holds_in_a_way_of_its_own_is_left_out(tmp_path, mosaic):
    mosaic.write(tmp_path / "cells.h5mu")
    with h5py.File(tmp_path / "cells.h5mu", "r+") as file:
        file["obs/age"].attrs["encoding-type"] = "of the future"
    with pytest.warns(HzauWarning, match="cannot be read from .*'age'"):
        write_store(tmp_path / "cells.h5mu", tmp_path / "c.zarr", PAIR)
    assert "age" not in open_store(tmp_path / "c.zarr").obs_frame()
    with (
        pytest.warns(HzauWarning),
        pytest.raises(DataContractError, match="continuous covariate 'age' is not a column"),
    ):
        write_store(
            tmp_path / "cells.h5mu", tmp_path / "d.zarr", PAIR, continuous_covariate_keys=["age"]
        )


def _half(mosaic):
    mosaic["rna"].layers["counts"] = mosaic["rna"].X.copy()
    mosaic["rna"].X = mosaic["rna"].X.astype("float64") / 2
    return {}


def _layer(mosaic):
    return {"layers": {"rna": "count"}}


def _empty(mosaic):
    mosaic["rna"].layers["counts"] = mosaic["rna"].X
    mosaic["rna"].X = None
    return {}


def _key(mosaic):
    mosaic["rna"].obs["batches"] = "a"
    return {"batch_key": "batche"}


def _no_panels(mosaic):
    mosaic["rna"].var["measured"] = True
    return {"batch_key": "batch", "panel_key": "panel"}


@pytest.mark.parametrize("change", [_half, _layer, _empty, _key, _no_panels])
def test_a_file_is_refused_in_the_words_for_memory(tmp_path, mosaic, change):
    options = change(mosaic)
    mosaic.write(tmp_path / "cells.h5mu")
    messages = []
    for source in (mosaic, tmp_path / "cells.h5mu"):
        with pytest.raises(DataContractError) as caught:
            write_store(source, tmp_path / "c.zarr", PAIR, **options)
        messages.append(str(caught.value))
    assert messages[0] == messages[1]
    assert [path.name for path in tmp_path.iterdir()] == ["cells.h5mu"]


def test_only_what_is_registered_is_read(tmp_path, mosaic, monkeypatch):
    mosaic["rna"].layers["other"] = mosaic["rna"].X.copy()
    mosaic.write(tmp_path / "cells.h5mu")
    read = []
    get = h5py.Dataset.__getitem__

    def counted(dataset, *rest):
        read.append((dataset.name, rest))
        return get(dataset, *rest)

    monkeypatch.setattr(h5py.Dataset, "__getitem__", counted)
    monkeypatch.setattr(row_readers, "BLOCK", 8)
    write_store(tmp_path / "cells.h5mu", tmp_path / "c.zarr", {"rna": "nb", "adt": "nb"})
    names = {name for name, _ in read}
    assert not any(name.startswith("/mod/emb/X") or "/layers/" in name for name in names)
    for name in ("/mod/rna/X/data", "/mod/rna/X/indices"):
        parts = [rest[0] for found, rest in read if found == name]
        assert len(parts) > 2
        assert max(part.stop - part.start for part in parts) <= 8 + 6


@pytest.mark.parametrize("form", ["csr", "csc", "dense"])
def test_a_mudata_that_is_backed_by_a_file_is_read_as_the_file(tmp_path, mosaic, form):
    mosaic["rna"].X = FORMS[form](mosaic["rna"].X.toarray())
    mosaic.write(tmp_path / "cells.h5mu")
    backed = mudata.read_h5mu(tmp_path / "cells.h5mu", backed=True)
    write_store(backed, tmp_path / "a.zarr", PAIR)
    write_store(tmp_path / "cells.h5mu", tmp_path / "b.zarr", PAIR)
    assert content(tmp_path / "a.zarr") == content(tmp_path / "b.zarr")
    with pytest.raises(DataContractError, match="values between 0 and 1"):
        write_store(backed, tmp_path / "c.zarr", {"rna": "bernoulli", "adt": "nb"})
    backed.file.close()


def test_a_folder_or_an_anndata_is_no_source(tmp_path, mosaic):
    with pytest.raises(DataContractError, match=r"the folder .*mudata.read_zarr"):
        write_store(tmp_path, tmp_path / "c.zarr", PAIR)
    with pytest.raises(TypeError, match="AnnData"):
        write_store(mosaic["rna"], tmp_path / "c.zarr", PAIR)


def _described(seed, texts, **options):
    mdata = ho.data.simulate(6, n_features={"rna": 5}, seed=seed)
    mdata["rna"].obs_names = [f"s{seed}_{name}" for name in mdata.obs_names]
    mdata = MuData({"rna": mdata["rna"]})
    mdata.obs["note"] = texts
    ho.pp.add_text_modality(mdata, "note", **options)
    return mdata


def test_texts_of_pieces_are_put_together_or_refused(tmp_path):
    spec = {"rna": "nb", "text": "bernoulli"}
    first = _described(0, ["B cell", "T cell"] * 3, vocabulary=list("bt"))
    other = _described(1, ["T cell", "T cell", "B cell", "T", "T", "T"], vocabulary=list("bt"))
    other.write(tmp_path / "other.h5mu")
    with pytest.raises(DataContractError, match=r"differ in uns\['text'\] \(frequency\)"):
        write_store([first, tmp_path / "other.h5mu"], tmp_path / "c.zarr", spec)
    # What the message says to do.
    del other.mod["text"]
    other.update()
    ho.pp.add_text_modality(other, "note", name="text", vocabulary=first["text"])
    other.write(tmp_path / "other.h5mu")
    write_store([first, tmp_path / "other.h5mu"], tmp_path / "c.zarr", spec)
    record = open_store(tmp_path / "c.zarr").layout.modality("text").text
    assert record["vocabulary"] == list(first["text"].var_names)
    assert record["texts"][0] == "B cell"
    assert sorted(record["texts"]) == ["B cell", "T", "T cell"]
    del other["text"].uns["text"]
    with pytest.raises(DataContractError, match="must be made from texts in the same way"):
        write_store([first, other], tmp_path / "d.zarr", spec)
