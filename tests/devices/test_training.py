"""Training on a pretended device: heads, steps, validation and calibrations."""

import pytest
import torch
from lightning.pytorch import Callback

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from tests.devices.conftest import DESIGNS, QUICK, untrained

ON_DEVICE = {**QUICK, "accelerator": "gpu"}


class Steps(Callback):
    """Note what the CPU waits for in steps; the batch is on the device before a step begins."""

    def __init__(self, device):
        self.device = device
        self.waits = []

    def on_train_batch_start(self, *_):
        self._before = len(self.device.waits)

    def on_train_batch_end(self, *_):
        self.waits += self.device.waits[self._before :]


def check(model):
    assert model.device.type == "cuda"
    assert model.history["elbo_validation"].notna().all(axis=None)
    assert all(value.isfinite().all().item() for value in model.module.parameters())
    assert model.is_reliability_calibrated


@pytest.mark.parametrize("design", DESIGNS)
def test_a_model_trains_on_cells_that_the_device_holds(device, design):
    model = untrained(design)
    model.train(2, **ON_DEVICE)
    check(model)


def test_a_model_trains_on_cells_that_are_staged(device):
    model = untrained("mosaic")
    model.train(2, **ON_DEVICE, device_memory_gb=0)
    check(model)


def test_a_model_trains_on_cells_on_disk(device, tmp_path):
    make, modalities, setup = DESIGNS["mosaic"]
    ho.data.write_store(make(), tmp_path / "cells.zarr", modalities, **setup)
    model = HZAUVAE(ho.data.open_store(tmp_path / "cells.zarr"), n_latent=4, n_hidden=16)
    model.train(2, **ON_DEVICE)
    check(model)
    assert model.get_latent_representation().shape == (300, 4)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_step_waits_for_nothing(device, design):
    model, steps = untrained(design), Steps(device)
    model.train(1, **ON_DEVICE, callbacks=steps)
    assert not set(steps.waits)
