"""Results on disk: complete or not there, in the order of the cells."""

import anndata
import numpy as np
import pandas as pd
import pytest

from hzau_omics.data.stores.disk import results
from hzau_omics.data.stores.disk.folders import former_of
from hzau_omics.data.stores.disk.results import AnnDataWriter, ResultColumns
from hzau_omics.errors import ConfigError, DataContractError


def write(columns, *, remove=(), parts=1, **results):
    """Write results in some parts."""
    with columns.writer() as writer:
        for rows in np.array_split(np.arange(columns.n_cells), parts):
            writer.append({name: value[rows[0] : rows[-1] + 1] for name, value in results.items()})
        writer.remove(remove)


def test_arrays_and_frames_come_back(tmp_path):
    columns = ResultColumns(tmp_path / "obsm", 5)
    assert list(columns) == []
    latents = np.arange(10, dtype=np.float32).reshape(5, 2)
    frame = pd.DataFrame({"rna": np.arange(5) / 5, "adt": 1.0})
    write(columns, X=latents, gate=frame, parts=2)
    assert list(columns) == ["X", "gate"]
    assert len(columns) == 2
    np.testing.assert_array_equal(columns["X"], latents)
    pd.testing.assert_frame_equal(columns["gate"], frame.astype(np.float32))
    with pytest.raises(KeyError):
        columns["other"]


@pytest.fixture
def columns(tmp_path):
    """Results of a former model, and one of the user's own."""
    found = ResultColumns(tmp_path / "obsm", 4)
    write(found, X=np.ones((4, 2)), gate=np.ones((4, 1)))
    write(found, mine=np.full((4, 3), 7.0))
    return found


def held(columns):
    return {name: float(columns[name].mean()) for name in columns}


def test_results_take_their_names_together_and_others_stay(columns, tmp_path):
    assert held(columns) == {"X": 1, "gate": 1, "mine": 7}
    with columns.writer() as writer:
        writer.append({"X": np.zeros((3, 2)), "new": np.zeros((3, 1))})
        writer.append({"X": np.zeros((1, 2)), "new": np.zeros((1, 1))})
        writer.remove(["gate", "X", "unknown"])
        assert held(columns) == {"X": 1, "gate": 1, "mine": 7}
    assert held(columns) == {"X": 0, "mine": 7, "new": 0}
    assert [path.name for path in tmp_path.iterdir()] == ["obsm"]


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ([{"X": np.zeros((3, 2))}], r"one row per cell \(4\). Received 3"),
        ([{"X": np.zeros((2, 2))}, {"gate": np.zeros((2, 2))}], r"same results \('X'\)"),
        ([{"X": np.zeros((2, 2)), "gate": np.zeros((1, 2))}], r"with \[1, 2\] rows"),
        ([{"X": np.zeros((5, 2))}], "Received 5 rows"),
    ],
)
def test_incomplete_results_are_refused_and_the_former_ones_stay(
    columns, tmp_path, blocks, message
):
    def write_blocks():
        with columns.writer() as writer:
            for block in blocks:
                writer.append(block)

    with pytest.raises(DataContractError, match=message):
        write_blocks()
    assert held(columns) == {"X": 1, "gate": 1, "mine": 7}
    assert [path.name for path in tmp_path.iterdir()] == ["obsm"]


def test_a_reader_gets_one_result_or_the_other(columns, monkeypatch):
    read, calls = results._read, []

    def slow(folder):
        # Another process replaces the result while it is read for the first time.
        found = read(folder)
        calls.append(folder)
        if len(calls) == 1:
            write(columns, X=np.zeros((4, 2)), gate=np.zeros((4, 1)))
        return found

    monkeypatch.setattr(results, "_read", slow)
    assert columns["X"].tolist() == np.zeros((4, 2)).tolist()
    assert len(calls) == 2
    monkeypatch.setattr(results, "_read", lambda folder: write(columns, X=np.zeros((4, 2))))
    with pytest.raises(DataContractError, match="replaced by another process"):
        columns["X"]


def test_results_are_found_where_a_replacement_was_interrupted(columns, tmp_path):
    (tmp_path / "obsm").rename(former_of(tmp_path / "obsm"))
    assert held(columns) == {"X": 1, "gate": 1, "mine": 7}
    write(columns, X=np.zeros((4, 2)))
    assert held(columns) == {"X": 0, "gate": 1, "mine": 7}
    assert [path.name for path in tmp_path.iterdir()] == ["obsm"]


def _writer(path, **options):
    obs = pd.DataFrame({"observed": [True, False, True]}, index=["a", "b", "c"])
    var = pd.DataFrame(index=["p", "q"])
    return AnnDataWriter(path, obs=obs, var=var, layers=["q05"], **options)


def test_anndata_reads_what_was_written(tmp_path):
    values = np.arange(6, dtype=np.float32).reshape(3, 2)
    with _writer(tmp_path / "a.zarr") as writer:
        writer.append({"X": values[:2], "q05": values[:2] / 2})
        writer.append({"X": values[2:], "q05": values[2:] / 2})
    adata = anndata.read_zarr(tmp_path / "a.zarr")
    np.testing.assert_array_equal(adata.X, values)
    np.testing.assert_array_equal(adata.layers["q05"], values / 2)
    assert adata.obs["observed"].tolist() == [True, False, True]
    assert list(adata.obs_names) == ["a", "b", "c"]
    assert list(adata.var_names) == ["p", "q"]


def test_nothing_is_left_of_what_failed(tmp_path):
    with pytest.raises(RuntimeError), _writer(tmp_path / "a.zarr"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_rows_that_are_missing_are_no_zeros(tmp_path):
    with (
        pytest.raises(DataContractError, match=r"one row per cell \(3\). Received 2"),
        _writer(tmp_path / "a.zarr") as writer,
    ):
        writer.append({name: np.ones((2, 2)) for name in ("X", "q05")})
    assert list(tmp_path.iterdir()) == []


def test_only_results_are_replaced(tmp_path):
    zeros, ones = ({name: np.full((3, 2), x) for name in ("X", "q05")} for x in (0.0, 1.0))
    with _writer(tmp_path / "a.zarr") as writer:
        writer.append(zeros)
    with pytest.raises(ConfigError, match="exists"):
        _writer(tmp_path / "a.zarr")
    with _writer(tmp_path / "a.zarr", overwrite=True) as writer:
        writer.append(ones)
    assert anndata.read_zarr(tmp_path / "a.zarr").X.all()
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match="exists"):
        _writer(tmp_path / "mine", overwrite=True)
