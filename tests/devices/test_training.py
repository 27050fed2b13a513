"""Training on a pretended device: heads, steps, validation and calibrations."""

import pytest

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from tests.devices.conftest import DESIGNS, ON_DEVICE, untrained
from tests.devices.pretended import pretended_device


def check(model):
    assert model.device.type == "cuda"
    assert model.history["elbo_validation"].notna().all(axis=None)
    assert all(value.isfinite().all().item() for value in model.module.parameters())
    assert model.is_reliability_calibrated


@pytest.mark.parametrize("design", DESIGNS)
def test_a_model_trains_on_cells_that_the_device_holds(fitted, design):
    model = fitted(design).model
    with pretended_device():
        check(model)


def test_a_model_trains_on_cells_that_are_staged(device):
    model = untrained("mosaic")
    model.train(1, **ON_DEVICE, device_memory_gb=0)
    check(model)


def test_a_model_trains_on_cells_on_disk(device, tmp_path):
    make, modalities, setup = DESIGNS["mosaic"]
    ho.data.write_store(make(), tmp_path / "cells.zarr", modalities, **setup)
    model = HZAUVAE(ho.data.open_store(tmp_path / "cells.zarr"), n_latent=4, n_hidden=16)
    model.train(1, **ON_DEVICE)
    check(model)
    assert model.get_latent_representation().shape == (300, 4)


@pytest.mark.parametrize("design", DESIGNS)
def test_a_step_waits_for_nothing(fitted, design):
    assert not set(fitted(design).waits)
