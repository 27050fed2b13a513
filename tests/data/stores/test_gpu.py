"""Cells held on a device give the very minibatches of the store; here the device is the CPU."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings, strategies as st

from hzau_omics.data import MosaicStore, build_layout
from hzau_omics.data.stores.gpu import ResidentCells

KEYS = {
    "batch_key": "batch",
    "panel_key": "measured",
    "categorical_covariate_keys": ["donor"],
    "continuous_covariate_keys": ["age"],
}
SPECS = {"rna": "nb", "adt": "nb", "emb": "normal"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(cells=st.lists(st.integers(0, 9), min_size=1, max_size=12), size=st.integers(1, 12))
def test_minibatches_are_those_of_the_store(mosaic, cells, size):
    store = MosaicStore(mosaic, build_layout(mosaic, SPECS, **KEYS))
    near = ResidentCells(store, torch.device("cpu"))
    index = np.array(cells)
    for at, expected in zip(
        near.minibatches(index, size), store.minibatches(index, size), strict=True
    ):
        found = at.gather()
        assert len(at) == len(found) == len(expected)
        for name in ("present", "batch", "categorical", "continuous", "rows"):
            assert getattr(found, name).equal(getattr(expected, name)), name
        for name in SPECS:
            assert found.x[name].equal(expected.x[name]), name
        assert not found.sparse
        for name, mask in expected.feature_mask.items():
            assert found.feature_mask[name].equal(mask)


def test_the_order_of_an_epoch_is_the_store_s(mosaic):
    store = MosaicStore(mosaic, build_layout(mosaic, SPECS))
    near = ResidentCells(store, torch.device("cpu"))
    cells = np.arange(3, 9)
    found, expected = (s.shuffled(cells, np.random.default_rng(1)) for s in (near, store))
    np.testing.assert_array_equal(found, expected)


def test_the_store_knows_its_size(mosaic):
    store = MosaicStore(mosaic, build_layout(mosaic, SPECS))
    dense = mosaic["emb"].X.nbytes
    sparse = sum(
        part.nbytes
        for name in ("rna", "adt")
        for part in (mosaic[name].X.data, mosaic[name].X.indices, mosaic[name].X.indptr)
    )
    assert store.nbytes == dense + sparse


@pytest.mark.gpu
def test_on_a_gpu_nothing_is_copied_but_indices(mosaic):
    store = MosaicStore(mosaic, build_layout(mosaic, SPECS, **KEYS))
    near = ResidentCells(store, torch.device("cuda"))
    found = next(near.minibatches(np.array([4, 1, 9]), 3)).gather()
    expected = store.minibatch(np.array([4, 1, 9]))
    for name in SPECS:
        assert found.x[name].device.type == "cuda"
        assert found.x[name].cpu().equal(expected.x[name])
