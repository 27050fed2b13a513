"""The streaming benchmark on few cells: stores are written, trained from, and compared."""

import json

import pytest

from benchmarks.streaming import __main__ as streaming, data
from benchmarks.streaming.run import StreamRun, in_memory, measure
from hzau_omics.data import open_store


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stores") / "cells.zarr"
    original, data.PIECE = data.PIECE, 60
    try:
        assert data.write(folder, 150) > 0
    finally:
        data.PIECE = original
    return folder


def test_a_store_is_written_once(path):
    store = open_store(path)
    assert store.manifest.pieces == (60, 60, 30)
    assert [m.n_features for m in store.layout.modalities] == [2000, 100]
    assert 0.7 < store.present[:, 1].mean() < 0.9
    assert data.write(path, 150) != data.write(path, 150)  # NaN: nothing was written


def test_memory_holds_the_cells_of_the_disk(path):
    mdata = in_memory(str(path))
    store = open_store(path)
    assert sorted(mdata.obs_names) == sorted(store.obs_names)
    assert mdata["adt"].n_obs == store.present[:, 1].sum()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("source", ["memory", "disk"])
def test_a_run_is_measured(path, source):
    run = StreamRun(path=str(path), source=source, batch_size=32, epochs=1)
    found = json.loads(json.dumps(measure(run)))
    assert found["source"] == source
    assert found["train_cells_per_s"] > 0
    assert 0.1 < found["peak_train_gb"] < 100
    for name in ("embed", "annotate", "reliability", "impute"):
        assert found[f"{name}_cells_per_s"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_compares_disk_with_memory(tmp_path, capsys):
    out = tmp_path / "out"
    assert streaming.main(["--cells", "100", "--cells", "200", "--out", str(out)]) == 0
    assert "times_memory" in capsys.readouterr().out
    assert {p.suffix for p in out.glob("streaming_*")} == {".csv", ".json"}
