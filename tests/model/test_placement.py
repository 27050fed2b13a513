"""Where the cells of a run are held, and devices that are not there."""

import numpy as np
import pytest
import torch

import hzau_omics as ho
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model import HZAUVAE
from hzau_omics.model.training import placement
from hzau_omics.model.training.placement import StagedCells, place

PAIR = {"rna": "nb", "adt": "nb"}
GPU = torch.device("cuda")


@pytest.fixture
def model(mdata):
    HZAUVAE.setup_mudata(mdata, PAIR)
    return HZAUVAE(mdata, n_latent=3, n_hidden=8)


@pytest.fixture
def gpu(monkeypatch):
    """A pretended GPU with a given number of free bytes."""

    def pretend(free):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, 2 * free))
        monkeypatch.setattr(placement, "ResidentCells", lambda store, device: ("held", store))

    return pretend


def test_a_cpu_reads_cells_where_they_are(model):
    store = model._store
    assert place(store, torch.device("cpu"), None) is store


def test_a_gpu_holds_cells_that_fit(model, gpu):
    store = model._store
    gpu(2 * store.nbytes)
    assert place(store, GPU, None) == ("held", store)
    gpu(2 * store.nbytes - 2)
    assert isinstance(place(store, GPU, None), StagedCells)
    assert place(store, GPU, store.nbytes / 1024**3) == ("held", store)
    assert isinstance(place(store, GPU, 0), StagedCells)


def test_cells_that_the_gpu_has_no_memory_for_are_staged(model, gpu, monkeypatch, caplog):
    def full(store, device):
        raise torch.OutOfMemoryError

    gpu(10**12)
    monkeypatch.setattr(placement, "ResidentCells", full)
    assert isinstance(place(model._store, GPU, None), StagedCells)
    assert caplog.text.count("has no memory left") == 1


def test_cells_on_disk_are_sent(model, gpu, mdata, tmp_path):
    ho.data.write_store(mdata, tmp_path / "c.zarr", PAIR)
    gpu(10**12)
    assert isinstance(place(ho.data.open_store(tmp_path / "c.zarr"), GPU, None), StagedCells)


def test_staged_minibatches_are_pinned_and_in_order(model, monkeypatch):
    pinned = []
    monkeypatch.setattr(Minibatch, "pinned", lambda batch: pinned.append(len(batch)) or batch)
    store = model._store
    staged = StagedCells(store)
    cells = staged.shuffled(np.arange(70), np.random.default_rng(0))
    np.testing.assert_array_equal(cells, store.shuffled(np.arange(70), np.random.default_rng(0)))
    rows = [batch.rows.tolist() for batch in staged.minibatches(cells, 32)]
    assert [len(row) for row in rows] == [32, 32, 6] == pinned
    assert [row for batch in rows for row in batch] == cells.tolist()


def test_a_negative_budget_is_refused(model, quick):
    with pytest.raises(
        ConfigError, match=r"device_memory_gb must be a number of at least 0. Received -1"
    ):
        model.train(**quick, device_memory_gb=-1)
    assert not model.is_trained


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_device_that_is_not_there_is_named(model, quick):
    with pytest.raises(ConfigError, match=r"Cannot train with accelerator='gpu'.*hzau-omics info"):
        model.train(**{**quick, "accelerator": "gpu"})
    with pytest.raises(ConfigError, match=r"Cannot train with accelerator='abacus'"):
        model.train(**{**quick, "accelerator": "abacus"})
