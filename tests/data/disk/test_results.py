"""Results on disk: complete or not there, in the order of the cells."""

import anndata
import numpy as np
import pandas as pd
import pytest

from hzau_omics.data.disk.results import AnnDataWriter, ResultColumns
from hzau_omics.errors import ConfigError, DataContractError


def test_arrays_and_frames_come_back(tmp_path):
    columns = ResultColumns(tmp_path / "obsm", 5)
    assert list(columns) == []
    latents = np.arange(10, dtype=np.float32).reshape(5, 2)
    frame = pd.DataFrame({"rna": np.arange(5) / 5, "adt": 1.0})
    for name, value in (("X", latents), ("gate", frame)):
        writer = columns.writer(name, value[:1])
        writer.append(value[:3])
        assert name not in columns
        writer.append(value[3:])
        writer.close()
    assert list(columns) == ["X", "gate"]
    assert len(columns) == 2
    np.testing.assert_array_equal(columns["X"], latents)
    pd.testing.assert_frame_equal(columns["gate"], frame.astype(np.float32))
    with pytest.raises(KeyError):
        columns["other"]


def test_an_incomplete_result_is_refused_and_the_former_one_stays(tmp_path):
    columns = ResultColumns(tmp_path / "obsm", 4)
    writer = columns.writer("X", np.zeros((1, 2)))
    writer.append(np.ones((4, 2)))
    writer.close()
    writer = columns.writer("X", np.zeros((1, 2)))
    writer.append(np.zeros((3, 2)))
    with pytest.raises(DataContractError, match=r"one row per cell \(4\). Received 3"):
        writer.close()
    assert columns["X"].all()


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


def test_only_results_are_replaced(tmp_path):
    with _writer(tmp_path / "a.zarr"):
        pass
    with pytest.raises(ConfigError, match="exists"):
        _writer(tmp_path / "a.zarr")
    with _writer(tmp_path / "a.zarr", overwrite=True):
        pass
    (tmp_path / "mine").mkdir()
    with pytest.raises(ConfigError, match="exists"):
        _writer(tmp_path / "mine", overwrite=True)
