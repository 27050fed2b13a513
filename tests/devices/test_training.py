"""Training on a pretended device: heads, steps, validation and calibrations."""

import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from hzau_omics.model.training.corruption import make_corruptor
from hzau_omics.model.training.heads import train_heads
from tests.devices.conftest import DESIGNS, ON_DEVICE, untrained
from tests.devices.machine import pretended_device


def check(model):
    assert model.history["elbo_validation"].notna().all(axis=None)
    assert all(value.isfinite().all().item() for value in model.module.parameters())


@pytest.mark.parametrize("design", DESIGNS)
def test_a_model_trains_on_cells_that_the_device_holds(fitted, design):
    model = fitted(design).model
    assert fitted(design).device == "cuda"
    with pretended_device():
        check(model)
        assert model.is_reliability_calibrated


# With too few validation cells for calibrations, which take most of the time.
FEW = {**ON_DEVICE, "train_size": 0.95}


def test_a_model_trains_on_cells_that_are_staged(device):
    model = untrained("mosaic")
    model.train(1, **FEW, device_memory_gb=0)
    assert model.device.type == "cuda"
    check(model)


def test_a_model_trains_on_cells_on_disk(device, tmp_path):
    make, modalities, setup = DESIGNS["mosaic"]
    ho.data.write_store(make(), tmp_path / "cells.zarr", modalities, **setup)
    model = HZAUVAE(ho.data.open_store(tmp_path / "cells.zarr"), n_latent=4, n_hidden=16)
    model.train(1, **FEW)
    assert model.device.type == "cuda"
    check(model)
    assert model.get_latent_representation().shape == (240, 4)


@pytest.mark.parametrize("design", DESIGNS)
def test_heads_of_reliability_train_on_the_device(device, design):
    model = untrained(design)
    store, network = model._store, model.module.to("cuda").train()
    cells = np.arange(store.n_cells)
    before = [value.clone() for value in network.reliability.heads.parameters()]
    train_heads(network, store, cells, make_corruptor(store, cells, 0.1, 0), seed=0, n_steps=3)
    after = list(network.reliability.heads.parameters())
    assert int(network.reliability.head_steps) == 3
    assert all(value.device.type == "cuda" and value.isfinite().all() for value in after)
    assert not all(a.equal(b) for a, b in zip(after, before, strict=True))


@pytest.mark.parametrize("design", DESIGNS)
def test_a_step_waits_for_nothing(fitted, design):
    assert not set(fitted(design).waits)
