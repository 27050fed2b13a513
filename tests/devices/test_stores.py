"""Cells in the memory of a pretended device, and cells that are sent to it."""

import numpy as np
import pytest
import torch

from hzau_omics.data.stores.gpu import ResidentCells
from hzau_omics.model.training.placement import StagedCells
from tests.devices.conftest import DESIGNS, untrained
from tests.devices.pretended import DEVICE

CELLS = np.array([4, 1, 9, 30, 2])


def same(found, expected):
    assert found.present_on_host.device.type == "cpu"
    for name in ("present", "batch", "categorical", "continuous", "rows"):
        assert getattr(found, name).device == DEVICE
        assert getattr(found, name).cpu().equal(getattr(expected, name)), name
    for name in expected.x:
        assert found.x[name].device == DEVICE
        assert found.x[name].cpu().equal(expected.x[name]), name
    for name, mask in expected.feature_mask.items():
        assert found.feature_mask[name].cpu().equal(mask)


@pytest.mark.parametrize("design", DESIGNS)
def test_resident_cells_are_gathered_without_waiting(device, design):
    store = untrained(design)._store
    near = ResidentCells(store, torch.device("cuda"))
    with device.no_waiting():
        batches = [cells.gather() for cells in near.minibatches(CELLS, 3)]
    for found, cells in zip(batches, (CELLS[:3], CELLS[3:]), strict=True):
        same(found, store.minibatch(cells))


@pytest.mark.parametrize("design", DESIGNS)
def test_staged_cells_are_sent_without_waiting(device, design):
    store = untrained(design)._store
    staged = StagedCells(store)
    with device.no_waiting():
        batches = [batch.to(DEVICE) for batch in staged.minibatches(CELLS, 3)]
    for found, cells in zip(batches, (CELLS[:3], CELLS[3:]), strict=True):
        same(found, store.minibatch(cells))
